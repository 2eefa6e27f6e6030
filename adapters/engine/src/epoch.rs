//! The clock that adapters show their machines, made from the one of `std`.

use std::time::Duration;

use fusee_core::time::Instant;

/// When a client's clock started; it tells the time since then.
#[derive(Clone, Copy, Debug)]
pub struct Epoch(std::time::Instant);

impl Epoch {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time on this clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        // Half a million years of microseconds.
        Instant::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// That time on the clock of `std`, `None` if it will never come.
    #[must_use]
    pub fn to_std(&self, at: Instant) -> Option<std::time::Instant> {
        self.0.checked_add(Duration::from_micros(at.micros()))
    }
}
