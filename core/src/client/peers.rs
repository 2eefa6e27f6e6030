//! The addresses this client talks to and the life of the connections to them.
//!
//! Laws:
//! - One connection per address, opened when something waits for it, never twice at once.
//! - A connection that was lost is over: whatever comes under its id afterwards changes nothing.
//! - Between dials that fail lies a back-off with full jitter, which only a successful reply ends.
//! - What waited for a connection that did not come up, or was on one that broke, ends at once and is told so.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::client::Output;
use crate::client::config::ConnectionConfig;
use crate::client::note::Note;
use crate::cx::Cx;
use crate::error::{CallError, LostWhy};
use crate::ids::{Address, ConnId, PeerId};
use crate::limits::client as limits;
use crate::link::{Call, CallId, Fate, Link, Outgoing, Purpose};
use crate::time::Instant;
use crate::timers::{Alarm, Timer};
use crate::wire::Request;

/// How a connection ended, as its driver tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub why: LostWhy,
    /// How many of the requests taken on this connection, counted in the order they were taken, had at least one
    /// byte written. The others are known not to have been executed.
    pub started: u64,
}

/// What the connection to a peer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    /// There is none, and nothing waits for one.
    Idle,
    /// It is being opened.
    Dialing,
    /// It is open.
    Up,
    /// The last attempt failed; the next is due after a pause.
    Backoff,
}

/// One connection, or the place of one, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Whom it is to.
    pub address: Address,
    /// Whether that is a broker; else it is a name server.
    pub broker: bool,
    /// Which of the connections to that address, from 0.
    pub lane: u32,
    /// What it is doing.
    pub state: ConnState,
    /// Since when.
    pub since: Instant,
    /// Requests taken and unanswered, pulls that may be held included.
    pub in_flight: usize,
    /// Requests that wait to be taken.
    pub waiting: usize,
    /// How often it came up.
    pub ups: u64,
    /// Why it ended last.
    pub last_lost: Option<LostWhy>,
}

