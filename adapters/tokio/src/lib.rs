//! fusee on tokio: its sockets, its timer, its tasks.
//!
//! Works on multi-thread and current-thread runtimes that have I/O and time enabled. The engine's loops do the rest.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ConnId};
use fusee_core::time::Instant;
use fusee_engine::polled::{self, PollRead, Runtime};
use fusee_engine::{Adapter, Engine, Epoch, PollWritable, Socket, Task, WouldStall, lost_why};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::{Handle, RuntimeFlavor};

/// A client's home on a tokio runtime.
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
    epoch: Epoch,
}

/// There is no tokio runtime around this call. The caller's mistake: call from inside one, or hand over its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no tokio runtime here: call this inside one, or give its handle")]
pub struct NoRuntime;

impl Tokio {
    /// The runtime this is called in.
    pub fn current() -> Result<Self, NoRuntime> {
        Handle::try_current().map(Self::on).map_err(|_| NoRuntime)
    }

    /// That runtime.
    #[must_use]
    pub fn on(handle: Handle) -> Self {
        Self { handle, epoch: Epoch::start() }
    }
}

impl Adapter for Tokio {
    fn now(&self) -> Instant {
        self.epoch.now()
    }

    fn dial(&self, engine: Arc<Engine>, conn: ConnId, address: Address) {
        self.handle.spawn(polled::wire(Arc::new(self.clone()), engine, conn, address));
    }

    fn keep_time(&self, engine: Arc<Engine>) {
        self.handle.spawn(polled::clock(Arc::new(self.clone()), engine));
    }

    fn run(&self, task: Task) {
        self.handle.spawn(task);
    }

    fn block(&self, engine: &Engine, wait: &mut dyn FnMut()) -> Result<(), WouldStall> {
        let here = Handle::try_current().is_ok_and(|here| here.id() == self.handle.id());
        if self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            // Nobody takes over from the only thread.
            if engine.was_driven_here() {
                return Err(WouldStall);
            }
            wait();
        } else if here {
            // Another thread takes over what this one would have run.
            tokio::task::block_in_place(wait);
        } else {
            wait();
        }
        Ok(())
    }
}

impl Runtime for Tokio {
    type Reader = Reader;
    type Socket = Writer;

    async fn connect(&self, address: &Address) -> Result<(Reader, Writer), LostWhy> {
        let addresses = tokio::net::lookup_host(address.as_str())
            .await
            .map_err(|error| LostWhy::Unresolved(error.to_string().into()))?;
        let mut why = LostWhy::Unresolved("the name has no address".into());
        for address in addresses {
            let connected = async {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                io::Result::Ok(stream)
            };
            match connected.await {
                Ok(stream) => {
                    let (reader, writer) = stream.into_split();
                    return Ok((Reader(reader), Writer(writer)));
                }
                Err(error) => why = lost_why(&error),
            }
        }
        Err(why)
    }

    async fn sleep_until(&self, at: Instant) {
        match self.epoch.to_std(at) {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
}

/// The read side of a connection.
#[derive(Debug)]
pub struct Reader(OwnedReadHalf);

impl PollRead for Reader {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        pin!(self.0.read_buf(into)).poll(cx)
    }
}

/// The write side of a connection.
#[derive(Debug)]
pub struct Writer(OwnedWriteHalf);

impl Socket for Writer {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }
}

impl PollWritable for Writer {
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_write_ready(cx)
    }
}
