//! Which faults are on, and what they do to a path between a client and a server.

use super::plan::{Fault, Kind};
use crate::random::Random;

/// The faults that are on.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    on: Vec<(usize, Fault)>,
    /// How often each kind had an effect.
    pub(super) fired: std::collections::BTreeMap<Kind, u64>,
}

impl Faults {
    pub(super) fn begin(&mut self, index: usize, fault: Fault) {
        self.on.push((index, fault));
    }

    pub(super) fn end(&mut self, index: usize) {
        self.on.retain(|(on, _)| *on != index);
    }

    pub(super) fn fire(&mut self, kind: Kind) {
        *self.fired.entry(kind).or_default() += 1;
    }

    pub(super) const fn none(&self) -> bool {
        self.on.is_empty()
    }

    /// The amount of a fault that is on for this pair.
    pub(super) fn amount(&self, kind: Kind, client: usize, server: usize) -> Option<u64> {
        self.on
            .iter()
            .find(|(_, fault)| {
                fault.kind == kind
                    && fault.client.is_none_or(|only| only == client)
                    && fault.server.is_none_or(|only| only == server)
            })
            .map(|(_, fault)| fault.amount)
    }

    fn fires(&mut self, kind: Kind, client: usize, server: usize) -> Option<u64> {
        let amount = self.amount(kind, client, server)?;
        self.fire(kind);
        Some(amount)
    }

    /// Nothing passes this way now.
    pub(super) fn is_blocked(&mut self, client: usize, server: usize, up: bool) -> bool {
        if self.on.is_empty() {
            return false;
        }
        for kind in [Kind::N09, Kind::N11, Kind::N12] {
            if self.fires(kind, client, server).is_some() {
                return true;
            }
        }
        if up && self.fires(Kind::N14, client, server).is_some() {
            return true;
        }
        self.amount(Kind::N10, client, server).is_some_and(|amount| amount.is_multiple_of(2) == up)
            && self.fires(Kind::N10, client, server).is_some()
    }

    /// How much later than usual something arrives, in microseconds; `after` is when what is before it arrives.
    pub(super) fn delay(
        &mut self,
        random: &mut Random,
        client: usize,
        server: usize,
        up: bool,
        bytes: usize,
    ) -> u64 {
        if self.on.is_empty() {
            return 0;
        }
        let mut delay = 0;
        if let Some(most) = self.fires(Kind::N01, client, server) {
            delay += most * 1_000;
        }
        if let Some(mean) = self.fires(Kind::N02, client, server) {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive"
            )]
            let drawn = (mean as f64 * 1_000.0 * -(1.0 - random.unit()).ln()) as u64;
            delay += drawn.min(3_000_000);
        }
        if let Some(rate) = self.fires(Kind::N13, client, server) {
            delay += u64::try_from(bytes).unwrap_or(0) * 1_000_000 / rate.max(1);
        }
        if !up {
            for kind in [Kind::B05, Kind::NS5] {
                delay += self.fires(kind, client, server).unwrap_or(0) * 1_000;
            }
        }
        delay
    }

    /// When something due at `at` arrives, if arrivals come in bunches.
    pub(super) fn bunch(&mut self, at: u64, client: usize, server: usize) -> u64 {
        match self.fires(Kind::N04, client, server) {
            Some(grid) => at.next_multiple_of((grid * 1_000).max(1)),
            None => at,
        }
    }

    /// The longest piece of bytes that travels together.
    pub(super) fn piece(&mut self, client: usize, server: usize) -> usize {
        self.fires(Kind::N03, client, server)
            .map_or(usize::MAX, |most| usize::try_from(most.max(1)).unwrap_or(1))
    }

    /// Flips bits, maybe.
    pub(super) fn corrupt(
        &mut self,
        random: &mut Random,
        client: usize,
        server: usize,
        bytes: &mut [u8],
    ) -> bool {
        let Some(one_in) = self.amount(Kind::N20, client, server) else { return false };
        let mut any = false;
        for byte in bytes {
            if random.below(one_in.max(1)) == 0 {
                *byte ^= 1 << random.below(8);
                any = true;
            }
        }
        if any {
            self.fire(Kind::N20);
        }
        any
    }

    /// A request or reply of this code is lost.
    pub(super) fn loses(&mut self, kind: Kind, client: usize, server: usize, code: i32) -> bool {
        let lost =
            self.amount(kind, client, server).is_some_and(|wanted| i64::from(code) == wanted.cast_signed());
        if lost {
            self.fire(kind);
        }
        lost
    }

    /// What becomes of a connect now.
    pub(super) fn connect(&mut self, now: u64, client: usize, server: usize) -> Connect {
        if self.fires(Kind::X2, client, server).is_some() {
            return Connect::NoSocket;
        }
        if self.fires(Kind::N05, client, server).is_some() {
            return Connect::Refused;
        }
        if let Some(period) = self.amount(Kind::N17, client, server)
            && (now / 1_000 / period.max(1)).is_multiple_of(2)
        {
            self.fire(Kind::N17);
            return Connect::Refused;
        }
        if self.fires(Kind::N06, client, server).is_some()
            || self.is_blocked(client, server, true)
            || self.is_blocked(client, server, false)
        {
            return Connect::Nothing;
        }
        Connect::Up
    }
}

/// What a connect meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connect {
    Up,
    Refused,
    Nothing,
    NoSocket,
}
