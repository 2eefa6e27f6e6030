//! What a step of the machine asks for, collected under the lock and done after it is released.

use std::any::Any;
use std::sync::Arc;
use std::task::Waker;

use fusee_core::Note;
use fusee_core::ids::{Address, ConnId};

use crate::engine::Engine;
use crate::notes;
use crate::wire::Outlet;

/// Effects of one step. Kept and used again by who steps often.
#[derive(Default)]
pub(crate) struct After {
    /// The usual step wakes nobody or one.
    waker: Option<Waker>,
    wakers: Vec<Waker>,
    /// The caller's own connections to write to.
    writes: Option<Arc<dyn Outlet>>,
    more_writes: Vec<Arc<dyn Outlet>>,
    dials: Vec<(ConnId, Address)>,
    notes: Vec<Note>,
    /// Something is ready on the connection whose task takes the step.
    pub(crate) own_ready: bool,
    /// Sockets that nobody writes to any more; dropping one may close it.
    released: Vec<Arc<dyn Outlet>>,
    /// What a panic left behind; dropping it may run anything.
    panic: Option<Box<dyn Any + Send>>,
}

impl After {
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        if self.waker.is_none() {
            self.waker = Some(waker);
        } else {
            self.wakers.push(waker);
        }
    }

    pub(crate) fn write(&mut self, outlet: Arc<dyn Outlet>) {
        if self.writes.is_none() {
            self.writes = Some(outlet);
        } else {
            self.more_writes.push(outlet);
        }
    }

    pub(crate) fn release(&mut self, outlet: Option<Arc<dyn Outlet>>) {
        self.released.extend(outlet);
    }

    pub(crate) fn dial(&mut self, conn: ConnId, address: Address) {
        self.dials.push((conn, address));
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(crate) fn panicked(&mut self, panic: Box<dyn Any + Send>) {
        self.panic = Some(panic);
    }

    /// Does it all; nothing is left. The lock must not be held.
    pub(crate) fn perform(&mut self, engine: &Engine) {
        for outlet in self.writes.take().into_iter().chain(self.more_writes.drain(..)) {
            outlet.write_now(engine);
        }
        for waker in self.waker.take().into_iter().chain(self.wakers.drain(..)) {
            waker.wake();
        }
        for (conn, address) in self.dials.drain(..) {
            engine.dial(conn, address);
        }
        for note in self.notes.drain(..) {
            notes::trace(&note);
            engine.show(&note);
        }
        self.released.clear();
        self.panic = None;
    }
}
