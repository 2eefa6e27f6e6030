//! Runs of free ports that parallel clusters do not share.
//!
//! The reservation is a listening socket on the last port of every block of ten: the kernel keeps it exclusive between
//! processes and gives it back when the owner dies, so there is no lock file to go stale. The range lies below the
//! usual ephemeral ports, so no outgoing connection sits on a port between its check and its use.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use super::StartError;

/// Ports in a block; the last one is the guard.
pub(super) const BLOCK: u16 = 10;
const FIRST: u16 = 12_000;
const LAST: u16 = 19_990;

/// Whole blocks of ports, ours as long as this lives.
#[derive(Debug)]
pub(super) struct Ports {
    base: u16,
    _guards: Vec<TcpListener>,
}

impl Ports {
    /// Takes `blocks` blocks in a row, starting the search at a random place.
    pub(super) fn take(blocks: u16) -> Result<Self, StartError> {
        let places = (LAST - FIRST) / BLOCK - blocks;
        let start = RandomState::new().hash_one(std::process::id()) % u64::from(places);
        let start = u16::try_from(start).expect("less than the number of places");
        (0..places)
            .map(|n| FIRST + (start + n) % places * BLOCK)
            .find_map(|base| Self::at(base, blocks))
            .ok_or(StartError::Ports(blocks * BLOCK))
    }

    fn at(base: u16, blocks: u16) -> Option<Self> {
        let guards =
            (0..blocks).map(|block| TcpListener::bind((Ipv4Addr::LOCALHOST, base + block * BLOCK + 9)).ok());
        let guards = guards.collect::<Option<Vec<_>>>()?;
        let mut others = (base..base + blocks * BLOCK).filter(|port| port % BLOCK != 9);
        // All addresses, not only loopback: 4.9 brokers listen on every interface.
        others
            .all(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok())
            .then_some(Self { base, _guards: guards })
    }

    /// Where the i-th name server listens.
    pub(super) fn name_server(&self, i: usize) -> u16 {
        self.base + u16::try_from(i).expect("a handful of name servers")
    }

    /// Where the i-th broker listens; its fast port is two lower, its replication port one higher.
    pub(super) fn broker(&self, i: usize) -> u16 {
        self.base + BLOCK * u16::try_from(i + 1).expect("a handful of brokers") + 2
    }
}

#[cfg(test)]
mod tests {
    use super::Ports;

    #[test]
    fn two_reservations_are_disjoint() {
        let one = Ports::take(2).expect("free ports");
        assert!(Ports::at(one.base, 2).is_none(), "the guards keep the first run");
        let two = Ports::take(3).expect("free ports");
        assert!(one.base.abs_diff(two.base) >= 20, "{} and {}", one.base, two.base);
    }
}
