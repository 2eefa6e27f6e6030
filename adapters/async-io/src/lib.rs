//! fusee on the async-io reactor: sockets and timers that work on any executor, which only has to run tasks.
//!
//! The reactor has a thread of its own and drives itself also while no executor does.

mod interest;

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_io::{Async, Timer};
use bytes::BytesMut;
use fusee_core::ids::Address;
use fusee_core::time::Instant;
use fusee_engine::polled::{PollRead, Runtime};
use fusee_engine::{Epoch, PollWritable, Socket, SocketOptions, Task};

use self::interest::Interest;

/// A client's home on the reactor and on an executor of any kind.
#[derive(Clone)]
pub struct AsyncIo {
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
    epoch: Epoch,
}

/// What one read takes at most.
const READ: usize = 64 * 1024;

impl AsyncIo {
    /// `spawn` hands a task to the executor, which runs it to its end without anybody waiting for that.
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self { spawn: Arc::new(spawn), epoch: Epoch::start() }
    }
}

impl fmt::Debug for AsyncIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncIo").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Runtime for AsyncIo {
    type Reader = Reader;
    type Socket = Writer;

    fn now(&self) -> Instant {
        self.epoch.now()
    }

    async fn sleep_until(&self, at: Instant) {
        match self.epoch.to_std(at) {
            Some(at) => drop(Timer::at(at).await),
            None => std::future::pending().await,
        }
    }

    async fn resolve(&self, name: &Address) -> io::Result<Vec<SocketAddr>> {
        let name = name.clone();
        blocking::unblock(move || Ok(name.as_str().to_socket_addrs()?.collect())).await
    }

    async fn connect(&self, address: SocketAddr, options: SocketOptions) -> io::Result<(Reader, Writer)> {
        let stream = Async::<TcpStream>::connect(address).await?;
        options.apply(stream.get_ref())?;
        let stream = Arc::new(stream);
        let writer = Writer { stream: Arc::clone(&stream), writable: Arc::default() };
        let chunk = vec![0; READ].into();
        Ok((Reader { stream, readable: Arc::default(), chunk, emptied: false }, writer))
    }

    fn spawn(&self, task: Task) {
        (self.spawn)(task);
    }
}

/// The read side of a connection.
#[derive(Debug)]
pub struct Reader {
    stream: Arc<Async<TcpStream>>,
    readable: Arc<Interest>,
    chunk: Box<[u8]>,
    /// The last read took all there was: wait before the next.
    emptied: bool,
}

impl PollRead for Reader {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        loop {
            if self.emptied {
                ready!(self.readable.poll(cx, |cx| self.stream.poll_readable(cx)))?;
                self.emptied = false;
            }
            let room = (into.capacity() - into.len()).min(READ);
            match self.stream.get_ref().read(&mut self.chunk[..room]) {
                Ok(bytes) => {
                    self.emptied = bytes < room;
                    into.extend_from_slice(&self.chunk[..bytes]);
                    return Poll::Ready(Ok(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.emptied = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// The write side of a connection.
#[derive(Debug)]
pub struct Writer {
    stream: Arc<Async<TcpStream>>,
    writable: Arc<Interest>,
}

impl Socket for Writer {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match pieces {
            [piece] => self.stream.get_ref().write(piece),
            pieces => self.stream.get_ref().write_vectored(pieces),
        }
    }
}

impl PollWritable for Writer {
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable.poll(cx, |cx| self.stream.poll_writable(cx))
    }
}
