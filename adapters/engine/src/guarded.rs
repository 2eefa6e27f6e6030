//! What the client's lock guards: the machine, the slots of running operations, and whom to wake for what.
//!
//! Laws: pure computation only; what a step leads to is collected in an [`After`] and done when the lock is released;
//! a waker is neither woken nor dropped here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use fusee_core::error::LostWhy;
use fusee_core::ids::{ConnId, ConsumerId};
use fusee_core::time::Instant;
use fusee_core::{Client, Input, Lost, Outcome, Output};

use crate::after::After;
use crate::slots::Slots;
use crate::wire::Outlet;

/// Why a client can do nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dead {
    /// A bug in this crate: the panic's message was printed when it happened.
    #[error(
        "the client's state machine panicked; this is a bug in fusee, and this client is of no use any more"
    )]
    Panicked,
    /// The runtime that carried the client's connections was shut down under it.
    #[error("the runtime that carried the client's connections is gone")]
    RuntimeGone,
}

pub(crate) struct Guarded {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) slots: Slots<Outcome>,
    pub(crate) wires: BTreeMap<ConnId, Wiring>,
    pub(crate) consumers: BTreeMap<ConsumerId, Waker>,
    pub(crate) deadline: Instant,
    pub(crate) clock: Option<Waker>,
    /// No handle is left.
    pub(crate) left: bool,
    pub(crate) dead: Option<Dead>,
}

/// What the engine knows of a connection.
#[derive(Default)]
pub(crate) struct Wiring {
    /// Where a caller may write; set once the connection is up.
    pub(crate) outlet: Option<Arc<dyn Outlet>>,
    /// Its task, asleep.
    pub(crate) waker: Option<Waker>,
    pub(crate) hang_up: bool,
    /// Bytes that came, as far as whole frames came of them.
    pub(crate) received: u64,
}

/// Who takes a step, and will therefore look after what it makes ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The application, on a thread of its own.
    Caller,
    /// The task of this connection, which writes before it sleeps.
    Wire(ConnId),
    /// The clock, or somebody who will not write.
    Other,
}

impl Guarded {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            now: Instant::ZERO,
            slots: Slots::default(),
            wires: BTreeMap::new(),
            consumers: BTreeMap::new(),
            deadline: Instant::NEVER,
            clock: None,
            left: false,
            dead: None,
        }
    }

    /// Does what the machine wants, until it wants nothing but time.
    pub(crate) fn drain(&mut self, who: Who, after: &mut After) {
        loop {
            match self.client.poll() {
                Output::Dial(conn, address) => {
                    self.wires.insert(conn, Wiring::default());
                    after.dial(conn, address);
                }
                Output::Hangup(conn) => self.hang_up(conn, after),
                Output::Ready(conn) => self.ready(conn, who, after),
                Output::Done(ticket, outcome) => after.wake(self.slots.complete(ticket, outcome)),
                Output::Deliver(consumer) => after.wake(self.consumers.remove(&consumer)),
                Output::Note(note) => after.note(note),
                Output::Wait(at) => {
                    if at < self.deadline || self.client.is_closed() {
                        after.wake(self.clock.take());
                    }
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    fn ready(&mut self, conn: ConnId, who: Who, after: &mut After) {
        let Some(wiring) = self.wires.get_mut(&conn) else { return };
        match &wiring.outlet {
            _ if who == Who::Wire(conn) => after.own_ready = true,
            Some(outlet) if who == Who::Caller && self.client.lone(conn) => after.write(outlet.clone()),
            Some(_) | None => after.wake(wiring.call()),
        }
    }

    fn hang_up(&mut self, conn: ConnId, after: &mut After) {
        let Some(wiring) = self.wires.get_mut(&conn) else { return };
        after.wake(wiring.call());
        wiring.hang_up = true;
        if wiring.outlet.is_none() {
            // It is being dialled. Nothing can have been written, and who dials may be stuck in a name look-up.
            self.wires.remove(&conn);
            let lost = Lost { why: LostWhy::Closed, started: 0 };
            self.client.handle(self.now, Input::Lost(conn, lost));
        }
    }

    /// Nobody needs the time any more.
    pub(crate) fn is_over(&self) -> bool {
        self.left || self.dead.is_some() || self.client.is_closed()
    }

    /// Tells everybody who waits that it is over.
    pub(crate) fn die(&mut self, dead: Dead, after: &mut After) {
        self.dead = Some(dead);
        for waker in self.slots.wakers() {
            after.wake(Some(waker));
        }
        for (_, waker) in std::mem::take(&mut self.consumers) {
            after.wake(Some(waker));
        }
        // Connections learn it when they look; what the engine holds of their sockets goes now.
        for (_, mut wiring) in std::mem::take(&mut self.wires) {
            after.wake(wiring.call());
            after.release(wiring.outlet);
        }
        after.wake(self.clock.take());
    }
}

impl Wiring {
    /// Lets the task look for work; it has to be woken outside the lock.
    fn call(&mut self) -> Option<Waker> {
        if let Some(outlet) = &self.outlet {
            outlet.call();
        }
        self.waker.take()
    }

    /// Remembers whom to wake; gives back whom it replaces, to be dropped outside the lock.
    pub(crate) fn listen(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.waker {
            Some(old) if old.will_wake(waker) => None,
            Some(_) | None => self.waker.replace(waker.clone()),
        }
    }
}
