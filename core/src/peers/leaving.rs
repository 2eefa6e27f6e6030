//! Addresses that nobody names any more: brokers that moved away, and whoever was asked once by hand.
//!
//! Laws: an address is let go only when no route and no list of name servers names it, nobody reads from there or has
//! something to commit there, nothing is under way on any connection to it, and nothing came from it for a while; then
//! it is as if it had never been met. Its place is given away again, and nothing that was asked at its time is taken
//! for something asked later.

use alloc::vec::Vec;

use crate::cx::Cx;
use crate::error::LostWhy;
use crate::ids::PeerId;
use crate::limits::client as limits;
use crate::link::Link;

use super::{Peers, State};

impl Peers {
    /// This address may be one that nobody names any more.
    pub(crate) fn may_leave(&mut self, id: PeerId) {
        if self.is_known(id) {
            self.leaving.insert(id);
        }
    }

    /// Every address that may be let go.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = PeerId> + use<> {
        self.leaving.clone().into_iter()
    }

    /// Somebody names it after all.
    pub(crate) fn stays(&mut self, id: PeerId) {
        self.leaving.remove(&id);
    }

    /// Whether somebody has this place.
    pub(crate) fn is_known(&self, id: PeerId) -> bool {
        !matches!(self.get(id).state, State::Vacant)
    }

    /// Nothing is under way there.
    fn is_at_rest(&self, id: PeerId) -> bool {
        let peer = self.get(id);
        let dialing = matches!(peer.state, State::Dialing(_));
        !dialing && peer.link.is_idle() && self.draining.values().all(|draining| draining.peer != id)
    }

    fn vacate(&mut self, id: PeerId) {
        let bound = self.bound;
        let peer = self.get_mut(id);
        (peer.state, peer.failures, peer.last_lost) = (State::Vacant, 0, None);
        peer.lanes = Vec::new();
        peer.link = Link::new(bound);
        peer.link_number = peer.link_number.wrapping_add(1);
        if peer.lane == 0 {
            let address = peer.address.clone();
            self.by_address.remove(&address);
        }
        self.leaving.remove(&id);
        self.free.push(id);
    }
}

impl Cx {
    /// Lets go of an address that nobody names, if it is at rest; a connection that is still up is closed. Returns the
    /// connections to it that there are no more.
    pub(crate) fn let_go(&mut self, first: PeerId) -> Vec<PeerId> {
        let mut all = self.peers.get(first).lanes.clone();
        all.push(first);
        let at_rest = |id: &PeerId| {
            self.peers.is_at_rest(*id) && self.now.since(self.peers.quiet_since(*id)) >= limits::ADDRESS_REST
        };
        if !all.iter().all(at_rest) {
            return Vec::new();
        }
        for &id in &all {
            if let Some(conn) = self.conn_up(id) {
                self.drain(conn, LostWhy::Idle);
            }
            self.timers.disarm(&mut self.peers.get_mut(id).timer);
            self.peers.vacate(id);
        }
        all
    }
}
