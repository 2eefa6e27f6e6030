//! What can go wrong, as one enum per operation, and [`enum@Error`], which is made from each of them.
//!
//! Laws: an error says what happened, who is at fault, whether a message may be stored and what to do next: every one
//! answers `retry`, `hint`, `stored` and `code`, and compares by value. What ended in the machine is carried as the
//! machine said it (`fusee_core::error`); only what the machine cannot know is added here.

use std::fmt;

use fusee_core::error as core;
/// Why a send that was tried, or could not be, did not end in a receipt.
pub use fusee_core::error::SendError as SendFailure;
pub use fusee_core::error::{CallError, LostWhy, NameError, OpenError, Retry, SeekError, Stored};
use fusee_core::ids::{Queue, Topic};
pub use fusee_core::wire::ResponseCode;
use thiserror::Error;

use crate::environment::Origin;
use crate::message::{IllegalMessage, Message};
use crate::remoting::RequestError;

/// This thread drives the client's own connections, so to wait on it would be to wait for ever. Await instead, or wait
/// on another thread (`spawn_blocking`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("waiting would block the thread that drives this client")]
pub struct WouldBlock;

const HINT_WOULD_BLOCK: &str = "await it instead, or wait on another thread (tokio::task::spawn_blocking)";
const HINT_CLOSED: &str = "keep a handle of the client, and its runtime, for as long as it is used";

/// What is wrong with a configuration. The caller's fault, or the environment's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not one name server is named.
    #[error("no name server is given")]
    NoNameServer,
    /// An address that is none.
    #[error("{text:?} is no address of a name server ({origin}): {why}")]
    Address {
        /// What was given.
        text: Box<str>,
        /// What is wrong with it.
        why: NameError,
        /// Who gave it.
        origin: Origin,
    },
    /// A client id that cannot be one.
    #[error("the client id cannot be used: {0}")]
    ClientId(NameError),
    /// A number outside of its range.
    #[error("{option} is {given}, allowed are {allowed}")]
    Range {
        /// The option.
        option: &'static str,
        /// What was given.
        given: Box<str>,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl ConfigError {
    /// What to change.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoNameServer | Self::Address { .. } => Some(
                "give host:port, or several separated by semicolons; name servers listen on 9876 by default",
            ),
            Self::ClientId(_) | Self::Range { .. } => None,
        }
    }
}

/// Why a client did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What was asked for makes no sense. The caller's fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokio runtime was asked for outside of one. The caller's fault.
    #[error("there is no tokio runtime on this thread")]
    NoRuntime,
    /// A client on the bare async-io reactor was asked to run by itself. The caller's fault.
    #[error("nothing runs the tasks of a client on the bare async-io reactor")]
    NoExecutor,
    /// No name server could be used.
    #[error(transparent)]
    Failed(#[from] core::ConnectError),
    /// See [`struct@WouldBlock`].
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

impl ConnectError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Failed(error) => error.retry(),
            Self::Config(_) | Self::NoRuntime | Self::NoExecutor | Self::WouldBlock(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Config(error) => error.hint(),
            Self::NoRuntime => {
                Some("call it inside #[tokio::main], or use fusee::blocking::connect (feature `blocking`)")
            }
            Self::NoExecutor => Some("use ClientBuilder::into_driver and run the driver on your executor"),
            Self::Failed(error) => error.hint(),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// The response code of a name server that answered something else than a route.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Failed(error) => error.code(),
            Self::Config(_) | Self::NoRuntime | Self::NoExecutor | Self::WouldBlock(_) => None,
        }
    }
}

/// Why the queues of a topic could not be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The topic's name is none. The caller's fault.
    #[error(transparent)]
    Illegal(#[from] IllegalMessage),
    /// The topic has no usable route.
    #[error(transparent)]
    Failed(#[from] core::RouteError),
    /// See [`struct@WouldBlock`].
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

impl RouteError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Failed(error) => error.retry(),
            Self::Illegal(_) | Self::WouldBlock(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Illegal(error) => error.hint(),
            Self::Failed(error) => error.hint(),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// The name server's response code, if one refused.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Failed(error) => error.code(),
            Self::Illegal(_) | Self::WouldBlock(_) => None,
        }
    }
}

/// Why a producer or a consumer did not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The group's name is none. The caller's fault.
    #[error("{name:?} cannot be a group: {why}")]
    Group {
        /// What was given.
        name: Box<str>,
        /// What is wrong with it.
        why: NameError,
    },
    /// The group's name is a placeholder of the Java client. The caller's fault.
    #[error("the group name {0} is reserved")]
    ReservedGroup(Box<str>),
    /// An option is outside of its range. The caller's fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client cannot take another member.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// See [`struct@WouldBlock`].
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

impl StartError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        Retry::Never
    }

    /// What to change.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Group { .. } => Some("a group has 1 to 120 characters of a-z, A-Z, 0-9, _, -, % and |"),
            Self::ReservedGroup(_) => Some("name the group after what its members do"),
            Self::Config(error) => error.hint(),
            Self::Open(OpenError::GroupTaken) => {
                Some("clone the one that is there, or close it first; a second member takes a second client")
            }
            Self::Open(_) => Some(HINT_CLOSED),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// No broker is asked, so there is no code.
    #[must_use]
    pub const fn code(&self) -> Option<ResponseCode> {
        None
    }
}

