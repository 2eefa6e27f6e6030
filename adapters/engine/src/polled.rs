//! The connection and the clock for every runtime that polls, written once.
//!
//! Laws: a future made here keeps the engine's promises also when it is dropped before it was ever polled; a poll
//! does a bounded amount of work; what is read is handed over before anything is written, so that replies and what
//! they lead to leave together.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ConnId};
use fusee_core::time::Instant;

use crate::adapter::{Adapter, Task, WouldStall, refuse_here};
use crate::connection::{Intake, Lease, Pulse};
use crate::engine::Engine;
use crate::lost::{lost_why, not_tls};
use crate::options::SocketOptions;
use crate::tls::Seal;
use crate::wire::{PollWritable, Wire};

/// Room for what a server says in a handshake, certificates and all.
const HANDSHAKE_ROOM: usize = 16 * 1024;

/// Reads one poll makes before it lets others run.
const READS: usize = 16;

/// A runtime with tasks. Whatever implements this is an [`Adapter`]; clones are the same runtime.
pub trait Runtime: Clone + fmt::Debug + Send + Sync + 'static {
    /// A connected socket's read side.
    type Reader: PollRead;
    /// Its write side.
    type Socket: PollWritable;

    /// The time, on a clock that never goes backwards.
    fn now(&self) -> Instant;

    /// Sleeps until then on that clock, or a little longer.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send;

    /// The addresses that `host:port` stands for now.
    fn resolve(&self, name: &Address) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects, and applies the options to the socket.
    fn connect(
        &self,
        address: SocketAddr,
        options: SocketOptions,
    ) -> impl Future<Output = io::Result<(Self::Reader, Self::Socket)>> + Send;

    /// Runs a task, or drops it if that cannot be.
    fn spawn(&self, task: Task);

    /// See [`Adapter::block`].
    fn block(&self, engine: &Engine, wait: &mut dyn FnMut()) -> Result<(), WouldStall> {
        refuse_here(engine, wait)
    }
}

impl<R: Runtime> Adapter for R {
    fn now(&self) -> Instant {
        Runtime::now(self)
    }

    fn dial(&self, engine: Arc<Engine>, conn: ConnId, address: Address) {
        self.spawn(Box::pin(wire(self.clone(), engine, conn, address)));
    }

    fn keep_time(&self, engine: Arc<Engine>) {
        self.spawn(Box::pin(clock(self.clone(), engine)));
    }

    fn run(&self, task: Task) {
        self.spawn(task);
    }

    fn block(&self, engine: &Engine, wait: &mut dyn FnMut()) -> Result<(), WouldStall> {
        Runtime::block(self, engine, wait)
    }
}

/// A connected socket's read side.
pub trait PollRead: Send + Unpin {
    /// Appends what has come, up to the room there is. Zero: the peer has closed.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>>;
}

/// Dials `address` and carries `conn` until it is lost.
fn wire<R: Runtime>(
    runtime: R,
    engine: Arc<Engine>,
    conn: ConnId,
    address: Address,
) -> impl Future<Output = ()> + Send {
    let lease = Lease::new(engine, conn);
    async move { carry(&runtime, lease, &address).await }
}

async fn carry<R: Runtime>(runtime: &R, mut lease: Lease<R::Socket>, address: &Address) {
    let why = match dial(runtime, &lease, address).await {
        Ok((mut reader, socket, seal)) => match lease.connected(socket, seal.clone()) {
            Some(wire) => exchange(&lease, &mut reader, &wire, Intake::new(seal)).await,
            None => LostWhy::Closed,
        },
        Err(why) => why,
    };
    lease.end(why);
}

/// Connects, unless the machine gives up first.
async fn dial<R: Runtime>(
    runtime: &R,
    lease: &Lease<R::Socket>,
    address: &Address,
) -> Result<Connected<R>, LostWhy> {
    let mut connect = pin!(connect(runtime, lease.engine(), address));
    poll_fn(|cx| {
        lease.engine().driven_here();
        if !lease.engine().listen(lease.conn(), cx.waker()) {
            return Poll::Ready(Err(LostWhy::Closed));
        }
        connect.as_mut().poll(cx)
    })
    .await
}

type Connected<R> = (<R as Runtime>::Reader, <R as Runtime>::Socket, Option<Arc<Seal>>);