#[derive(Clone, Copy, Debug)]
enum State {
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
    /// Which link this is: distinguishes the requests of different connections.
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

/// A connection whose server goes away: nothing more is sent on it, what was sent is waited for.
#[derive(Clone, Debug)]
struct Draining {
    peer: PeerId,
    link: Link,
    link_number: u32,
}

/// All addresses.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    bound: usize,
    draining: BTreeMap<ConnId, Draining>,
    list: Vec<Peer>,
    by_address: BTreeMap<Address, PeerId>,
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
            by_address: BTreeMap::new(),
            conns: BTreeMap::new(),
            next_conn: 0,
        }
    }

    /// The id of an address.
    pub(crate) fn intern(&mut self, address: &Address, is_broker: bool) -> PeerId {
        if let Some(id) = self.by_address.get(address) {
            return *id;
        }
        let id = self.add(address, is_broker, 0);
        self.by_address.insert(address.clone(), id);
        id
    }

    fn add(&mut self, address: &Address, is_broker: bool, lane: u32) -> PeerId {
        let id = PeerId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Peer {
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
        });
        id
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

    /// Every connection, in the order its address was met.
    pub(crate) fn connections(&self) -> impl Iterator<Item = Connection> + '_ {
        self.ids().map(|id| {
            let peer = self.get(id);
            Connection {
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

    /// The requests of a connection, be it the one its peer has now or one that is going away.
    pub(crate) fn link_of(&mut self, conn: ConnId) -> Option<&mut Link> {
        match self.conns.get(&conn) {
            Some(peer) => self.list.get_mut(peer.0 as usize).map(|peer| &mut peer.link),
            None => self.draining.get_mut(&conn).map(|draining| &mut draining.link),
        }
    }

    fn draining_link(&mut self, call: CallId) -> Option<(ConnId, &mut Link)> {
        let of_call = |d: &&mut Draining| d.peer == call.peer && d.link_number == call.link;
        let found = self.draining.iter_mut().find(|(_, draining)| of_call(draining));
        found.map(|(conn, draining)| (*conn, &mut draining.link))
    }

    pub(crate) fn state(&self, id: PeerId) -> ConnState {
        match self.get(id).state {
            State::Idle => ConnState::Idle,
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

    /// When a frame last came from this address, on the connection it has now.
    pub(crate) fn heard_at(&self, id: PeerId) -> Instant {
        self.get(id).link.heard_at()
    }

    /// Why the last connection to this address ended, as the error of a request for it.
    pub(crate) fn last_lost(&self, id: PeerId) -> Option<CallError> {
        let peer = self.get(id);
        Some(CallError::Lost { peer: peer.address.clone(), why: peer.last_lost.clone()? })
    }

    /// Whether a request was made on the connection its peer has now.
    pub(crate) fn is_same_link(&self, call: CallId) -> bool {
        self.get(call.peer).link_number == call.link
    }

    /// So many requests were never answered on the connection this peer has now that it is of no use.
    pub(crate) fn is_worn(&self, id: PeerId) -> bool {
        self.get(id).link.unanswered() >= limits::UNANSWERED_PER_CONNECTION
    }

    /// Whether a request has not ended.
    pub(crate) fn has_call(&self, call: CallId) -> bool {
        if self.is_same_link(call) {
            return self.get(call.peer).link.has(call.key);
        }
        let of_call = |d: &&Draining| d.peer == call.peer && d.link_number == call.link;
        self.draining.values().find(of_call).is_some_and(|draining| draining.link.has(call.key))
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

    /// Every address, in the order they were met.
    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerId> + use<> {
        (0..u32::try_from(self.list.len()).unwrap_or(u32::MAX)).map(PeerId)
    }

    pub(crate) fn check(&self) {
        for draining in self.draining.values() {
            draining.link.check();
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
                State::Idle => assert!(peer.link.is_idle(), "L7: what waits has a connection coming"),
                State::Backoff => assert!(peer.timer.is_some(), "L7: a back-off ends"),
            }
        }
        assert_eq!(
            self.conns.len(),
            self.list.iter().filter(|p| matches!(p.state, State::Dialing(_) | State::Up(_))).count(),
            "R4: one connection per address"
        );
    }
}

/// What the machines ask of the connections; the effects go straight into the outputs.
impl Cx {
    /// Makes a request of a peer, opening a connection if there is none. It ends in exactly one answer to its purpose,
    /// unless it is forgotten before; it is forgotten by itself at `deadline`.
    pub(crate) fn call(
        &mut self,
        to: PeerId,
        purpose: Purpose,
        request: Request,
        deadline: Option<Instant>,
        held: bool,
    ) -> CallId {
        let peer = self.peers.get_mut(to);
        let key = peer.link.call(purpose, request, held);
        let id = CallId { peer: to, link: peer.link_number, key };
        if let Some(deadline) = deadline {
            let timer = self.timers.arm(deadline, Alarm::Call(id));
            if let Some(call) = self.peers.get_mut(to).link.get_mut(key) {
                call.timer = Some(timer);
            }
        }
        match self.peers.get(to).state {
            State::Idle => self.dial(to),
            State::Up(conn) => self.tell_ready(to, conn),
            State::Dialing(_) | State::Backoff => {}
        }
        id
    }

    /// Gives a request up. Its purpose will hear nothing of it.
    pub(crate) fn forget(&mut self, id: CallId) -> Fate {
        self.forget_call(id).0
    }

    /// Gives a request up whose deadline passed, and says what it was for.
    pub(crate) fn expire(&mut self, id: CallId) -> Option<(Purpose, Fate)> {
        let (fate, call) = self.forget_call(id);
        call.map(|call| (call.purpose, fate))
    }

    fn forget_call(&mut self, id: CallId) -> (Fate, Option<Call>) {
        if let Some((conn, link)) = self.peers.draining_link(id) {
            let (fate, mut call) = link.forget(id.key);
            if let Some(call) = &mut call {
                self.timers.disarm(&mut call.timer);
            }
            self.end_drain(conn);
            return (fate, call);
        }
        let peer = self.peers.get_mut(id.peer);
        if peer.link_number != id.link {
            return (Fate::Gone, None);
        }
        let (fate, mut call) = peer.link.forget(id.key);
        let worn = peer.link.unanswered() >= limits::UNANSWERED_PER_CONNECTION;
        if let Some(call) = &mut call {
            self.timers.disarm(&mut call.timer);
        }
        if worn {
            self.suspect(id.peer);
        }
        (fate, call)
    }

    /// Tells the wire of a connection that something waits, unless it knows.
    pub(crate) fn tell_ready(&mut self, id: PeerId, conn: ConnId) {
        if self.peers.get_mut(id).link.should_tell() {
            self.out.push_back(Output::Ready(conn));
        }
    }

    fn dial(&mut self, id: PeerId) {
        let conn = ConnId(self.peers.next_conn);
        self.peers.next_conn += 1;
        self.peers.conns.insert(conn, id);
        let deadline = self.now + self.config.connections.dial_deadline;
        let peer = &mut self.peers.list[id.0 as usize];
        (peer.state, peer.since) = (State::Dialing(conn), self.now);
        self.timers.rearm(&mut peer.timer, deadline, Alarm::Peer(id));
        self.out.push_back(Output::Dial(conn, peer.address.clone()));
    }

    /// A connection is up. Returns whose it is, unless it was given up meanwhile.
    pub(crate) fn connected(&mut self, conn: ConnId) -> Option<PeerId> {
        let id = self.peers.of_conn(conn)?;
        let peer = &mut self.peers.list[id.0 as usize];
        if !matches!(peer.state, State::Dialing(dialing) if dialing == conn) {
            return None;
        }
        (peer.state, peer.since) = (State::Up(conn), self.now);
        peer.ups += 1;
        self.timers.disarm(&mut peer.timer);
        let ConnectionConfig { idle_close, life_max, .. } = self.config.connections;
        if let Some(look) = idle_close.into_iter().chain(life_max).min() {
            self.timers.rearm(&mut peer.timer, self.now + look, Alarm::Peer(id));
        }
        self.out.push_back(Output::Note(Note::Connected(peer.address.clone())));
        self.tell_ready(id, conn);
        Some(id)
    }

    /// The server at the other end goes away, or the connection is to be replaced: what it has is waited for, everything else goes over a new connection.
    /// Returns what was not handed over yet. (Java: `NettyRemotingClient`, code `GO_AWAY`.)
    pub(crate) fn drain(&mut self, conn: ConnId) -> Vec<Cut> {
        let Some(id) = self.peers.conns.remove(&conn) else { return Vec::new() };
        let peer = &mut self.peers.list[id.0 as usize];
        let mut link = core::mem::replace(&mut peer.link, Link::new(self.config.connections.in_flight));
        let waiting = link.withdraw();
        let link_number = peer.link_number;
        peer.link_number = peer.link_number.wrapping_add(1);
        (peer.state, peer.since) = (State::Idle, self.now);
        self.timers.disarm(&mut peer.timer);
        self.out.push_back(Output::Note(Note::GoAway(peer.address.clone())));
        self.peers.draining.insert(conn, Draining { peer: id, link, link_number });
        self.end_drain(conn);
        let cut = |mut call: Call| {
            self.timers.disarm(&mut call.timer);
            Cut { purpose: call.purpose, peer: id, why: LostWhy::GoAway, sent: false }
        };
        waiting.into_iter().map(cut).collect()
    }

    /// Closes a connection that is going away, once nothing is waited for on it.
    pub(crate) fn end_drain(&mut self, conn: ConnId) {
        if self.peers.draining.get(&conn).is_some_and(|draining| draining.link.is_idle()) {
            self.peers.draining.remove(&conn);
            self.out.push_back(Output::Hangup(conn));
        }
    }

    /// A connection is over. Returns everything that was on it or waited for it.
    pub(crate) fn lost(&mut self, conn: ConnId, lost: &Lost) -> Vec<Cut> {
        if let Some(Draining { peer, link, .. }) = self.peers.draining.remove(&conn) {
            return self.cut_off(peer, link, lost);
        }
        let Some(id) = self.peers.conns.remove(&conn) else { return Vec::new() };
        let peer = &mut self.peers.list[id.0 as usize];
        let link = core::mem::replace(&mut peer.link, Link::new(self.config.connections.in_flight));
        peer.link_number = peer.link_number.wrapping_add(1);
        peer.failures = peer.failures.saturating_add(1);
        peer.last_lost = Some(lost.why.clone());
        self.out.push_back(Output::Note(Note::Lost(peer.address.clone(), lost.why.clone())));
        let ConnectionConfig { backoff_min, backoff_max, .. } = self.config.connections;
        let doubling = backoff_min.saturating_mul(1 << (peer.failures - 1).min(16));
        let pause = self.rng.jitter(doubling.min(backoff_max));
        (peer.state, peer.since) = (State::Backoff, self.now);
        self.timers.rearm(&mut peer.timer, self.now + pause, Alarm::Peer(id));
        self.cut_off(id, link, lost)
    }

    fn cut_off(&mut self, peer: PeerId, link: Link, lost: &Lost) -> Vec<Cut> {
        let cut = |(mut call, sent): (Call, bool)| {
            self.timers.disarm(&mut call.timer);
            Cut { purpose: call.purpose, peer, why: lost.why.clone(), sent }
        };
        link.into_calls(lost.started).into_iter().map(cut).collect()
    }

    /// Closes the connection to a peer from our side, whatever it is doing.
    pub(crate) fn hang_up(&mut self, id: PeerId, why: LostWhy) -> Vec<Cut> {
        let (State::Dialing(conn) | State::Up(conn)) = self.peers.get(id).state else { return Vec::new() };
        self.out.push_back(Output::Hangup(conn));
        // Whatever was taken may have been written: the driver's last word on it is not waited for.
        self.lost(conn, &Lost { why, started: u64::MAX - 1 })
    }

    /// A dial takes too long, or a back-off is over.
    pub(crate) fn peer_alarm(&mut self, id: PeerId) -> Vec<Cut> {
        match self.peers.get(id).state {
            State::Dialing(_) => return self.hang_up(id, LostWhy::TimedOut),
            State::Backoff if self.peers.get(id).link.is_idle() => self.peers.get_mut(id).state = State::Idle,
            State::Backoff => self.dial(id),
            State::Up(conn) => return self.look_at_age(id, conn),
            State::Idle => {}
        }
        Vec::new()
    }

    /// A connection may be old enough to be replaced, or idle for long enough to be closed.
    fn look_at_age(&mut self, id: PeerId, conn: ConnId) -> Vec<Cut> {
        let ConnectionConfig { idle_close, life_max, .. } = self.config.connections;
        let peer = &mut self.peers.list[id.0 as usize];
        let old_at = life_max.map(|life| peer.since + life);
        let idle_at = idle_close.map(|idle| peer.link.heard_at().max(peer.since) + idle);
        if old_at.is_some_and(|at| at <= self.now)
            || idle_at.is_some_and(|at| at <= self.now) && peer.link.is_idle()
        {
            return self.drain(conn);
        }
        // An idle time that passed while something waits is looked at again a moment later.
        let soon = self.now + limits::CALL_DEADLINE;
        let next = old_at.into_iter().chain(idle_at.map(|at| if at <= self.now { soon } else { at })).min();
        if let Some(next) = next {
            self.timers.rearm(&mut peer.timer, next, Alarm::Peer(id));
        }
        Vec::new()
    }

    /// A reply came: this address works.
    pub(crate) fn peer_works(&mut self, id: PeerId) {
        self.peers.get_mut(id).failures = 0;
    }

    /// Nothing will be asked of this peer any more. Returns what was on its connections or waited for one.
    pub(crate) fn silence(&mut self, id: PeerId) -> Vec<Cut> {
        let closed = Lost { why: LostWhy::Closed, started: u64::MAX - 1 };
        let going: Vec<ConnId> =
            self.peers.draining.iter().filter(|(_, d)| d.peer == id).map(|(conn, _)| *conn).collect();
        let mut cuts = Vec::new();
        for conn in going {
            self.out.push_back(Output::Hangup(conn));
            cuts.extend(self.lost(conn, &closed));
        }
        let peer = &mut self.peers.list[id.0 as usize];
        self.timers.disarm(&mut peer.timer);
        peer.state = State::Idle;
        let link = core::mem::replace(&mut peer.link, Link::new(self.config.connections.in_flight));
        peer.link_number = peer.link_number.wrapping_add(1);
        cuts.extend(self.cut_off(id, link, &closed));
        cuts
    }

    pub(crate) fn link_mut(&mut self, id: PeerId) -> &mut Link {
        &mut self.peers.get_mut(id).link
    }

    /// The connection of a peer that is up.
    pub(crate) fn conn_up(&self, id: PeerId) -> Option<ConnId> {
        if let State::Up(conn) = self.peers.get(id).state { Some(conn) } else { None }
    }
}