/// Why a send did not end in a receipt. [`SendError::stored`] says whether the message may be stored all the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message may not be sent. The caller's fault; not stored.
    #[error("illegal message: {0}; {no}", no = Stored::No)]
    Illegal(#[from] IllegalMessage),
    /// The send was tried, or could not be.
    #[error(transparent)]
    Failed(#[from] core::SendError),
    /// See [`struct@WouldBlock`]. The send itself goes on if it was admitted.
    #[error("{0}; {unknown}", unknown = Stored::Unknown)]
    WouldBlock(#[from] WouldBlock),
}

impl SendError {
    /// Whether the message may be in the broker's store.
    #[must_use]
    pub const fn stored(&self) -> Stored {
        match self {
            Self::Illegal(_) => Stored::No,
            Self::Failed(error) => error.stored(),
            Self::WouldBlock(_) => Stored::Unknown,
        }
    }

    /// Whether the same send may succeed later; the built-in retries are already spent. With [`Stored::Unknown`] it may
    /// also store the message twice.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Failed(error) => error.retry(),
            Self::Illegal(_) | Self::WouldBlock(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Illegal(error) => error.hint(),
            Self::Failed(core::SendError::Closed(_)) => Some(HINT_CLOSED),
            Self::Failed(error) => error.hint(),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// The broker's or name server's response code, if one refused.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Failed(error) => error.code(),
            Self::Illegal(_) | Self::WouldBlock(_) => None,
        }
    }
}

/// A message that was not even started to be sent; it comes back with the reason. Not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrySendError {
    /// The message, as it was given.
    pub message: Box<Message>,
    /// Why: [`core::SendError::Full`], [`core::SendError::Closed`], or what is illegal about it.
    pub why: SendError,
}

impl TrySendError {
    /// Always [`Stored::No`].
    #[must_use]
    pub const fn stored(&self) -> Stored {
        Stored::No
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.why.retry()
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.why.hint()
    }

    /// No broker was asked, so there is no code.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        self.why.code()
    }
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl std::error::Error for TrySendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

/// A stored message that cannot be read. The producer's or the broker's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a message of {queue} at or after offset {offset} cannot be read: {why}")]
pub struct Undecodable {
    /// The queue it is stored in.
    pub queue: Queue,
    /// Its offset if that could be read, otherwise the first offset of the reply it came in.
    pub offset: i64,
    /// What is wrong with it.
    pub why: Box<str>,
}

/// Why a poll gave no messages. Polling again goes on, unless everything was closed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PollError {
    /// A stored message cannot be read. It is reported once, after the messages around it were given; polling again
    /// goes on behind it.
    #[error(transparent)]
    Undecodable(#[from] Box<Undecodable>),
    /// Nothing came in time, and the end of the queues is not reached either. Only `poll_until_end` says this.
    #[error("nothing was read in time, and the end of the queues is not reached{}", First(.trouble))]
    TimedOut {
        /// The queues that cannot be read, and why; none if brokers are merely slow.
        trouble: Box<[(Queue, CallError)]>,
    },
    /// The consumer or the client was closed, or the runtime is gone.
    #[error("the consumer was closed")]
    Closed,
    /// See [`struct@WouldBlock`].
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

struct First<'a>(&'a [(Queue, CallError)]);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.first().map_or(Ok(()), |(queue, error)| {
            write!(f, "; {} queues fail, first {queue}: {error}", self.0.len())
        })
    }
}

impl PollError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Undecodable(_) | Self::TimedOut { .. } => Retry::Now,
            Self::Closed | Self::WouldBlock(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Undecodable(_) => Some("poll again to go on behind it; look at what produced it"),
            Self::TimedOut { trouble } => trouble.iter().find_map(|(_, error)| error.hint()),
            Self::Closed => Some(HINT_CLOSED),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// The first response code among the queues that fail.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::TimedOut { trouble } => trouble.iter().find_map(|(_, error)| error.code()),
            Self::Undecodable(_) | Self::Closed | Self::WouldBlock(_) => None,
        }
    }
}

/// Why positions were not committed. They are kept, and committed by the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Some queues were not committed, each with its cause.
    #[error(transparent)]
    Failed(#[from] core::CommitError),
    /// The consumer or the client was closed, or the runtime is gone.
    #[error("the consumer was closed")]
    Closed,
    /// See [`struct@WouldBlock`]. The commit itself goes on.
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

impl CommitError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Failed(error) => error.retry(),
            Self::Closed | Self::WouldBlock(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Failed(error) => error.hint(),
            Self::Closed => Some(HINT_CLOSED),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// The first response code among the failures.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Failed(error) => error.code(),
            Self::Closed | Self::WouldBlock(_) => None,
        }
    }
}

/// Why a client could not tell how its close went.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The runtime under the client is gone: its connections are closed, but nothing was flushed or unregistered.
    #[error("the runtime of the client is gone")]
    RuntimeGone,
    /// See [`struct@WouldBlock`]. The close itself goes on.
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

impl CloseError {
    /// Always [`Retry::Never`].
    #[must_use]
    pub const fn retry(&self) -> Retry {
        Retry::Never
    }

    /// What to look at or to change.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::RuntimeGone => Some("close the client before its runtime ends"),
            Self::WouldBlock(_) => Some(HINT_WOULD_BLOCK),
        }
    }

    /// No broker is asked, so there is no code.
    #[must_use]
    pub const fn code(&self) -> Option<ResponseCode> {
        None
    }
}

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
