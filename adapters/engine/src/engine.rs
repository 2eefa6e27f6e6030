//! The shell around one client: the lock, the slots, and what every step is followed by.
//!
//! Laws:
//! - There is one way in, [`Engine::step`]: lock, compute, drain the machine to `Wait`, unlock; then write, wake,
//!   dial and trace. No I/O and no user code ever runs under the lock, and no waker is dropped there.
//! - Who finds nothing registers its waker under the lock it looked under.
//! - Every connection that was dialled ends in exactly one `Lost`.
//! - If the machine panics, or the runtime that carried it is gone, the client is dead: whatever waits is woken and
//!   told so, whatever comes later is told so at once. Nothing hangs.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ConnId, ConsumerId, Ticket};
use fusee_core::time::Instant;
use fusee_core::wire::Frame;
use fusee_core::{Client, Connection, Input, Lost, Note, Outcome, Outgoing};

use crate::adapter::{Adapter, Task, WouldStall};
use crate::after::After;
use crate::credentials::Credential;
use crate::guarded::{Dead, Guarded, Who};
use crate::operation::Operation;
use crate::options::SocketOptions;
use crate::settings::Settings;
use crate::slots::Look;
use crate::tls::Seal;
use crate::wire::{Outlet, Traffic};

/// One client and what it needs to run. Handles keep it open ([`Handle`]), operations and connections keep it alive.
pub struct Engine {
    core: Mutex<Guarded>,
    adapter: Box<dyn Adapter>,
    settings: Settings,
    me: Weak<Self>,
    /// The thread on which one of our tasks was polled last.
    driver: AtomicU64,
}

/// What a connection was given to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// All there was.
    All,
    /// As much as was asked for; there may be more.
    More,
    /// Nothing, and never again: the connection is not wanted any more.
    HangUp,
}

impl Engine {
    /// Sets a client going. It is closed, without waiting, when the last handle is dropped.
    pub fn start(client: Client, adapter: impl Adapter) -> Handle {
        Self::start_with(client, adapter, Settings::default())
    }

    /// The same, with settings.
    pub fn start_with(client: Client, adapter: impl Adapter, settings: Settings) -> Handle {
        let engine = Arc::new_cyclic(|me| Self {
            core: Mutex::new(Guarded::new(client)),
            adapter: Box::new(adapter),
            settings,
            me: me.clone(),
            driver: AtomicU64::new(0),
        });
        engine.adapter.keep_time(engine.clone());
        engine.advance(Who::Other, |_| ());
        Handle(Arc::new(Open(engine)))
    }

    // --- for handles

    /// The time on the client's clock.
    pub fn now(&self) -> Instant {
        self.adapter.now()
    }

    /// Takes one step of the machine. `act` runs under the client's lock: pure computation only.
    pub fn command<R>(&self, act: impl FnOnce(&mut Client, Instant) -> R) -> Result<R, Dead> {
        self.step(Who::Caller, &mut After::default(), |core| act(&mut core.client, core.now))
    }

    /// Starts an operation: `act` gives the machine a command with this ticket, which will end in one outcome.
    ///
    /// If the client is dead `act` is not called and the operation ends at once.
    pub fn operate(self: &Arc<Self>, act: impl FnOnce(&mut Client, Instant, Ticket)) -> Operation {
        let ticket = self.step(Who::Caller, &mut After::default(), |core| {
            let ticket = core.slots.reserve();
            act(&mut core.client, core.now, ticket);
            ticket
        });
        Operation::new(self.clone(), ticket)
    }

