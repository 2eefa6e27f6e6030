//! Who may write to a connection: at most one thread at a time, and nobody ever waits for it.
//!
//! Laws:
//! - Between entering and leaving, nobody else is inside.
//! - Whoever finds the gate taken and marks it may go away: the one inside learns of the mark when it leaves, and
//!   then looks again, or has the connection's task look again. No mark is ever lost.
//!
//! One atomic word carries both facts, so the laws follow from the order of its changes alone; `tests/gate.rs`
//! lets loom try all of them.

use crate::atomic::{AtomicU8, Ordering};

const FREE: u8 = 0;
const TAKEN: u8 = 1;
const MARKED: u8 = 2;

/// A lock that is tried, never waited for, and remembers that somebody tried.
#[derive(Debug)]
pub(crate) struct Gate(AtomicU8);

impl Default for Gate {
    fn default() -> Self {
        Self(AtomicU8::new(FREE))
    }
}

impl Gate {
    /// Enters if nobody is inside.
    #[must_use]
    pub(crate) fn try_enter(&self) -> bool {
        self.0.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Enters if nobody is inside, otherwise leaves a mark for who is.
    #[must_use]
    pub(crate) fn enter_or_mark(&self) -> bool {
        // The successful exchange to MARKED releases what the caller did before, so that the one inside sees it.
        let mut seen = FREE;
        loop {
            let next = if seen == FREE { TAKEN } else { MARKED };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return next == TAKEN,
                Err(now) => seen = now,
            }
        }
    }

    /// Leaves. True if somebody left a mark meanwhile: what it came for has still to be done.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        self.0.swap(FREE, Ordering::AcqRel) == MARKED
    }
}
