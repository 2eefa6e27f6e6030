//! Why nothing was read, or what was read was not committed.

use std::fmt;

use fusee_core::error as core;
use fusee_core::ids::Queue;
use thiserror::Error;

use super::{CallError, HINT_CLOSED, HINT_WOULD_BLOCK, ResponseCode, Retry, WouldBlock};

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
