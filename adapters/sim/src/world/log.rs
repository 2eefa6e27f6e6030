//! The record of a run: the last entries to read, and one number that stands for all of them.

use std::collections::VecDeque;
use std::fmt;

/// What happened, with up to three numbers whose meaning goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Client a sends key b under ticket c.
    Invoke,
    /// Client a hears that key b is stored at offset c.
    Stored,
    /// Client a hears that key b is not stored.
    NotStored,
    /// Client a hears that nobody knows about key b.
    Unknown,
    /// Client a's key b is given back unsent.
    Rejected,
    /// Server a stored key b at offset c.
    Append,
    /// Server a answered b to opaque c.
    Answered,
    /// Client a dials server b as link c.
    Dial,
    /// Client a's link b is up.
    Up,
    /// Client a's link b is lost for reason c.
    Lost,
    /// Client a hangs up link b.
    Hangup,
    /// Client a took c messages from offset b.
    Took,
    /// Server a stored offset b for queue c.
    Commit,
    /// Fault a begins.
    Fault,
    /// Fault a ends.
    Healed,
    /// Server a dies.
    Died,
    /// Server a lives.
    Lives,
    /// Client a starts its life b.
    Starts,
    /// Client a is told to close, or has closed (b is 1).
    Close,
    /// Link a carries a request of code b with opaque c.
    Asks,
    /// Link a brings a frame of code b with opaque c.
    Hears,
    /// All faults are over.
    Heal,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    what: What,
    numbers: [u64; 3],
}

/// The log.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    last: VecDeque<Entry>,
    hash: u64,
}

const KEPT: usize = 2_000;

impl Log {
    /// Adds an entry.
    pub(super) fn add(&mut self, at: u64, what: What, a: usize, b: u64, c: u64) {
        let a = u64::try_from(a).unwrap_or(u64::MAX);
        for word in [at, what as u64, a, b, c] {
            self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(Entry { at, what, numbers: [a, b, c] });
    }

    /// A number that two equal runs share.
    #[must_use]
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The last so many entries, readable.
    #[must_use]
    pub(super) fn tail(&self, count: usize) -> String {
        let skip = self.last.len().saturating_sub(count);
        self.last.iter().skip(skip).map(|entry| format!("  {entry}\n")).collect()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.numbers;
        write!(f, "{:>4}.{:06} {:?} {a} {b} {c}", self.at / 1_000_000, self.at % 1_000_000, self.what)
    }
}
