//! fusee on tokio: its sockets, its timer, its tasks.
//!
//! Works on multi-thread and current-thread runtimes that have I/O and time enabled. The engine's loops do the rest.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use fusee_core::ids::Address;
use fusee_core::time::Instant;
use fusee_engine::polled::{PollRead, Runtime};
use fusee_engine::{Engine, Epoch, PollWritable, Socket, SocketOptions, Task, WouldStall};
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

impl Runtime for Tokio {
    type Reader = Reader;
    type Socket = Writer;

    fn now(&self) -> Instant {
        self.epoch.now()
    }

    async fn resolve(&self, name: &Address) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host(name.as_str()).await?.collect())
    }

    async fn connect(&self, address: SocketAddr, options: SocketOptions) -> io::Result<(Reader, Writer)> {
        let stream = TcpStream::connect(address).await?;
        options.apply(&stream)?;
        let (reader, writer) = stream.into_split();
        Ok((Reader(reader), Writer(writer)))
    }

    async fn sleep_until(&self, at: Instant) {
        match self.epoch.to_std(at) {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    fn spawn(&self, task: Task) {
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
        match pieces {
            [piece] => self.0.try_write(piece),
            pieces => self.0.try_write_vectored(pieces),
        }
    }
}

impl PollWritable for Writer {
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_write_ready(cx)
    }
}
