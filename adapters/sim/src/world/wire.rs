//! A client's wires: what they take from the core and write, and the frames they bring it, as an adapter does.
#![expect(clippy::wildcard_enum_match_arm, reason = "what the checks do not look at needs no arm")]

use std::collections::{BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use fusee_core::error::LostWhy;
use fusee_core::wire::Request;
use fusee_core::{Input, What as Sends};

use super::client::GROUP;
use super::link::{Asked, Payload, Taken};
use super::plan::Kind;
use super::{What, World};

/// After all is healed: brokers register, routes are refreshed, heartbeats leave, each within 30 seconds.
const TOLD_AGAIN: u64 = 100_000_000;

impl World {
    /// The wire writes what it can, and takes more when it has written all.
    pub(super) fn flush(&mut self, link: usize) {
        loop {
            let state = &self.links[link];
            if !state.client_open || !state.connected || self.clients[state.client].suspended {
                return;
            }
            if state.queue.is_empty() && !self.take(link) {
                return;
            }
            let (client, server) = (self.links[link].client, self.links[link].server);
            let piece = self.faults.piece(client, server);
            let Some((mut bytes, begun)) = self.links[link].write(piece) else { return };
            for key in begun {
                self.checks.started(key);
            }
            if bytes.is_empty() {
                continue;
            }
            if self.faults.amount(Kind::N20, client, server).is_some() {
                let mut copy = bytes.to_vec();
                if self.faults.corrupt(&mut self.random, client, server, &mut copy) {
                    self.checks.corrupted = true;
                    self.links[link].tampered = true;
                    bytes = Bytes::from(copy);
                }
            }
            self.travel(link, true, Payload::Bytes(bytes));
        }
    }

    /// Takes what waits on a connection and encodes it, as an adapter does.
    pub(super) fn take(&mut self, link: usize) -> bool {
        let (at, server, conn) = (self.links[link].client, self.links[link].server, self.links[link].conn);
        let Some(core) = &mut self.clients[at].core else { return false };
        let mut taken = VecDeque::new();
        core.take(conn, 64 * 1024, &mut taken);
        let any = !taken.is_empty();
        if any && self.links[link].told_to_go {
            self.checks.broken("P6", format!("client {at} asks on link {link}, which was told to go away"));
        }
        for outgoing in taken {
            let mut bytes = BytesMut::new();
            let (encoded, number, asked) = match &outgoing.what {
                Sends::Call(request) => {
                    let asked = self.asks(link, request);
                    let number = self.links[link].taken;
                    self.links[link].taken += 1;
                    (
                        request.encode(outgoing.dialect, outgoing.opaque, false, &mut bytes),
                        Some(number),
                        Some(asked),
                    )
                }
                Sends::Answer(answer) => {
                    if !self.links[link].asked.remove(&outgoing.opaque) && !self.checks.corrupted {
                        let text = format!("client {at} answers {}, which nobody asked", outgoing.opaque);
                        self.checks.broken("P7", text);
                    }
                    (answer.encode(outgoing.dialect, outgoing.opaque, &mut bytes), None, None)
                }
            };
            if let Err(error) = encoded {
                self.checks.broken("P3", format!("client {at} cannot encode what it sends: {error}"));
            }
            self.frames += 1;
            let key = asked.and_then(|asked| asked.key);
            if let Some(key) = key {
                self.checks.handed_over(key, server);
            }
            if let Some(asked) = asked {
                self.note(
                    What::Asks,
                    link,
                    u64::from(asked.code.cast_unsigned()),
                    u64::from(outgoing.opaque.cast_unsigned()),
                );
                if let Some(old) = self.links[link].live.insert(outgoing.opaque, asked) {
                    let text = format!(
                        "client {at} asks {} as {} while {old:?} is unanswered",
                        asked.code, outgoing.opaque
                    );
                    self.checks.broken("P1", text);
                }
                if self.faults.loses(Kind::N16, at, server, asked.code) {
                    bytes.clear();
                }
            }
            self.links[link].queue.push_back(Taken { bytes: bytes.freeze(), number, key });
        }
        any
    }

    pub(super) fn asks(&mut self, link: usize, request: &Request) -> Asked {
        let mut asked = Asked { code: request.code(), at: self.now, key: None, queue: None, from: None };
        match request {
            Request::Send(send) => {
                let id = crate::codec::properties::property(send.properties.as_str(), "UNIQ_KEY");
                asked.key = id.and_then(super::checks::key_of);
            }
            Request::Pull(pull) => {
                asked.queue = Some((self.links[link].server, pull.queue));
                asked.from = Some(pull.offset);
                self.links[link].pulls.push_back(self.now);
                if self.links[link].pulls.len() > 1_000
                    && self.links[link].pulls.pop_front().is_some_and(|first| first + 1_000_000 > self.now)
                {
                    self.checks.broken("R11", format!("a thousand pulls in a second on link {link}"));
                }
                let since = self.now.saturating_sub(9_000_000);
                let other =
                    self.links[link].live.values().find(|live| live.queue == asked.queue && live.at > since);
                // One that a seek or a new assignment made obsolete may still be under way; both are seldom.
                let process = &self.clients[self.links[link].client];
                let changed = process.groups_changed.max(process.wandered);
                if let Some(other) = other.copied()
                    && changed + 40_000_000 < self.now
                {
                    let text =
                        format!("a second pull for queue {:?}, the first is of {} µs", other.queue, other.at);
                    self.checks.broken("P8", text);
                }
            }
            Request::Route(route) => self.check_churn(link, route.topic.as_str()),
            Request::Heartbeat(_) => self.links[link].heartbeat_at = Some(self.now),
            _ => {}
        }
        self.check_heartbeat(link);
        asked
    }

    /// R9: a topic that nobody used for five minutes is forgotten, and its route not asked for.
    fn check_churn(&mut self, link: usize, topic: &str) {
        let process = &self.clients[self.links[link].client];
        if let Some(used) = process.churned.get(topic)
            && used + 365_000_000 < self.now
        {
            self.checks.broken("R9", format!("the route of {topic} is asked for, last used at {used} µs"));
        }
    }

    /// P4: while a connection to a broker is up, a heartbeat leaves at least every 30 seconds.
    pub(super) fn check_heartbeat(&mut self, link: usize) {
        let state = &self.links[link];
        let last =
            state.heartbeat_at.unwrap_or(state.up_since).max(self.clients[state.client].groups_changed);
        // A sender that has not sent for five minutes leaves its topics alone, and their brokers.
        let process = &self.clients[state.client];
        let idle = process.consumer.is_none() && process.sent_at + 270_000_000 < self.now;
        let quiet = self.faults.none() && self.healed && !idle;
        if quiet
            && self.is_broker(state.server)
            && self.now > last + 31_000_000
            && self.now > self.plan.heals * 1_000 + TOLD_AGAIN
        {
            let text = format!(
                "client {} has sent server {} no heartbeat since {last} µs",
                state.client, state.server
            );
            self.checks.broken("P4", text);
        }
    }

    pub(super) fn heartbeat_arrived(
        &mut self,
        at: usize,
        life: u64,
        producers: &[String],
        consumers: &[String],
    ) {
        let process = &self.clients[at];
        let gone = process.core.is_none() || process.life != life;
        if gone || self.checks.corrupted || self.now < process.groups_changed + 40_000_000 {
            return;
        }
        let open: BTreeSet<&str> = producers.iter().chain(consumers).map(String::as_str).collect();
        let own = format!("senders-{at}");
        let wanted: BTreeSet<&str> =
            process.producer.map(|_| &*own).into_iter().chain(process.consumer.map(|_| GROUP)).collect();
        if open != wanted && process.closing_since.is_none() {
            self.checks.broken("P4", format!("client {at} is in {wanted:?}, and says {open:?}"));
        }
    }

    pub(super) fn reaches_client(&mut self, link: usize, payload: Payload) {
        if !self.links[link].client_open {
            if let Payload::Bytes(_) = payload
                && self.links[link].server_open
                && !self.links[link].ghost
            {
                self.travel(link, true, Payload::Reset);
            }
            return;
        }
        match payload {
            Payload::Bytes(bytes) => {
                let buffer = self.links[link].framer.spare(bytes.len());
                buffer.extend_from_slice(&bytes);
                let room = buffer.capacity();
                self.links[link].received += bytes.len();
                let received = self.links[link].received;
                // Twice what came and the read-ahead, which a buffer that grows may double.
                if room > 2 * received + 128 * 1024 {
                    self.checks
                        .broken("R5", format!("link {link} keeps {room} bytes for {received} received"));
                }
                self.frames_arrive(link);
            }
            Payload::Fin => {
                if self.links[link].server_open {
                    self.travel(link, true, Payload::Fin);
                }
                self.lost(link, LostWhy::Eof);
            }
            Payload::Reset => {
                self.links[link].up.clear();
                self.lost(link, LostWhy::Reset);
            }
        }
    }

    pub(super) fn frames_arrive(&mut self, link: usize) {
        while self.links[link].client_open {
            let (at, conn) = (self.links[link].client, self.links[link].conn);
            match self.links[link].framer.next_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    let (code, opaque) = (frame.header.code, frame.header.opaque);
                    let response = frame.header.kind == fusee_core::wire::Kind::Response;
                    self.note(
                        What::Hears,
                        link,
                        u64::from(code.cast_unsigned()),
                        u64::from(opaque.cast_unsigned()),
                    );
                    if frame.header.kind == fusee_core::wire::Kind::Request {
                        self.links[link].asked.insert(opaque);
                    }
                    if response && let Some(asked) = self.links[link].live.remove(&opaque) {
                        let server = self.links[link].server;
                        // A reply that is waited for; of a late one the core makes nothing.
                        let failures = self.clients[at].failures.entry(server).or_default();
                        if code == 1500 {
                            // No sign that the server serves: the next attempt waits as after a failure.
                            *failures += u32::from(!self.links[link].told_to_go);
                        } else if asked.at + 300_000 > self.now {
                            *failures = 0;
                        }
                        self.links[link].told_to_go |= code == 1500;
                        if let Some(key) = asked.key {
                            self.checks.replied(key, code, self.now);
                        }
                    }
                    self.poke(at, Input::Received(conn, frame));
                    if self.checks.found.is_some() {
                        return;
                    }
                }
                Err(error) => {
                    if !self.links[link].tampered && !self.checks.corrupted {
                        let text = format!("client {at} cannot read what a server sent: {error}");
                        return self.checks.broken("P3", text);
                    }
                    if self.links[link].server_open {
                        self.travel(link, true, Payload::Reset);
                    }
                    return self.lost(link, LostWhy::Protocol(error));
                }
            }
        }
    }
}
