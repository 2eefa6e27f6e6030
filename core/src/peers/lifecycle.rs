//! What the machines ask of the connections, and what happens to these: calls, dials, losses, farewells.
//!
//! Laws: as in `peers`, whose table this changes; every effect goes straight into the outputs, and what ended with a
//! connection is returned to be told.

use alloc::vec::Vec;

use crate::config::ConnectionConfig;
use crate::connection::Lost;
use crate::cx::Cx;
use crate::error::LostWhy;
use crate::event::Output;
use crate::handles::CallId;
use crate::ids::{ConnId, PeerId};
use crate::limits::client as limits;
use crate::link::{Call, Fate, Link, Purpose};
use crate::note::Note;
use crate::time::Instant;
use crate::timers::Alarm;
use crate::wire::Request;

use super::{Cut, Draining, State};

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
            State::Vacant | State::Dialing(_) | State::Backoff => {}
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
        // What is not waited for any more makes room for what waits behind the bound of requests in flight.
        if let Some(conn) = self.conn_up(id.peer) {
            self.tell_ready(id.peer, conn);
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
        self.out.push_back(Output::Note(Note::Dialing(peer.address.clone())));
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
        for mut call in peer.link.withdraw_heartbeats() {
            self.timers.disarm(&mut call.timer); // the client makes a fresh one now
        }
        let ConnectionConfig { idle_close, life_max, .. } = self.config.connections;
        if let Some(look) = idle_close.into_iter().chain(life_max).min() {
            let at = self.now + look.max(limits::PERIOD_MIN);
            self.timers.rearm(&mut peer.timer, at, Alarm::Peer(id));
        }
        self.out.push_back(Output::Note(Note::Connected(peer.address.clone())));
        self.tell_ready(id, conn);
        Some(id)
    }

    /// The server at the other end goes away: what it has is waited for, everything else goes over a new connection,
    /// after a pause, since the same server may answer there again. Returns the sends it was not given yet, for which
    /// there may be a better place. (Java: `NettyRemotingClient`, code `GO_AWAY`.)
    pub(crate) fn go_away(&mut self, conn: ConnId) -> Vec<Cut> {
        let Some(id) = self.drain(conn, LostWhy::GoAway) else { return Vec::new() };
        self.back_off(id);
        let cut = |mut call: Call| {
            self.timers.disarm(&mut call.timer);
            Cut { purpose: call.purpose, peer: id, why: LostWhy::GoAway, sent: false }
        };
        self.peers.list[id.0 as usize].link.withdraw_sends().into_iter().map(cut).collect()
    }

    /// Waits longer each time before it dials again, until a reply says that the address works.
    fn back_off(&mut self, id: PeerId) {
        let peer = &mut self.peers.list[id.0 as usize];
        peer.failures = peer.failures.saturating_add(1);
        let ConnectionConfig { backoff_min, backoff_max, .. } = self.config.connections;
        let doubling = backoff_min.saturating_mul(1 << (peer.failures - 1).min(16));
        let pause = self.rng.jitter(doubling.min(backoff_max));
        (peer.state, peer.since) = (State::Backoff, self.now);
        self.timers.rearm(&mut peer.timer, self.now + pause, Alarm::Peer(id));
        self.out.push_back(Output::Note(Note::Backoff(peer.address.clone(), pause)));
    }

    /// A connection that works is used no more: what it has is waited for, everything else waits for a new one. Returns
    /// whose it was.
    pub(super) fn drain(&mut self, conn: ConnId, why: LostWhy) -> Option<PeerId> {
        let id = self.peers.conns.remove(&conn)?;
        let peer = &mut self.peers.list[id.0 as usize];
        let draining = Draining { peer: id, link: peer.link.renew(), link_number: peer.link_number };
        (peer.state, peer.since) = (State::Idle, self.now);
        self.timers.disarm(&mut peer.timer);
        peer.last_lost = Some(why.clone());
        self.out.push_back(Output::Note(Note::Retired(peer.address.clone(), why)));
        self.peers.draining.insert(conn, draining);
        self.end_drain(conn);
        Some(id)
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
        peer.last_lost = Some(lost.why.clone());
        self.out.push_back(Output::Note(Note::Lost(peer.address.clone(), lost.why.clone())));
        self.back_off(id);
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
            State::Up(conn) => self.look_at_age(id, conn),
            State::Vacant | State::Idle => {}
        }
        Vec::new()
    }

    /// A connection may be old enough to be replaced, or idle for long enough to be closed.
    fn look_at_age(&mut self, id: PeerId, conn: ConnId) {
        let ConnectionConfig { idle_close, life_max, .. } = self.config.connections;
        let peer = &mut self.peers.list[id.0 as usize];
        let old_at = life_max.map(|life| peer.since + life);
        let idle_at = idle_close.map(|idle| peer.link.heard_at().max(peer.since) + idle);
        if old_at.is_some_and(|at| at <= self.now) {
            self.drain(conn, LostWhy::Aged);
            if !self.peers.get(id).link.is_idle() {
                self.dial(id);
            }
            return;
        }
        if idle_at.is_some_and(|at| at <= self.now) && peer.link.is_idle() {
            self.drain(conn, LostWhy::Idle);
            return;
        }
        // An idle time that passed while something waits is looked at again a moment later.
        let soon = self.now + limits::CALL_DEADLINE;
        let next = old_at.into_iter().chain(idle_at.map(|at| if at <= self.now { soon } else { at })).min();
        if let Some(next) = next {
            self.timers.rearm(&mut peer.timer, next, Alarm::Peer(id));
        }
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
