//! The addresses this client talks to and the life of the connections to them.
//!
//! Laws:
//! - One connection per address, opened when something waits for it, never twice at once.
//! - A connection that was lost is over: whatever comes under its id afterwards changes nothing.
//! - Between dials that fail lies a back-off with full jitter, which only a successful reply ends.
//! - What waited for a connection that did not come up, or was on one that broke, ends at once and is told so. What was
//!   not taken by a connection that is replaced because it is old, or because its server goes away, goes over the next.

mod leaving;
mod lifecycle;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::connection::{ConnState, Connection};
use crate::error::{CallError, LostWhy};
use crate::handles::CallId;
use crate::ids::{Address, ConnId, PeerId};
use crate::limits::client as limits;
use crate::link::{Link, Outgoing, Purpose};
use crate::time::Instant;
use crate::timers::Timer;

#[derive(Clone, Copy, Debug)]
enum State {
    /// This place is nobody's.
    Vacant,
    Idle,
    Dialing(ConnId),
    Up(ConnId),
    Backoff,
}

/// One address.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: Address,
    is_broker: bool,
    /// Which of the connections to this address; only the first knows the others.
    lane: u32,
    lanes: Vec<PeerId>,
    state: State,
    since: Instant,
    ups: u64,
    link: Link,
    /// Which link this is: another one after a loss, the same one for connections that follow each other by agreement,
    /// since what the one did not take the next one does.
    link_number: u32,
    /// The dial's time-out, or the end of the back-off.
    timer: Option<Timer>,
    /// Connections that failed or broke since the last successful reply.
    failures: u32,
    pub(crate) last_lost: Option<LostWhy>,
}

/// A request that ended because its connection did.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) purpose: Purpose,
    pub(crate) peer: PeerId,
    pub(crate) why: LostWhy,
    /// A byte of it was written.
    pub(crate) sent: bool,
}

/// A connection that is used no more: nothing is sent on it, what was sent is waited for.
#[derive(Clone, Debug)]
struct Draining {
    peer: PeerId,
    link: Link,
    link_number: u32,
}

impl Draining {
    fn has(&self, call: CallId) -> bool {
        self.peer == call.peer && self.link_number == call.link && self.link.has(call.key)
    }
}

/// All addresses.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    bound: usize,
    draining: BTreeMap<ConnId, Draining>,
    list: Vec<Peer>,
    free: Vec<PeerId>,
    by_address: BTreeMap<Address, PeerId>,
    /// Addresses that perhaps nobody names any more.
    leaving: BTreeSet<PeerId>,
    conns: BTreeMap<ConnId, PeerId>,
    next_conn: u64,
}

