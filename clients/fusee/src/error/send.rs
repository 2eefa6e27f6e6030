//! Why a message was not sent, or may not have been.

use std::fmt;

use fusee_core::error as core;
use thiserror::Error;

use super::{HINT_CLOSED, HINT_WOULD_BLOCK, ResponseCode, Retry, Stored, WouldBlock};
use crate::message::{IllegalMessage, Message};

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