/// Tries every address of the name in turn. The name is resolved anew each time.
async fn connect<R: Runtime>(runtime: &R, engine: &Engine, name: &Address) -> Result<Connected<R>, LostWhy> {
    let unresolved = |why: &dyn fmt::Display| LostWhy::Unresolved(why.to_string().into());
    let addresses = runtime.resolve(name).await.map_err(|error| unresolved(&error))?;
    let mut why = unresolved(&"it has no address");
    for address in addresses {
        match runtime.connect(address, engine.sockets()).await {
            Ok((mut reader, socket)) => match engine.seal(name)? {
                None => return Ok((reader, socket, None)),
                Some(seal) => match shake_hands(&seal, &mut reader, &socket).await {
                    Ok(()) => return Ok((reader, socket, Some(Arc::new(seal)))),
                    Err(error) => why = error,
                },
            },
            Err(error) => why = lost_why(&error),
        }
    }
    Err(why)
}

async fn shake_hands(
    seal: &Seal,
    reader: &mut impl PollRead,
    socket: &impl PollWritable,
) -> Result<(), LostWhy> {
    let (mut came, mut to_write) = (BytesMut::new(), BytesMut::new());
    poll_fn(|cx| {
        loop {
            // If this fails there may be an alert to write, which says so to the server.
            let over = seal.shake_hands(&mut came, &mut to_write);
            while !to_write.is_empty() {
                match socket.try_write(&[IoSlice::new(&to_write)]) {
                    Ok(bytes) => to_write.advance(bytes),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(socket.poll_writable(cx)).map_err(|error| lost_why(&error))?;
                    }
                    Err(error) => return Poll::Ready(over.and(Err(lost_why(&error)))),
                }
            }
            if over? {
                return Poll::Ready(Ok(()));
            }
            came.reserve(HANDSHAKE_ROOM);
            if ready!(reader.poll_read(cx, &mut came)).map_err(|error| lost_why(&error))? == 0 {
                return Poll::Ready(Err(not_tls()));
            }
        }
    })
    .await
}

async fn exchange<S: PollWritable>(
    lease: &Lease<S>,
    reader: &mut impl PollRead,
    wire: &Wire<S>,
    mut intake: Intake,
) -> LostWhy {
    let engine = &**lease.engine();
    let (mut to_write, mut let_others) = (true, true);
    let mut known = Waker::noop().clone();
    poll_fn(|cx| {
        engine.driven_here();
        for read in 0.. {
            match reader.poll_read(cx, intake.room()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(LostWhy::Eof),
                Poll::Ready(Ok(_)) => match intake.arrived(engine, lease.conn()) {
                    Ok(ready) => to_write |= ready,
                    Err(why) => return Poll::Ready(why),
                },
                Poll::Ready(Err(error)) => return Poll::Ready(lost_why(&error)),
                Poll::Pending => break,
            }
            if read == READS {
                cx.waker().wake_by_ref();
                break;
            }
        }
        if !known.will_wake(cx.waker()) {
            known.clone_from(cx.waker());
            to_write = true; // which makes the new one known to who calls
        }
        to_write |= wire.was_called();
        if !to_write {
            return Poll::Pending;
        }
        // Whoever was woken by what was read, or called for this, is about to have more to write: it runs first, so
        // that one write takes it all.
        let_others = !let_others;
        if !let_others {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        to_write = false;
        wire.poll_flush(engine, cx)
    })
    .await
}

/// Keeps the engine's time until it needs no more.
fn clock<R: Runtime>(runtime: R, engine: Arc<Engine>) -> impl Future<Output = ()> + Send {
    let pulse = Pulse::new(engine);
    async move { tick(&runtime, pulse.engine()).await }
}

async fn tick(runtime: &impl Runtime, engine: &Engine) {
    let mut armed = Instant::NEVER;
    let mut sleep: Pin<Box<dyn Future<Output = ()> + Send + '_>> = Box::pin(std::future::pending());
    poll_fn(|cx| {
        loop {
            engine.driven_here();
            let Some(deadline) = engine.deadline(cx.waker()) else { return Poll::Ready(()) };
            // A sleep that ends too early only looks again; one that ends too late is replaced.
            if deadline < armed {
                armed = deadline;
                sleep = Box::pin(runtime.sleep_until(deadline));
            }
            ready!(sleep.as_mut().poll(cx));
            armed = Instant::NEVER;
            sleep = Box::pin(std::future::pending());
            engine.tick();
        }
    })
    .await;
}
