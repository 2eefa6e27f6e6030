//! One connection as its task or threads hold it: the promise that its end is told, and its read side. And the same
//! promise for the clock.
//!
//! Law: from the moment a [`Lease`] exists the engine learns, once, how the connection ended: also when the task is
//! dropped before it ran, panics, or its runtime goes away.

use std::sync::Arc;

use bytes::BytesMut;
use fusee_core::error::LostWhy;
use fusee_core::ids::ConnId;
use fusee_core::wire::{Frame, Framer};

use crate::after::After;
use crate::engine::Engine;
use crate::tls::Seal;
use crate::wire::{Socket, Wire};

/// The duty to carry one connection. Make it before anything that may fail, such as starting a thread.
#[derive(Debug)]
pub struct Lease<S: Socket> {
    engine: Arc<Engine>,
    conn: ConnId,
    wire: Option<Arc<Wire<S>>>,
    why: LostWhy,
}

impl<S: Socket> Lease<S> {
    /// Takes over the duty for `conn`.
    pub const fn new(engine: Arc<Engine>, conn: ConnId) -> Self {
        Self { engine, conn, wire: None, why: LostWhy::RuntimeGone }
    }

    /// What to tell if this is dropped without having been told how it ended, instead of [`LostWhy::RuntimeGone`].
    #[must_use]
    pub fn otherwise(mut self, why: LostWhy) -> Self {
        self.why = why;
        self
    }

    /// The connection is up, and secured if it has to be. `None` if nobody wants it any more.
    pub fn connected(&mut self, socket: S, seal: Option<Arc<Seal>>) -> Option<Arc<Wire<S>>> {
        let wire = Arc::new(Wire::new(self.conn, socket, seal));
        // Told before the machine knows of it, so that whatever is written from now on is counted.
        self.wire = Some(wire.clone());
        self.engine.connected(self.conn, wire.clone()).then_some(wire)
    }

    /// The engine that wants the connection.
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Which connection this is.
    pub const fn conn(&self) -> ConnId {
        self.conn
    }

    /// The duty is done: it ended for this reason.
    pub fn end(mut self, why: LostWhy) {
        self.why = why;
    }
}

impl<S: Socket> Drop for Lease<S> {
    fn drop(&mut self) {
        let started = self.wire.as_ref().map_or(0, |wire| wire.end());
        let why = std::mem::replace(&mut self.why, LostWhy::Closed);
        self.engine.lost(self.conn, why, started);
    }
}

/// The duty to keep an engine's time: when it is dropped while it is needed, everything ends.
#[derive(Debug)]
pub struct Pulse(Arc<Engine>);

impl Pulse {
    /// Takes over the duty.
    #[must_use]
    pub const fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }

    /// The engine whose time is kept.
    #[must_use]
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.0
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.runtime_gone();
    }
}

/// Room made when a read buffer is used up. Frames keep their slices of it, so it is made rarely, and not tightly.
const ROOM: usize = 64 * 1024;

/// Room below which a read is not worth a system call.
const ROOM_MIN: usize = 8 * 1024;

/// The read side of one connection: one read, many frames, one lock.
#[derive(Default)]
pub struct Intake {
    seal: Option<Arc<Seal>>,
    /// What came and has to be opened first, if there is a seal.
    sealed: BytesMut,
    framer: Framer,
    frames: Vec<Frame>,
    /// Bytes of which no whole frame has come yet: those that lie there, and those nobody was told of.
    left: usize,
    untold: u64,
    after: After,
}

impl Intake {
    /// The read side of a connection that is secured by this session, or by none.
    #[must_use]
    pub fn new(seal: Option<Arc<Seal>>) -> Self {
        Self { seal, ..Self::default() }
    }

    /// Where to append what is read next.
    pub fn room(&mut self) -> &mut BytesMut {
        if self.seal.is_some() {
            self.sealed.reserve(ROOM);
            return &mut self.sealed;
        }
        let buffer = self.framer.spare(0);
        let used_up = buffer.capacity() - buffer.len() < ROOM_MIN;
        self.framer.spare(if used_up { ROOM } else { 0 })
    }

    /// Something was appended: hands whole frames to the machine. True if that made something ready on the same
    /// connection, which the caller then has to write.
    pub fn arrived(&mut self, engine: &Engine, conn: ConnId) -> Result<bool, LostWhy> {
        let mut ready = false;
        let came = match &self.seal {
            Some(_) => self.sealed.len(),
            None => self.framer.spare(0).len() - self.left,
        };
        self.untold += came as u64;
        if let Some(seal) = &self.seal {
            let sealed = self.sealed.len();
            ready |= seal.open(&mut self.sealed, self.framer.spare(sealed))?;
        }
        let cut = loop {
            match self.framer.next_frame() {
                Ok(Some(frame)) => self.frames.push(frame),
                Ok(None) => break Ok(()),
                // What came before the nonsense is still good.
                Err(error) => break Err(LostWhy::Protocol(error)),
            }
        };
        self.left = self.framer.spare(0).len();
        if !self.frames.is_empty() {
            let bytes = std::mem::take(&mut self.untold);
            ready |= engine.received(conn, &mut self.frames, bytes, &mut self.after);
        }
        cut.map(|()| ready)
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("framer", &self.framer).finish_non_exhaustive()
    }
}