    /// Starts an operation that may be refused: `Err` gives the slot back and is handed through.
    pub fn try_operate<E>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Client, Instant, Ticket) -> Result<(), E>,
    ) -> Result<Result<Operation, E>, Dead> {
        let ticket = self.step(Who::Caller, &mut After::default(), |core| {
            let ticket = core.slots.reserve();
            act(&mut core.client, core.now, ticket)
                .map(|()| ticket)
                .inspect_err(|_| core.slots.cancel(ticket))
        })?;
        Ok(ticket.map(|ticket| Operation::new(self.clone(), Ok(ticket))))
    }

    /// Looks for something that a consumer has: if `take` finds nothing, `cx` is woken when the machine has news of
    /// the consumer. No ticket is involved, so dropping whoever polls loses nothing.
    pub fn poll_consumer<R>(
        &self,
        consumer: ConsumerId,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Client, Instant) -> Option<R>,
    ) -> Poll<Result<R, Dead>> {
        let mut old = None;
        let found = self.step(Who::Caller, &mut After::default(), |core| {
            let found = take(&mut core.client, core.now);
            if found.is_none() {
                old = core.consumers.insert(consumer, cx.waker().clone());
            }
            found
        });
        match found {
            Ok(Some(found)) => Poll::Ready(Ok(found)),
            Ok(None) => Poll::Pending,
            Err(dead) => Poll::Ready(Err(dead)),
        }
    }

    /// Polls `future` on this thread until it is ready or until `limit` on the clock of `std` has passed, which gives
    /// `None`. Refused where nothing could ever come if this thread waits.
    pub fn wait<F: Future + ?Sized>(
        &self,
        mut future: std::pin::Pin<&mut F>,
        limit: Option<std::time::Instant>,
    ) -> Result<Option<F::Output>, WouldStall> {
        // What is ready already needs no permission to wait.
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Ok(Some(output));
        }
        let mut output = None;
        self.adapter.block(self, &mut || output = crate::park::drive(future.as_mut(), limit))?;
        Ok(output)
    }

    /// Every connection as it is now, and what it carried. Also the time that their times are compared with.
    pub fn connections(&self) -> Result<(Instant, Vec<(Connection, Traffic)>), Dead> {
        let (now, seen) = self.step(Who::Caller, &mut After::default(), |core| {
            let seen = core.client.connections().map(|connection| {
                let wiring = connection.conn.and_then(|conn| core.wires.get(&conn));
                let received = wiring.map_or(0, |wiring| wiring.received);
                (connection, received, wiring.and_then(|wiring| wiring.outlet.clone()))
            });
            (core.now, seen.collect::<Vec<_>>())
        })?;
        let seen = seen.into_iter().map(|(connection, received, outlet)| {
            let written = outlet.map_or(0, |outlet| outlet.written());
            (connection, Traffic { received, written })
        });
        Ok((now, seen.collect()))
    }

    /// Runs a handler's task where this client's runtime runs such things.
    pub fn run(&self, task: Task) {
        self.adapter.run(task);
    }

    // --- for adapters

    /// The connection is up and `outlet` writes to it. False if nobody wants it any more: then drop it, `Lost` has
    /// been told.
    pub fn connected(&self, conn: ConnId, outlet: Arc<dyn Outlet>) -> bool {
        let mut wanted = false;
        self.advance(Who::Wire(conn), |core| {
            let Some(wiring) = core.wires.get_mut(&conn) else { return };
            wiring.outlet = Some(outlet);
            wanted = true;
            core.client.handle(core.now, Input::Connected(conn));
        });
        wanted
    }

    /// These frames came, in this order, and so many bytes. The list is left empty.
    /// True if something is ready on `conn` now, and left to the caller to write.
    pub(crate) fn received(
        &self,
        conn: ConnId,
        frames: &mut Vec<Frame>,
        bytes: u64,
        after: &mut After,
    ) -> bool {
        let told = self.step(Who::Wire(conn), after, |core| {
            if let Some(wiring) = core.wires.get_mut(&conn) {
                wiring.received += bytes;
            }
            for frame in frames.drain(..) {
                core.client.handle(core.now, Input::Received(conn, frame));
            }
        });
        // A dead client wants no frames; the connection learns when it looks for something to write.
        frames.clear();
        std::mem::take(&mut after.own_ready) || told.is_err()
    }

    /// The connection ended, or never came up; `started` of the requests taken had at least one byte written.
    /// Telling it again, or after a hang-up while dialling, does nothing.
    pub fn lost(&self, conn: ConnId, why: LostWhy, started: u64) {
        self.advance(Who::Other, |core| {
            if core.wires.remove(&conn).is_some() {
                core.client.handle(core.now, Input::Lost(conn, Lost { why, started }));
            }
        });
    }

    /// Time has passed.
    pub fn tick(&self) {
        self.advance(Who::Other, |core| core.client.handle(core.now, Input::Time));
    }

    /// When to call [`tick`](Self::tick) next; `waker` is woken when that moves earlier. `None`: never again.
    pub fn deadline(&self, waker: &Waker) -> Option<Instant> {
        let mut core = self.lock();
        if core.is_over() {
            return None;
        }
        let old = match &core.clock {
            Some(clock) if clock.will_wake(waker) => None,
            Some(_) | None => core.clock.replace(waker.clone()),
        };
        let deadline = core.deadline;
        drop(core);
        drop(old);
        Some(deadline)
    }

    /// Nobody keeps the time any more: unless that is because nobody needs it, everything ends now.
    pub fn runtime_gone(&self) {
        let mut after = After::default();
        let needed = self.step(Who::Other, &mut after, |core| {
            let needed = !core.is_over();
            if needed {
                core.client.abandon(core.now);
            }
            needed
        });
        if needed == Ok(true) {
            self.lock().die(Dead::RuntimeGone, &mut after);
            after.perform(self);
        }
    }

    /// A new session with that server, if connections are to be secured.
    ///
    /// # Errors
    /// [`LostWhy::Tls`] when there is no name to verify.
    pub fn seal(&self, address: &Address) -> Result<Option<Seal>, LostWhy> {
        self.settings.tls.as_ref().map(|tls| Seal::new(tls, address)).transpose()
    }

    /// What the operating system is told of a new connection.
    pub fn sockets(&self) -> SocketOptions {
        self.settings.sockets
    }

    /// Who signs a request that is written now.
    pub(crate) fn credential(&self) -> Option<Credential> {
        self.settings.credentials.as_ref().map(|credentials| credentials.current())
    }

    /// Hands a note to who watches. The lock must not be held.
    pub(crate) fn show(&self, note: &Note) {
        if let Some(watcher) = &self.settings.watcher {
            watcher(note);
        }
    }

    /// Tells the engine that one of its tasks runs on this thread now.
    pub(crate) fn driven_here(&self) {
        self.driver.store(thread_number(), Ordering::Relaxed);
    }

    /// Whether this is the thread on which one of this engine's tasks ran last.
    pub fn was_driven_here(&self) -> bool {
        self.driver.load(Ordering::Relaxed) == thread_number()
    }

    pub(crate) fn dial(&self, conn: ConnId, address: Address) {
        // Steps are taken by who holds the engine, so it is alive.
        if let Some(me) = self.me.upgrade() {
            let address = self.settings.addresses.get(&address).cloned().unwrap_or(address);
            self.adapter.dial(me, conn, address);
        }
    }

    /// Moves what is ready on `conn`, about `budget` bytes of it, into `into`, and lets `waker` be woken when
    /// something becomes ready later.
    pub(crate) fn outgoing(
        &self,
        conn: ConnId,
        budget: usize,
        into: &mut VecDeque<Outgoing>,
        waker: Option<&Waker>,
    ) -> Supply {
        let mut core = self.lock();
        if core.dead.is_some() {
            return Supply::HangUp;
        }
        let Guarded { client, wires, .. } = &mut *core;
        let Some(wiring) = wires.get_mut(&conn).filter(|wiring| !wiring.hang_up) else {
            return Supply::HangUp;
        };
        let old = waker.and_then(|waker| wiring.listen(waker));
        client.take(conn, budget, into);
        let taken = into.len();
        // Asked with a budget of nearly nothing, the machine gives one more if it has one more.
        if taken > 0 {
            client.take(conn, 1, into);
        }
        let supply = if into.len() > taken { Supply::More } else { Supply::All };
        drop(core);
        drop(old);
        supply
    }

    /// Lets `waker` be woken when there is something to do on `conn`. False: hang up.
    pub(crate) fn listen(&self, conn: ConnId, waker: &Waker) -> bool {
        let mut core = self.lock();
        let alive = core.dead.is_none();
        let (stay, old) = match core.wires.get_mut(&conn) {
            Some(wiring) => (alive && !wiring.hang_up, wiring.listen(waker)),
            None => (false, None),
        };
        drop(core);
        drop(old);
        stay
    }

    /// Wakes the task of a connection.
    pub(crate) fn rouse(&self, conn: ConnId) {
        let waker = self.lock().wires.get_mut(&conn).and_then(|wiring| wiring.waker.take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    // --- for operations

    pub(crate) fn look(&self, ticket: Ticket, waker: &Waker) -> Poll<Result<Outcome, Dead>> {
        let mut core = self.lock();
        let dead = core.dead;
        let look = core.slots.look(ticket, waker);
        drop(core);
        match look {
            Look::Done(outcome) => Poll::Ready(Ok(outcome)),
            Look::Waiting(old) => {
                drop(old);
                dead.map_or(Poll::Pending, |dead| Poll::Ready(Err(dead)))
            }
        }
    }

    pub(crate) fn forget(&self, ticket: Ticket) {
        let dropped = self.lock().slots.abandon(ticket);
        drop(dropped);
    }

    // --- the one way in

    /// A step whose failure nobody has to be told: a dead client has told everybody.
    fn advance(&self, who: Who, act: impl FnOnce(&mut Guarded)) {
        self.step(who, &mut After::default(), act).unwrap_or_default();
    }

    fn step<R>(&self, who: Who, after: &mut After, act: impl FnOnce(&mut Guarded) -> R) -> Result<R, Dead> {
        // Read before the lock is waited for, so that the clock call is not made inside.
        let now = self.adapter.now();
        let mut core = self.lock();
        if let Some(dead) = core.dead {
            return Err(dead);
        }
        core.now = core.now.max(now);
        // The state is never looked at again if the step unwinds, except to tell who waits that it is over.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = act(&mut core);
            core.drain(who, after);
            result
        }))
        .map_err(|panic| {
            after.panicked(panic);
            core.die(Dead::Panicked, after);
            Dead::Panicked
        });
        drop(core);
        after.perform(self);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        // Steps catch their panics, so poison says nothing that `dead` does not say.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("adapter", &self.adapter).finish_non_exhaustive()
    }
}

/// Keeps a client open. When the last clone is dropped the client is closed without waiting: what is pending ends in
/// an error, connections are hung up.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Open>);

#[derive(Debug)]
struct Open(Arc<Engine>);

impl Deref for Handle {
    type Target = Arc<Engine>;

    fn deref(&self) -> &Arc<Engine> {
        &self.0.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.advance(Who::Other, |core| {
            core.client.abandon(core.now);
            core.left = true;
            // The clock ends when it next looks.
            core.deadline = Instant::NEVER;
        });
        let clock = self.0.lock().clock.take();
        if let Some(clock) = clock {
            clock.wake();
        }
    }
}

/// A number for this thread that no other has.
fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // A thread whose locals are gone is ending and drives nothing.
    NUMBER.try_with(|number| *number).unwrap_or(u64::MAX)
}
