//! What can go wrong, one enum per operation, in values that can be matched and compared.
//!
//! Laws: an error says what happened and who is at fault (the caller, the peer, the environment, this client); one
//! that ends a send says whether the message may be stored; every error answers `stored`, `retry`, `hint`, `code`.

mod call;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use thiserror::Error;

use crate::ids::{Queue, Topic};
use crate::wire::ResponseCode;

pub use crate::ids::NameError;
pub use call::{CallError, LostWhy};

/// Whether the message of a failed send may be in the broker's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is not, provably: no attempt left this process, or each was refused by the broker.
    No,
    /// A byte of an attempt reached the wire and its fate was not learned: sending again may store it twice.
    Unknown,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "the message is not stored",
            Self::Unknown => "the message may or may not be stored",
        })
    }
}

/// What to do after an error; the built-in retries are already spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The same call cannot succeed until something is changed.
    Never,
    /// The same call may succeed now.
    Now,
    /// The same call may succeed after about this long.
    After(Duration),
}

/// Why a topic has no usable route.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// No name server knows the topic, and it is not created automatically.
    #[error("topic {0} does not exist")]
    NoSuchTopic(Topic),
    /// The topic exists, but no queue of it can be used that way.
    #[error("topic {0} has no {1} queue with a reachable master")]
    NoQueue(Topic, &'static str),
    /// No name server answered.
    #[error("no name server gave a route for topic {topic}; the last said: {last}")]
    Unreachable {
        /// The topic asked for.
        topic: Topic,
        /// What happened with the server asked last.
        last: Box<CallError>,
    },
    /// This client was closed first.
    #[error("the client was closed")]
    Closed,
}

impl RouteError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::NoSuchTopic(_) | Self::NoQueue(..) => Retry::After(Duration::from_secs(30)),
            Self::Unreachable { .. } => Retry::After(Duration::from_secs(1)),
            Self::Closed => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoSuchTopic(_) => Some(
                "create the topic (mqadmin updateTopic), or let brokers create it: autoCreateTopicEnable=true",
            ),
            Self::NoQueue(..) => {
                Some("check the topic's permission (6 = read and write) and that its brokers' masters are up")
            }
            Self::Unreachable { last, .. } => last.hint(),
            Self::Closed => None,
        }
    }

    /// The name server's response code, if one refused.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::NoSuchTopic(_) => Some(ResponseCode::TOPIC_NOT_EXIST),
            Self::Unreachable { last, .. } => last.code(),
            Self::NoQueue(..) | Self::Closed => None,
        }
    }
}

/// Why a send did not end in a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The topic has no queue to send to. Not stored.
    #[error("{0}; the message is not stored")]
    NoRoute(#[from] RouteError),
    /// The queue asked for is not among the topic's writable queues. Not stored.
    #[error("{0} is no writable queue of its topic; the message is not stored")]
    NoSuchQueue(Queue),
    /// The broker refused, and more attempts would not help or were used up.
    #[error("{cause}; {attempts} attempts; {stored}")]
    Refused {
        /// What the broker said last.
        cause: Box<CallError>,
        /// Attempts that reached a broker.
        attempts: u32,
        /// Whether any attempt may be stored.
        stored: Stored,
    },
    /// No receipt before the send's deadline, or every attempt was cut off.
    #[error("no receipt in time after {attempts} attempts, last: {}; {stored}", Last(last.as_deref()))]
    TimedOut {
        /// Attempts of which a byte reached the wire.
        attempts: u32,
        /// What happened to the last attempt, if one ended before the deadline.
        last: Option<Box<CallError>>,
        /// Whether any attempt may be stored.
        stored: Stored,
    },
    /// The client holds as many unfinished sends as it may. Not stored.
    #[error("too many unfinished sends (65,536 messages or 64 MiB by default); the message is not stored")]
    Full,
    /// The client was closed, or its runtime is gone, before the send ended.
    #[error("the client was closed; {0}")]
    Closed(Stored),
}

struct Last<'a>(Option<&'a CallError>);

impl fmt::Display for Last<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(error) => error.fmt(f),
            None => f.write_str("no answer yet"),
        }
    }
}

