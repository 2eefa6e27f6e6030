//! Why something did not come up: settings, clients, routes, members of groups; and why a close was not seen.

use fusee_core::error as core;
use thiserror::Error;

use super::{HINT_CLOSED, HINT_WOULD_BLOCK, NameError, OpenError, ResponseCode, Retry, WouldBlock};
use crate::environment::Origin;
use crate::message::IllegalMessage;
use crate::preset::Preset;

/// What is wrong with a configuration. The caller's fault, or the environment's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not one name server is named.
    #[error("no name server is given")]
    NoNameServer,
    /// An address that is none.
    #[error("{text:?} is no address of a server ({origin}): {why}")]
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
    /// TLS cannot be set up: a file that cannot be read, or no cryptography.
    #[cfg(feature = "tls")]
    #[error("TLS cannot be set up: {0}")]
    Tls(fusee_engine::TlsError),
    /// A preset that is none.
    #[error("there is no preset {name:?} ({origin}), but there are {known}", known = known_presets())]
    UnknownPreset {
        /// What was given.
        name: Box<str>,
        /// Who gave it.
        origin: Origin,
    },
    /// An environment variable that holds something else than it may.
    #[error("environment variable {name} is {given:?}, allowed are {allowed}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it holds; of a long text the begin.
        given: Box<str>,
        /// What is allowed.
        allowed: &'static str,
    },
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

fn known_presets() -> String {
    Preset::ALL.map(Preset::as_str).join(", ")
}

impl ConfigError {
    /// What to change.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoNameServer | Self::Address { .. } => Some(
                "give host:port, or several separated by semicolons; name servers listen on 9876 by default",
            ),
            Self::Variable { .. } => {
                Some("times are 250ms, 5s, 1.5m, 1h or plain seconds; bytes may be KiB, MiB or GiB")
            }
            Self::ClientId(_) | Self::UnknownPreset { .. } | Self::Range { .. } => None,
            #[cfg(feature = "tls")]
            Self::Tls(_) => {
                Some("give certificates and keys in PEM, keys unencrypted, or a ready rustls configuration")
            }
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
