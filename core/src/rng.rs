//! Randomness, from one seed that the driver gives: jitter, start positions of round robins, ids.
//!
//! Law: two clients with equal seeds and equal inputs make equal choices. Not for secrets.

use core::time::Duration;

/// A small permuted congruential generator (PCG-XSH-RR 64/32).
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;

impl Rng {
    /// A generator whose every draw follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let state = seed.wrapping_add(INCREMENT).wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        Self { state }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let [_, _, _, _, a, b, c, d] = (((old >> 18) ^ old) >> 27).to_be_bytes();
        let rotation = u32::from((old >> 59).to_be_bytes()[7]);
        u32::from_be_bytes([a, b, c, d]).rotate_right(rotation)
    }

    /// A draw from `0..bound`; zero when `bound` is zero. The bias, below 2^-32 times the bound, is accepted.
    pub fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.next_u32()) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// Full jitter: a uniformly drawn part of `most`, at least one microsecond so that time always passes.
    pub fn jitter(&mut self, most: Duration) -> Duration {
        let micros = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.below(micros)) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_numbers_and_bounds_hold() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        for bound in 1..2000 {
            let draw = a.below(bound);
            assert_eq!(draw, b.below(bound));
            assert!(draw < bound);
        }
        assert_eq!(a.below(0), 0);
    }
}