impl SendError {
    /// Whether the message may be in the broker's store.
    #[must_use]
    pub const fn stored(&self) -> Stored {
        match self {
            Self::NoRoute(_) | Self::NoSuchQueue(_) | Self::Full => Stored::No,
            Self::Refused { stored, .. } | Self::TimedOut { stored, .. } | Self::Closed(stored) => *stored,
        }
    }

    /// Whether the same send may succeed later. With [`Stored::Unknown`] it may also store the message twice.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::NoRoute(error) => error.retry(),
            Self::Refused { cause, .. } => cause.retry(),
            Self::TimedOut { .. } => Retry::After(Duration::from_secs(1)),
            Self::Full => Retry::After(Duration::from_millis(10)),
            Self::NoSuchQueue(_) | Self::Closed(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRoute(error) => error.hint(),
            Self::Refused { cause, .. } => cause.hint(),
            Self::TimedOut { last, .. } => last.as_deref().map_or(
                Some("the broker did not answer before the deadline: with synchronous flush or replicas raise the deadline"),
                CallError::hint,
            ),
            Self::NoSuchQueue(_) => Some("take the queue from the topic's current route"),
            Self::Full => Some("await receipts before sending more, or raise the bounds"),
            Self::Closed(_) => None,
        }
    }

    /// The broker's or name server's response code, if one refused.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::NoRoute(error) => error.code(),
            Self::Refused { cause, .. } => cause.code(),
            Self::TimedOut { last, .. } => last.as_deref().and_then(CallError::code),
            Self::NoSuchQueue(_) | Self::Full | Self::Closed(_) => None,
        }
    }
}

/// Why a request by its parts got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{cause}; the request {}", if *.sent { "may have been executed" } else { "was not sent" })]
pub struct RawError {
    /// What happened.
    pub cause: CallError,
    /// A byte of it reached the wire.
    pub sent: bool,
}

/// Why a client did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No name server answered a route request in time.
    #[error("no name server answered: {}", Said(.0))]
    NoNameServer(Vec<CallError>),
    /// The client was closed first.
    #[error("the client was closed")]
    Closed,
}

struct Said<'a>(&'a [CallError]);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl ConnectError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::NoNameServer(said) => {
                said.iter().map(CallError::retry).find(|r| *r != Retry::Never).unwrap_or(Retry::Never)
            }
            Self::Closed => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoNameServer(said) => said.iter().find_map(CallError::hint),
            Self::Closed => None,
        }
    }

    /// The response code of a server that answered something else than a route.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::NoNameServer(said) => said.iter().find_map(CallError::code),
            Self::Closed => None,
        }
    }
}

/// Why a producer or consumer could not be opened. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This client already has a member of that kind in the group.
    #[error("this client is already a member of the group in this role")]
    GroupTaken,
    /// The client is closed.
    #[error("the client was closed")]
    Closed,
}

/// Why a position could not be changed. The caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SeekError {
    /// The queue is not assigned to this consumer.
    #[error("{0} is not assigned to this consumer")]
    NotAssigned(Queue),
    /// Offsets start at zero.
    #[error("the offset {0} is negative")]
    Negative(i64),
    /// The consumer is closed.
    #[error("the consumer was closed")]
    Closed,
}

/// Why offsets could not be committed: what was not acknowledged by its broker, each with its cause. What is not
/// listed was committed. The positions are kept and committed by the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} queues not committed, first: {}", .failed.len(), First(.failed))]
pub struct CommitError {
    /// The queues and what happened.
    pub failed: Vec<(Queue, CallError)>,
}

struct First<'a>(&'a [(Queue, CallError)]);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.first().map_or(Ok(()), |(queue, error)| write!(f, "{queue}: {error}"))
    }
}

impl CommitError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.failed.first().map_or(Retry::Now, |(_, error)| error.retry())
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.failed.iter().find_map(|(_, error)| error.hint())
    }

    /// The first response code among the failures.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        self.failed.iter().find_map(|(_, error)| error.code())
    }
}

/// The caller asked for something that cannot start; what was given comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<T> {
    /// What was given.
    pub value: T,
    /// Why it cannot start.
    pub why: RejectedWhy,
}

/// Why something cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedWhy {
    /// A bound of the client is reached: wait for room, or try again later.
    Full,
    /// The client or this part of it is closed.
    Closed,
}
