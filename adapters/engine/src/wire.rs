//! One connection's write side: what was taken from the machine, the buffer, and the socket's non-blocking write.
//!
//! Laws:
//! - One thread at a time is inside, and nobody waits to get in (see [`Gate`]).
//! - Whoever leaves with something unwritten has seen to it that the connection's task looks again.
//! - The client's lock is taken inside the gate, never the other way round.
//!
//! A caller whose request finds nothing in flight on its connection comes here on its own thread, so a lone request
//! costs no hand-over. As soon as something is in flight the task writes, many frames in one system call.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use fusee_core::error::LostWhy;
use fusee_core::ids::ConnId;
use fusee_core::{Outgoing, What};

use crate::engine::{Engine, Supply};
use crate::gate::Gate;
use crate::lost::lost_why;
use crate::outbox::Outbox;
use crate::tls::Seal;

/// What a connection's task takes at once: enough for many small frames a system call, little enough that what
/// waits longer can still be withdrawn.
const TASK_BUDGET: usize = 64 * 1024;

/// What a caller writes for others beside its own request.
const CALLER_BUDGET: usize = 16 * 1024;

/// A connected socket's write side. Any thread may try.
pub trait Socket: Send + Sync + 'static {
    /// Writes what fits now, without waiting: `WouldBlock` if nothing does.
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// A socket whose fullness can be waited for by a task.
pub trait PollWritable: Socket {
    /// Ready when a write is worth another try; called after one would have blocked.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Where a caller may write what it made ready.
pub trait Outlet: Send + Sync {
    /// Writes what can be written now, or leaves it to whoever is writing already.
    fn write_now(&self, engine: &Engine);

    /// Says that there is something to write, or to learn, before the connection's task is woken for it.
    fn call(&self);

    /// Bytes given to the socket so far.
    fn written(&self) -> u64;
}

/// What a connection carried: bytes of its socket, TLS included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that came.
    pub received: u64,
    /// Bytes that were written.
    pub written: u64,
}

/// The write side of one connection.
#[derive(Debug)]
pub struct Wire<S> {
    conn: ConnId,
    socket: S,
    seal: Option<Arc<Seal>>,
    gate: Gate,
    /// The task has to look for something to write. Otherwise a poll that only reads need not ask for the lock.
    called: AtomicBool,
    /// A copy of what the inside counts, for who only looks.
    written: AtomicU64,
    /// Locked by who is inside the gate, and to end the connection; so hardly ever waited for.
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// Frames, in the plain.
    outbox: Outbox,
    /// Records, if the connection is secured: then only these reach the socket.
    sealed: Outbox,
    taken: VecDeque<Outgoing>,
    /// A caller's write failed.
    failed: Option<LostWhy>,
    ended: bool,
}

/// Where a round of writing ended.
enum Flushed {
    /// Everything that was ready is written.
    Idle,
    /// What was taken is written; there may be more.
    More,
    /// The socket takes no more now.
    Full,
    /// The connection has to end.
    End(LostWhy),
}

impl<S: Socket> Wire<S> {
    /// The write side of `conn`, on this socket, secured by this session if there is one.
    pub fn new(conn: ConnId, socket: S, seal: Option<Arc<Seal>>) -> Self {
        Self {
            conn,
            socket,
            seal,
            gate: Gate::default(),
            called: AtomicBool::new(true),
            written: AtomicU64::new(0),
            inside: Mutex::default(),
        }
    }

    /// The socket.
    pub const fn socket(&self) -> &S {
        &self.socket
    }

    /// Whether the task was called since it asked last.
    pub(crate) fn was_called(&self) -> bool {
        // Only a hint: who calls also wakes, and a wake orders everything before it.
        self.called.load(Ordering::Relaxed) && self.called.swap(false, Ordering::Acquire)
    }

