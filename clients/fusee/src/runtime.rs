//! On what a client runs: a value that is chosen when it connects, never a type parameter.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

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
    /// smol's executor, which starts by itself (feature `smol`).
    #[cfg(feature = "smol")]
    Smol,
    /// async-std's executor, which starts by itself (feature `async-std`).
    #[cfg(feature = "async-std")]
    AsyncStd,
    /// The async-io reactor, and whatever executor runs the driver (feature `async-io`): only for
    /// [`ClientBuilder::into_driver`](crate::ClientBuilder::into_driver).
    #[cfg(feature = "async-io")]
    AsyncIo,
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
#[cfg(all(feature = "smol", not(any(feature = "tokio", feature = "blocking"))))]
const DEFAULT: Runtime = Runtime::Smol;
#[cfg(all(feature = "async-std", not(any(feature = "tokio", feature = "blocking", feature = "smol"))))]
const DEFAULT: Runtime = Runtime::AsyncStd;
#[cfg(all(
    feature = "async-io",
    not(any(feature = "tokio", feature = "blocking", feature = "smol", feature = "async-std"))
))]
const DEFAULT: Runtime = Runtime::AsyncIo;
#[cfg(not(any(
    feature = "tokio",
    feature = "blocking",
    feature = "smol",
    feature = "async-std",
    feature = "async-io"
)))]
compile_error!("fusee needs something to run on: enable one of tokio, blocking, smol, async-std, async-io");

impl Runtime {
    /// Sets the machine going.
    pub(crate) fn start(self, machine: Machine, settings: Settings) -> Result<Handle, ConnectError> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => Ok(Engine::start_with(machine, tokio()?, settings)),
            #[cfg(feature = "blocking")]
            Self::Blocking => Ok(Engine::start_with(machine, fusee_blocking::Threads::new(), settings)),
            #[cfg(feature = "smol")]
            Self::Smol => Ok(Engine::start_with(machine, fusee_smol::runtime(), settings)),
            #[cfg(feature = "async-std")]
            Self::AsyncStd => Ok(Engine::start_with(machine, fusee_async_std::runtime(), settings)),
            #[cfg(feature = "async-io")]
            Self::AsyncIo => {
                drop((machine, settings));
                Err(ConnectError::NoExecutor)
            }
        }
    }

    /// Sets the machine up, to go as the driver is polled.
    pub(crate) fn drive(
        self,
        machine: Machine,
        settings: Settings,
    ) -> Result<(Handle, Driver), ConnectError> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio => Ok(driven(machine, tokio()?, settings)),
            // Threads drive themselves.
            #[cfg(feature = "blocking")]
            Self::Blocking => self.start(machine, settings).map(|handle| (handle, Driver(None))),
            #[cfg(feature = "smol")]
            Self::Smol => Ok(driven(machine, fusee_smol::runtime(), settings)),
            #[cfg(feature = "async-std")]
            Self::AsyncStd => Ok(driven(machine, fusee_async_std::runtime(), settings)),
            // The driver runs what would be spawned.
            #[cfg(feature = "async-io")]
            Self::AsyncIo => Ok(driven(machine, fusee_async_io::AsyncIo::new(drop), settings)),
        }
    }
}

#[cfg(feature = "tokio")]
fn tokio() -> Result<fusee_tokio::Tokio, ConnectError> {
    fusee_tokio::Tokio::current().map_err(|_| ConnectError::NoRuntime)
}

#[cfg(any(feature = "tokio", feature = "smol", feature = "async-std", feature = "async-io"))]
fn driven(
    machine: Machine,
    runtime: impl fusee_engine::polled::Runtime,
    settings: Settings,
) -> (Handle, Driver) {
    let (driven, driver) = fusee_engine::driven(runtime);
    (Engine::start_with(machine, driven, settings), Driver(Some(driver)))
}

/// Everything that runs for one client, as one future: see
/// [`ClientBuilder::into_driver`](crate::ClientBuilder::into_driver).
///
/// Nothing of the client happens unless it is polled. It is ready when the client was closed, or its last handle
/// dropped, and everything has ended. Dropping it earlier ends the client: what is pending ends in an error.
#[derive(Debug)]
#[must_use = "nothing of the client runs unless its driver is polled"]
pub struct Driver(Option<fusee_engine::Driver>);

impl Driver {
    pub(crate) const fn of_nothing() -> Self {
        Self(None)
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(driver) => Pin::new(driver).poll(cx),
            None => Poll::Ready(()),
        }
    }
}
