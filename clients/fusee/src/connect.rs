//! Connecting: from settings to a client that has heard a name server.
//!
//! Laws: nothing is opened or started before the first look, so that a client asked for outside of a runtime and
//! awaited inside is fine; whoever drops it before its end leaves nothing open.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fusee_core::error::ConnectError as Failure;
use fusee_core::{Client as Machine, Config, Instant, Outcome};
use fusee_engine::{Engine, Handle, Operation, Settings};

use crate::client::Client;
use crate::error::ConnectError;
use crate::id;
use crate::pending::Steps;
use crate::runtime::{Driver, Runtime};

pub(crate) enum Connecting {
    /// Nobody has looked yet.
    Asked { config: Box<Config>, settings: Settings, runtime: Runtime },
    /// Looks for a name server.
    Looking { handle: Handle, id: Arc<str>, looking: Operation },
    /// Ended.
    Over,
}

impl Connecting {
    pub(crate) fn new(config: Config, settings: Settings, runtime: Runtime) -> Self {
        Self::Asked { config: Box::new(config), settings, runtime }
    }

    fn start(config: Config, settings: Settings, runtime: Runtime) -> Result<Self, ConnectError> {
        let (machine, id) = machine(config);
        Ok(Self::look(runtime.start(machine, settings)?, id))
    }

    /// Started already, to go as the driver is polled.
    pub(crate) fn driven(
        config: Config,
        settings: Settings,
        runtime: Runtime,
    ) -> Result<(Self, Driver), ConnectError> {
        let (machine, id) = machine(config);
        let (handle, driver) = runtime.drive(machine, settings)?;
        Ok((Self::look(handle, id), driver))
    }

    fn look(handle: Handle, id: Arc<str>) -> Self {
        let looking = handle.operate(|client, now, ticket| client.connect(now, ticket));
        Self::Looking { handle, id, looking }
    }
}

fn machine(config: Config) -> (Machine, Arc<str>) {
    let id = config.client_id.as_str().into();
    (Machine::new(config, id::seed(), Instant::ZERO, id::unix_now()), id)
}

impl Steps<Client, ConnectError> for Connecting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Client, ConnectError>> {
        loop {
            match mem::replace(self, Self::Over) {
                Self::Asked { config, settings, runtime } => *self = Self::start(*config, settings, runtime)?,
                Self::Looking { handle, id, mut looking } => {
                    return match Pin::new(&mut looking).poll(cx) {
                        Poll::Pending => {
                            *self = Self::Looking { handle, id, looking };
                            Poll::Pending
                        }
                        Poll::Ready(Ok(Outcome::Connected(Ok(())))) => {
                            Poll::Ready(Ok(Client::new(handle, id)))
                        }
                        Poll::Ready(Ok(Outcome::Connected(Err(error)))) => Poll::Ready(Err(error.into())),
                        // The machine answers with nothing else; the runtime may have died.
                        Poll::Ready(Ok(_) | Err(_)) => Poll::Ready(Err(Failure::Closed.into())),
                    };
                }
                Self::Over => unreachable!("a Pending is polled until it is ready, not after"),
            }
        }
    }

    fn engine(&self) -> Option<&Arc<Engine>> {
        match self {
            Self::Looking { handle, .. } => Some(handle),
            Self::Asked { .. } | Self::Over => None,
        }
    }
}
