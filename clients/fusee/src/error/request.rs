//! What can go wrong with a request by its parts.
//!
//! Law: whatever the peer answers is no error.

use fusee_core::error::RawError;
use fusee_core::wire::ResponseCode;
use thiserror::Error;

use super::{NameError, Retry, Stored, WouldBlock};

/// Why a request got no reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The address is none. The caller's fault.
    #[error("that is no address: {0}")]
    Address(NameError),
    /// No connection, or no reply in time.
    #[error(transparent)]
    Failed(RawError),
    /// The client was closed, or its runtime is gone.
    #[error("the client is closed")]
    Closed,
    /// See [`struct@WouldBlock`]. The request itself goes on.
    #[error(transparent)]
    WouldBlock(#[from] WouldBlock),
}

impl RequestError {
    /// Whether the request may have been executed; if it stores something, that may be stored.
    #[must_use]
    pub const fn stored(&self) -> Stored {
        match self {
            Self::Failed(RawError { sent: false, .. }) | Self::Address(_) => Stored::No,
            Self::Failed(_) | Self::Closed | Self::WouldBlock(_) => Stored::Unknown,
        }
    }

    /// Whether the same request may get a reply later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Failed(error) => error.cause.retry(),
            Self::Address(_) | Self::Closed | Self::WouldBlock(_) => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Failed(error) => error.cause.hint(),
            Self::Address(_) => Some("give host:port"),
            Self::Closed | Self::WouldBlock(_) => None,
        }
    }

    /// Always none: an answer, whatever its code, is no error here.
    #[must_use]
    pub const fn code(&self) -> Option<ResponseCode> {
        None
    }
}