    /// For the connection's task: writes until nothing is left or the socket is full, and sees to it that the task is
    /// woken when that changes. Ready when the connection has to end.
    pub(crate) fn poll_flush(&self, engine: &Engine, cx: &mut Context<'_>) -> Poll<LostWhy>
    where
        S: PollWritable,
    {
        self.flush_as_task(engine, cx, |cx, _| self.socket.poll_writable(cx))
    }

    /// For a thread of its own that writes: the same, with a `write` that waits for room in the socket. The thread
    /// sleeps afterwards until `waker` is woken.
    pub fn flush_blocking(
        &self,
        engine: &Engine,
        waker: &Waker,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Result<(), LostWhy> {
        let mut cx = Context::from_waker(waker);
        match self.flush_as_task(engine, &mut cx, |_, outbox| Poll::Ready(outbox.write_to(&mut write))) {
            Poll::Ready(why) => Err(why),
            Poll::Pending => Ok(()),
        }
    }

    /// `make_room` is called when the socket is full, and says when it is not any more.
    fn flush_as_task(
        &self,
        engine: &Engine,
        cx: &mut Context<'_>,
        mut make_room: impl FnMut(&mut Context<'_>, &mut Outbox) -> Poll<io::Result<()>>,
    ) -> Poll<LostWhy> {
        if !self.gate.try_enter() {
            // Whoever is inside wakes us when it leaves and finds the mark: so listen first, then mark.
            engine.listen(self.conn, cx.waker());
            if !self.gate.enter_or_mark() {
                return Poll::Pending;
            }
        }
        loop {
            let ended = self.flush_inside(engine, cx, &mut make_room);
            if !self.gate.leave() || ended.is_ready() || !self.gate.enter_or_mark() {
                return ended;
            }
        }
    }

    fn flush_inside(
        &self,
        engine: &Engine,
        cx: &mut Context<'_>,
        make_room: &mut impl FnMut(&mut Context<'_>, &mut Outbox) -> Poll<io::Result<()>>,
    ) -> Poll<LostWhy> {
        let mut inside = self.inside();
        loop {
            match inside.round(self, engine, TASK_BUDGET, Some(cx.waker())) {
                Flushed::Idle => return Poll::Pending,
                Flushed::More => {}
                Flushed::End(why) => return Poll::Ready(why),
                Flushed::Full => match make_room(cx, inside.last_stage(self.seal.is_some())) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(lost_why(&error)),
                    Poll::Pending if engine.listen(self.conn, cx.waker()) => {
                        // When there is room the socket wakes the task, and knows nothing of calls.
                        self.call();
                        return Poll::Pending;
                    }
                    Poll::Pending => return Poll::Ready(LostWhy::Closed),
                },
            }
        }
    }

    /// Nothing is written any more from here on. How many of the requests taken had at least one byte written.
    ///
    /// Waits for who is inside, which is over soon: the socket has to be shut down before, if somebody may be stuck
    /// in a write to it.
    pub fn end(&self) -> u64 {
        let mut inside = self.inside();
        inside.ended = true;
        inside.last_stage(self.seal.is_some()).started()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // After a panic in here the connection's task ends, and the count of what was started is still right.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Socket> Outlet for Wire<S> {
    fn write_now(&self, engine: &Engine) {
        if !self.gate.enter_or_mark() {
            return;
        }
        let mut inside = self.inside();
        let left = match inside.round(self, engine, CALLER_BUDGET, None) {
            Flushed::Idle => false,
            Flushed::More | Flushed::Full => true,
            Flushed::End(why) => {
                // The connection's task will find it, and tell the machine.
                inside.failed = Some(why);
                true
            }
        };
        drop(inside);
        if self.gate.leave() || left {
            self.call();
            engine.rouse(self.conn);
        }
    }

    fn call(&self) {
        self.called.store(true, Ordering::Release);
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Inside {
    /// Writes what was left, takes, and writes that. `waker` is woken when something becomes ready after the taking.
    fn round<S: Socket>(
        &mut self,
        wire: &Wire<S>,
        engine: &Engine,
        budget: usize,
        waker: Option<&Waker>,
    ) -> Flushed {
        if self.ended {
            return Flushed::End(LostWhy::Closed);
        }
        if let Some(why) = self.failed.take() {
            return Flushed::End(why);
        }
        if let Err(error) = self.write(wire) {
            return Flushed::because(&error);
        }
        let supply = engine.outgoing(wire.conn, budget, &mut self.taken, waker);
        self.encode(engine);
        if let Some(seal) = &wire.seal
            && let Err(why) = seal.seal(&mut self.outbox, &mut self.sealed)
        {
            return Flushed::End(why);
        }
        if let Err(error) = self.write(wire) {
            return Flushed::because(&error);
        }
        match supply {
            Supply::All => Flushed::Idle,
            Supply::More => Flushed::More,
            Supply::HangUp => {
                if let Some(seal) = &wire.seal {
                    seal.say_goodbye(&mut self.sealed);
                    // A courtesy: who cannot be told learns of the end from the socket.
                    self.write(wire).unwrap_or_default();
                }
                Flushed::End(LostWhy::Closed)
            }
        }
    }

    fn write<S: Socket>(&mut self, wire: &Wire<S>) -> io::Result<()> {
        let outbox = self.last_stage(wire.seal.is_some());
        let mut outcome = Ok(());
        while outcome.is_ok() && !outbox.is_empty() {
            outcome = outbox.write_to(|pieces| wire.socket.try_write(pieces));
        }
        wire.written.store(outbox.written(), Ordering::Relaxed);
        outcome
    }

    const fn last_stage(&mut self, is_secured: bool) -> &mut Outbox {
        if is_secured { &mut self.sealed } else { &mut self.outbox }
    }

    fn encode(&mut self, engine: &Engine) {
        for Outgoing { opaque, dialect, what } in self.taken.drain(..) {
            let encoded = match what {
                What::Call(request) => self.outbox.frame(true, |out| match engine.credential() {
                    Some(credential) => credential.encode_head(&request, dialect, opaque, out),
                    None => request.encode_head(dialect, opaque, false, out).map(|encoded| encoded.body),
                }),
                What::Answer(answer) => {
                    self.outbox.frame(false, |out| answer.encode(dialect, opaque, out).map(|_| Bytes::new()))
                }
            };
            if let Err(error) = encoded {
                // Sizes are checked where messages are made. What slips through ends at its deadline, alone.
                tracing::error!(opaque, %error, "a request cannot be encoded and is not sent");
            }
        }
    }
}

impl Flushed {
    fn because(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::WouldBlock { Self::Full } else { Self::End(lost_why(error)) }
    }
}
