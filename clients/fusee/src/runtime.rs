//! On what a client runs: a value that is chosen when it connects, never a type parameter.

use fusee_core::Client as Machine;
use fusee_engine::{Engine, Handle, Settings};

use crate::error::ConnectError;

/// What carries a client's connections and keeps its time. Which ones there are is decided by the crate's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Runtime {
    /// The tokio runtime that the client is connected in (feature `tokio`).
    #[cfg(feature = "tokio")]
    Tokio,
    /// Threads of the client's own (feature `blocking`): two for each connection and one for the clock.
    #[cfg(feature = "blocking")]
    Blocking,
}

impl Default for Runtime {
    fn default() -> Self {
        DEFAULT
    }
}

#[cfg(feature = "tokio")]
const DEFAULT: Runtime = Runtime::Tokio;
#[cfg(all(feature = "blocking", not(feature = "tokio")))]
const DEFAULT: Runtime = Runtime::Blocking;
#[cfg(not(any(feature = "tokio", feature = "blocking")))]
compile_error!("fusee needs something to run on: enable the feature `tokio` or `blocking`");

impl Runtime {
    /// Sets the machine going.
    pub(crate) fn start(self, machine: Machine, settings: Settings) -> Result<Handle, ConnectError> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => {
                let tokio = fusee_tokio::Tokio::current().map_err(|_| ConnectError::NoRuntime)?;
                Ok(Engine::start_with(machine, tokio, settings))
            }
            #[cfg(feature = "blocking")]
            Self::Blocking => Ok(Engine::start_with(machine, fusee_blocking::Threads::new(), settings)),
        }
    }
}