impl Peers {
    /// None yet; `bound` is what one connection may have in flight.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound,
            draining: BTreeMap::new(),
            list: Vec::new(),
            free: Vec::new(),
            by_address: BTreeMap::new(),
            leaving: BTreeSet::new(),
            conns: BTreeMap::new(),
            next_conn: 0,
        }
    }

    /// The id of an address, if it was met.
    pub(crate) fn find(&self, address: &Address) -> Option<PeerId> {
        self.by_address.get(address).copied()
    }

    /// The id of an address.
    pub(crate) fn intern(&mut self, address: &Address, is_broker: bool) -> PeerId {
        if let Some(id) = self.by_address.get(address).copied() {
            // An address that was only asked by its parts before may turn out to be a broker's.
            self.get_mut(id).is_broker |= is_broker;
            return id;
        }
        let id = self.add(address, is_broker, 0);
        self.by_address.insert(address.clone(), id);
        id
    }

    fn add(&mut self, address: &Address, is_broker: bool, lane: u32) -> PeerId {
        let peer = Peer {
            address: address.clone(),
            is_broker,
            lane,
            lanes: Vec::new(),
            state: State::Idle,
            since: Instant::ZERO,
            ups: 0,
            link: Link::new(self.bound),
            link_number: 0,
            timer: None,
            failures: 0,
            last_lost: None,
        };
        if let Some(id) = self.free.pop() {
            let place = self.get_mut(id);
            *place = Peer { link_number: place.link_number, ..peer };
            return id;
        }
        self.list.push(peer);
        PeerId(u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX))
    }

    /// Which of `lanes` connections to that address carries what concerns this queue: always the same one.
    pub(crate) fn lane(&mut self, first: PeerId, queue: i32, lanes: u32) -> PeerId {
        let lane = queue.unsigned_abs().checked_rem(lanes).unwrap_or(0);
        let Some(place) = (lane as usize).checked_sub(1) else { return first };
        while self.get(first).lanes.len() <= place {
            let address = self.get(first).address.clone();
            let next = u32::try_from(self.get(first).lanes.len()).unwrap_or(u32::MAX).saturating_add(1);
            let id = self.add(&address, true, next);
            self.get_mut(first).lanes.push(id);
        }
        self.get(first).lanes.get(place).copied().unwrap_or(first)
    }

    /// Whether this is the connection that its broker knows our groups by.
    pub(crate) fn is_member(&self, id: PeerId) -> bool {
        let peer = self.get(id);
        peer.is_broker && peer.lane == 0
    }

    /// Every connection.
    pub(crate) fn connections(&self) -> impl Iterator<Item = Connection> + '_ {
        self.ids().map(|id| {
            let peer = self.get(id);
            Connection {
                conn: match peer.state {
                    State::Dialing(conn) | State::Up(conn) => Some(conn),
                    State::Vacant | State::Idle | State::Backoff => None,
                },
                address: peer.address.clone(),
                broker: peer.is_broker,
                lane: peer.lane,
                state: self.state(id),
                since: peer.since,
                in_flight: peer.link.unanswered(),
                waiting: peer.link.waiting(),
                ups: peer.ups,
                last_lost: peer.last_lost.clone(),
            }
        })
    }

    pub(crate) fn address(&self, id: PeerId) -> &Address {
        &self.get(id).address
    }

    fn get(&self, id: PeerId) -> &Peer {
        &self.list[id.0 as usize]
    }

    fn get_mut(&mut self, id: PeerId) -> &mut Peer {
        &mut self.list[id.0 as usize]
    }

    pub(crate) fn of_conn(&self, conn: ConnId) -> Option<PeerId> {
        self.conns.get(&conn).copied().or_else(|| self.draining.get(&conn).map(|draining| draining.peer))
    }

    /// The requests of a connection, be it the one its peer has now or one that is used no more.
    pub(crate) fn link_of(&mut self, conn: ConnId) -> Option<&mut Link> {
        match self.conns.get(&conn) {
            Some(peer) => self.list.get_mut(peer.0 as usize).map(|peer| &mut peer.link),
            None => self.draining.get_mut(&conn).map(|draining| &mut draining.link),
        }
    }

    fn draining_link(&mut self, call: CallId) -> Option<(ConnId, &mut Link)> {
        let of_call = |d: &&mut Draining| d.has(call);
        let found = self.draining.iter_mut().find(|(_, draining)| of_call(draining));
        found.map(|(conn, draining)| (*conn, &mut draining.link))
    }

    pub(crate) fn state(&self, id: PeerId) -> ConnState {
        match self.get(id).state {
            State::Vacant | State::Idle => ConnState::Idle,
            State::Dialing(_) => ConnState::Dialing,
            State::Up(_) => ConnState::Up,
            State::Backoff => ConnState::Backoff,
        }
    }

    pub(crate) fn is_broker(&self, id: PeerId) -> bool {
        self.get(id).is_broker
    }

    /// Whether the last attempt to reach this address failed and none has succeeded since.
    pub(crate) fn is_down(&self, id: PeerId) -> bool {
        let peer = self.get(id);
        peer.failures > 0 && !matches!(peer.state, State::Up(_))
    }

    /// Whether any address is down.
    pub(crate) fn any_down(&self) -> bool {
        self.ids().any(|id| self.is_down(id))
    }

    /// When a frame last came from this address, on the connection it has now.
    pub(crate) fn heard_at(&self, id: PeerId) -> Instant {
        self.get(id).link.heard_at()
    }

    /// Since when nothing came on the connection this address has now.
    pub(crate) fn quiet_since(&self, id: PeerId) -> Instant {
        let peer = self.get(id);
        peer.link.heard_at().max(peer.since)
    }

    /// Why there is no connection to this address, if the last one failed, as the error of a request for it.
    pub(crate) fn last_lost(&self, id: PeerId) -> Option<CallError> {
        let peer = self.get(id);
        if !self.is_down(id) {
            return None;
        }
        Some(CallError::Lost { peer: peer.address.clone(), why: peer.last_lost.clone()? })
    }

    /// Whether a request is with the connection its peer has now, or waits for the next one.
    pub(crate) fn is_same_link(&self, call: CallId) -> bool {
        let peer = self.get(call.peer);
        peer.link_number == call.link && peer.link.has(call.key)
    }

    /// So many requests were never answered on the connection this peer has now that it is of no use.
    pub(crate) fn is_worn(&self, id: PeerId) -> bool {
        self.get(id).link.unanswered() >= limits::UNANSWERED_PER_CONNECTION
    }

    /// Whether a request has not ended.
    pub(crate) fn has_call(&self, call: CallId) -> bool {
        self.is_same_link(call) || self.draining.values().any(|draining| draining.has(call))
    }

    pub(crate) fn link(&self, conn: ConnId) -> Option<&Link> {
        self.of_conn(conn).map(|id| &self.get(id).link)
    }

    /// Hands over what waits on a connection.
    pub(crate) fn take(&mut self, conn: ConnId, budget: usize, into: &mut VecDeque<Outgoing>) {
        if let Some(id) = self.of_conn(conn) {
            let peer = self.get_mut(id);
            if matches!(peer.state, State::Up(up) if up == conn) {
                peer.link.take(budget, into);
            }
        }
    }

    pub(crate) fn up(&self) -> impl Iterator<Item = PeerId> + '_ {
        (0..)
            .map(PeerId)
            .zip(&self.list)
            .filter(|(_, peer)| matches!(peer.state, State::Up(_)))
            .map(|(id, _)| id)
    }

    /// Every address.
    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        let known = |(_, peer): &(PeerId, &Peer)| !matches!(peer.state, State::Vacant);
        (0..).map(PeerId).zip(&self.list).filter(known).map(|(id, _)| id)
    }

    pub(crate) fn check(&self) {
        for draining in self.draining.values() {
            draining.link.check();
            assert!(
                self.is_known(draining.peer),
                "R3: an address is kept while something is awaited from it"
            );
            assert!(
                !draining.link.is_idle(),
                "a connection that goes away is closed once nothing is waited for"
            );
        }
        for (id, peer) in (0..).map(PeerId).zip(&self.list) {
            peer.link.check();
            match peer.state {
                State::Dialing(conn) | State::Up(conn) => {
                    assert_eq!(self.conns.get(&conn), Some(&id), "a connection knows its peer");
                }
                State::Vacant => {
                    assert!(peer.link.is_idle() && peer.timer.is_none(), "nothing is asked of nobody");
                    assert!(
                        !self.by_address.values().any(|known| *known == id),
                        "R3: no address is nobody's"
                    );
                }
                State::Idle => assert!(peer.link.is_idle(), "L7: what waits has a connection coming"),
                State::Backoff => assert!(peer.timer.is_some(), "L7: a back-off ends"),
            }
        }
        assert_eq!(self.free.len(), self.list.len() - self.ids().count(), "R3: no place is forgotten about");
        assert_eq!(
            self.conns.len(),
            self.list.iter().filter(|p| matches!(p.state, State::Dialing(_) | State::Up(_))).count(),
            "R4: one connection per address"
        );
    }
}
