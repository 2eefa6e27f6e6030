//! What can go wrong, as one enum per operation, and [`enum@Error`], which is made from each of them.
//!
//! Laws: an error says what happened, who is at fault, whether a message may be stored and what to do next: every one
//! answers `retry`, `hint`, `stored` and `code`, and compares by value. What ended in the machine is carried as the
//! machine said it (`fusee_core::error`); only what the machine cannot know is added here.

mod read;
mod request;
mod send;
mod start;

/// Why a send that was tried, or could not be, did not end in a receipt.
pub use fusee_core::error::SendError as SendFailure;
pub use fusee_core::error::{CallError, LostWhy, NameError, OpenError, Retry, SeekError, Stored};
use fusee_core::ids::Topic;
pub use fusee_core::wire::ResponseCode;
use thiserror::Error;

pub use read::{CommitError, PollError, Undecodable};
pub use request::RequestError;
pub use send::{SendError, TrySendError};
pub use start::{CloseError, ConfigError, ConnectError, RouteError, StartError};

/// This thread drives the client's own connections, so to wait on it would be to wait for ever. Await instead, or wait
/// on another thread (`spawn_blocking`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("waiting would block the thread that drives this client")]
pub struct WouldBlock;

const HINT_WOULD_BLOCK: &str = "await it instead, or wait on another thread (tokio::task::spawn_blocking)";
const HINT_CLOSED: &str = "keep a handle of the client, and its runtime, for as long as it is used";

macro_rules! stores_nothing {
    ($($error:ident),*) => {$(
        impl $error {
            /// Always [`Stored::No`]: the operation stores no message.
            #[must_use]
            pub const fn stored(&self) -> Stored {
                Stored::No
            }
        }
    )*};
}

stores_nothing!(ConfigError, ConnectError, RouteError, StartError, PollError, CommitError, CloseError);

/// Any error of this crate, so that `?` works in `main`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration that makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client did not come up.
    #[error("connecting failed: {0}")]
    Connect(#[from] ConnectError),
    /// The queues of a topic could not be told.
    #[error("no queues: {0}")]
    Route(#[from] RouteError),
    /// A request by its parts got no reply.
    #[error("no reply: {0}")]
    Request(#[from] RequestError),
    /// A producer or consumer did not start.
    #[error("starting failed: {0}")]
    Start(#[from] StartError),
    /// A send did not end in a receipt.
    #[error("sending failed: {0}")]
    Send(#[from] SendError),
    /// A message was given back.
    #[error("sending failed: {0}")]
    TrySend(#[from] TrySendError),
    /// A poll gave no messages.
    #[error("polling failed: {0}")]
    Poll(#[from] PollError),
    /// A position could not be changed.
    #[error("seeking failed: {0}")]
    Seek(#[from] SeekError),
    /// Positions were not committed.
    #[error("committing failed: {0}")]
    Commit(#[from] CommitError),
    /// A close could not be observed.
    #[error("closing failed: {0}")]
    Close(#[from] CloseError),
    /// A message's body is no text.
    #[error(transparent)]
    NotText(#[from] NotText),
}

/// A message's body is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the body of message {id} of topic {topic} is not UTF-8 after {valid_up_to} bytes")]
pub struct NotText {
    /// The message's id.
    pub id: Box<str>,
    /// The message's topic.
    pub topic: Topic,
    /// How many bytes are text.
    pub valid_up_to: usize,
}

impl Error {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Connect(error) => error.retry(),
            Self::Route(error) => error.retry(),
            Self::Request(error) => error.retry(),
            Self::Start(error) => error.retry(),
            Self::Send(error) => error.retry(),
            Self::TrySend(error) => error.retry(),
            Self::Poll(error) => error.retry(),
            Self::Commit(error) => error.retry(),
            Self::Close(error) => error.retry(),
            Self::Config(_) | Self::Seek(_) | Self::NotText(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Connect(error) => error.hint(),
            Self::Route(error) => error.hint(),
            Self::Request(error) => error.hint(),
            Self::Start(error) => error.hint(),
            Self::Send(error) => error.hint(),
            Self::TrySend(error) => error.hint(),
            Self::Poll(error) => error.hint(),
            Self::Commit(error) => error.hint(),
            Self::Close(error) => error.hint(),
            Self::Seek(_) => Some("seek only queues of `assignment()`"),
            Self::NotText(_) => Some("read the bytes with `body()`"),
        }
    }

    /// Whether a message may be in a broker's store although this error came back. [`Stored::No`] for everything that
    /// is neither a send nor a request by its parts.
    #[must_use]
    pub const fn stored(&self) -> Stored {
        if let Self::Send(error) = self {
            error.stored()
        } else if let Self::Request(error) = self {
            error.stored()
        } else {
            Stored::No
        }
    }

    /// The response code of the server that refused, if one did.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Connect(error) => error.code(),
            Self::Route(error) => error.code(),
            Self::Request(error) => error.code(),
            Self::Start(error) => error.code(),
            Self::Send(error) => error.code(),
            Self::TrySend(error) => error.code(),
            Self::Poll(error) => error.code(),
            Self::Commit(error) => error.code(),
            Self::Close(error) => error.code(),
            Self::Config(_) | Self::Seek(_) | Self::NotText(_) => None,
        }
    }
}

/// What most functions that use this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
