//! A client's process: the real core, driven by its contract, and an application on top of it.
#![expect(clippy::wildcard_enum_match_arm, reason = "what the checks do not look at needs no arm")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use fusee_core::error::{LostWhy, RejectedWhy, Stored};
use fusee_core::ids::{Address, ClientId, ConnId, ConsumerId, Group, ProducerId, Queue, Ticket, Topic};
use fusee_core::wire::{PropertyText, Request, Text};
use fusee_core::{
    Choice, Client, Config, ConnState, Input, Instant, Lost, Note, Outcome, Output, Prepared, PullConfig,
    StartFrom, UnixMillis, What as Sends,
};

use super::checks::id_of;
use super::faults::Connect;
use super::link::{Asked, Link, Payload, Taken};
use super::plan::Kind;
use super::{Event, TOPIC, UNIX_AT_ZERO, What, World};
use crate::random::Random;

/// A process, in one of its lives or between two.
pub(super) struct Process {
    pub(super) life: u64,
    pub(super) random: Random,
    pub(super) core: Option<Client>,
    producer: Option<ProducerId>,
    consumer: Option<ConsumerId>,
    pub(super) links: BTreeMap<ConnId, usize>,
    wake: u64,
    /// How often in a row it wanted to be woken at once.
    spins: u32,
    steps: u64,
    /// When it was last told of the time.
    handled: u64,
    pub(super) suspended: bool,
    ticket: u64,
    /// Sends that have not ended: when and with which key.
    pending: BTreeMap<u64, (u64, usize)>,
    calls: BTreeMap<u64, Call>,
    /// Per broker and queue: the offset taken next, and up to where everything was dealt with.
    positions: BTreeMap<(usize, i32), (i64, i64)>,
    moved: BTreeMap<(usize, i32), i64>,
    last_taken: Option<(usize, i32)>,
    queues: Vec<Queue>,
    busy_until: u64,
    pub(super) closing_since: Option<u64>,
    /// Per server: connections that failed since it last answered, and until when the next attempt must come.
    failures: BTreeMap<usize, u32>,
    backing_off: BTreeMap<usize, u64>,
    /// When the last attempts were made.
    dials: BTreeMap<usize, VecDeque<u64>>,
    groups_changed: u64,
    /// When this life began.
    born: u64,
    sent_at: u64,
}

/// What an application waits for besides sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Connect,
    Queues,
    Close,
}

/// The send deadline, in microseconds.
const DEADLINE: u64 = 3_000_000;
/// Time a connection and a route take after everything healed: registration, refresh, back-off.
const SETTLES: u64 = 75_000_000;
const GROUP: &str = "readers";

impl Process {
    pub(super) fn new(random: Random) -> Self {
        Self {
            life: 0,
            random,
            core: None,
            producer: None,
            consumer: None,
            links: BTreeMap::new(),
            wake: u64::MAX,
            spins: 0,
            steps: 0,
            handled: u64::MAX,
            suspended: false,
            ticket: 0,
            pending: BTreeMap::new(),
            calls: BTreeMap::new(),
            positions: BTreeMap::new(),
            moved: BTreeMap::new(),
            last_taken: None,
            queues: Vec::new(),
            busy_until: 0,
            closing_since: None,
            failures: BTreeMap::new(),
            backing_off: BTreeMap::new(),
            dials: BTreeMap::new(),
            groups_changed: 0,
            born: 0,
            sent_at: 0,
        }
    }

    fn next_ticket(&mut self) -> Ticket {
        self.ticket += 1;
        Ticket(self.ticket)
    }
}

impl World {
    const fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// A process begins.
    pub(super) fn starts(&mut self, at: usize) {
        let (now, unix) = (self.instant(), UNIX_AT_ZERO + i64::try_from(self.now / 1_000).unwrap_or(0));
        let names =
            (0..self.plan.name_servers).map(|at| address(&self.servers[at].address.to_string())).collect();
        let process = &mut self.clients[at];
        if process.core.is_some() {
            return;
        }
        process.life += 1;
        let id = ClientId::new(&format!("10.0.2.{}@{}#{}", at + 1, at, process.life)).expect("a client id");
        let seed = process.random.bits();
        let mut core = Client::new(Config::new(names, id), seed, now, UnixMillis(unix));
        let ticket = process.next_ticket();
        process.calls.insert(ticket.0, Call::Connect);
        core.connect(now, ticket);
        if at < self.plan.producers {
            let group = Group::new(&format!("senders-{at}")).expect("a group name");
            process.producer = core.open_producer(now, group).ok();
        }
        process.core = Some(core);
        process.born = self.now;
        process.groups_changed = self.now;
        let life = process.life;
        self.note(What::Starts, at, life, 0);
        self.pump(at);
        self.app(at, life);
    }

    /// A process is gone, without a word.
    pub(super) fn killed(&mut self, at: usize) {
        let process = &mut self.clients[at];
        let random = process.random.clone();
        let (life, suspended) = (process.life, process.suspended);
        let pending = std::mem::take(&mut process.pending);
        let links = std::mem::take(&mut process.links);
        *process = Process { life, suspended, ..Process::new(random) };
        for (_, key) in pending.into_values() {
            // Nobody is left to hear; to the checks its fate is unknown.
            self.checks.sends[key].end = Some(super::checks::End::Unknown);
        }
        for link in links.into_values() {
            if self.links[link].client_open {
                self.close_link(link, Payload::Reset);
            }
        }
    }

    /// Something happens to the core.
    pub(super) fn poke(&mut self, at: usize, input: Input) {
        let now = self.instant();
        let process = &mut self.clients[at];
        let Some(core) = &mut process.core else { return };
        core.handle(now, input);
        process.handled = self.now;
        process.steps += 1;
        if process.steps.is_multiple_of(64) {
            core.check();
        }
        self.pump(at);
    }

    /// Acts on the core's outputs, until it waits.
    fn pump(&mut self, at: usize) {
        loop {
            let Some(core) = &mut self.clients[at].core else { return };
            match core.poll() {
                Output::Wait(until) => return self.waits(at, until),
                Output::Dial(conn, address) => self.dial(at, conn, &address),
                Output::Hangup(conn) => self.hang_up(at, conn),
                Output::Ready(conn) => {
                    if let Some(link) = self.clients[at].links.get(&conn).copied() {
                        self.flush(link);
                    }
                }
                Output::Done(ticket, outcome) => self.done(at, ticket, outcome),
                Output::Deliver(_) => self.takes(at),
                Output::Note(note) => self.noted(at, note),
            }
        }
    }

    fn waits(&mut self, at: usize, until: Instant) {
        let (now, until) = (self.now, until.micros());
        let late = self.faults.amount(Kind::C3, at, usize::MAX);
        let process = &mut self.clients[at];
        // What commands do takes no time; what is due happens when the core is told of the time.
        if process.handled == now
            && let Some((_, (since, key))) = process.pending.first_key_value()
            && since + DEADLINE <= now
        {
            let text = format!("message {key} of client {at}, sent at {since} µs, has not ended at {now} µs");
            return self.checks.broken("S4", text);
        }
        if let Some(since) = process.closing_since
            && process.handled == now
            && since + 10_000_000 <= now
        {
            return self
                .checks
                .broken("L6", format!("client {at}, told to close at {since} µs, has not at {now} µs"));
        }
        process.spins = if until <= now && process.handled == now { process.spins + 1 } else { 0 };
        if process.spins > 3 {
            return self
                .checks
                .broken("R11", format!("client {at} spins: wants to be woken at {until} µs, now is {now}"));
        }
        self.check_backoff(at);
        let mut wake = until.max(now);
        if let Some(most) = late
            && until != u64::MAX
        {
            self.faults.fire(Kind::C3);
            wake += self.random.below(most * 1_000 + 1);
        }
        let process = &mut self.clients[at];
        if wake != u64::MAX && (wake < process.wake || process.wake < now || late.is_some()) {
            process.wake = wake;
            self.schedule(wake, Event::Wake { client: at, at: wake });
        }
    }

    pub(super) fn wake(&mut self, at: usize, due: u64) {
        let process = &mut self.clients[at];
        if process.wake != due {
            return;
        }
        process.wake = u64::MAX;
        if process.suspended {
            return;
        }
        self.poke(at, Input::Time);
        if self.faults.amount(Kind::C4, at, usize::MAX).is_some() {
            self.faults.fire(Kind::C4);
            self.poke(at, Input::Time);
        }
    }

    fn dial(&mut self, at: usize, conn: ConnId, address: &Address) {
        let name = address.to_string();
        let (current, stale) = (self.addresses.get(&name).copied(), self.stale.get(&name).copied());
        let Some(server) = current.or(stale) else {
            if self.checks.corrupted {
                return; // nobody is there, and nobody says so
            }
            return self.checks.broken("P3", format!("client {at} dials {address}, which nobody told it"));
        };
        let life = self.clients[at].life;
        let open = self.clients[at].links.values().any(|link| {
            let link = &self.links[*link];
            let same = link.server == server && link.life == life && link.port == address.port();
            same && link.client_open && !link.told_to_go
        });
        if open {
            return self.checks.broken("R4", format!("client {at} dials server {server} a second time"));
        }
        self.clients[at].backing_off.remove(&server);
        // Full jitter from 50 ms on: a hundred attempts take seconds, whatever it draws.
        let dials = self.clients[at].dials.entry(server).or_default();
        dials.push_back(self.now);
        if dials.len() > 100 && dials.pop_front().is_some_and(|first| first + 1_000_000 > self.now) {
            self.checks
                .broken("R7", format!("client {at} dialled server {server} a hundred times in a second"));
        }
        let link = self.links.len();
        let mut state = Link::new(at, life, conn, server);
        state.port = address.port();
        self.links.push(state);
        self.clients[at].links.insert(conn, link);
        self.note(What::Dial, at, u64::try_from(server).unwrap_or(0), u64::try_from(link).unwrap_or(0));
        let delay = self.faults.delay(&mut self.random, at, server, true, 0);
        let due = self.now + 100 + self.random.below(400) + delay;
        self.schedule(due, Event::Meets { link });
    }

    /// What becomes of a connect.
    pub(super) fn meets(&mut self, link: usize) {
        let Link { client: at, server, conn, life, client_open, .. } = self.links[link];
        if !client_open || self.clients[at].life != life {
            return;
        }
        if self.clients[at].suspended {
            return self.schedule(self.now + 50_000, Event::Meets { link });
        }
        let dead = self.servers[server].machine.is_dead();
        let moved = self.links[link].port != self.servers[server].address.port();
        let connect = self.faults.connect(self.now, at, server);
        if dead && self.servers[server].silent && connect != Connect::NoSocket {
            return;
        }
        match connect {
            Connect::NoSocket => self.lost(link, LostWhy::Io("too many open files".into())),
            Connect::Refused => self.lost(link, LostWhy::Refused),
            Connect::Nothing => {}
            Connect::Up if dead || moved => self.lost(link, LostWhy::Refused),
            Connect::Up => {
                self.accept(link);
                let now = self.now;
                let state = &mut self.links[link];
                (state.connected, state.up_since) = (true, now);
                self.note(What::Up, at, u64::try_from(link).unwrap_or(0), 0);
                self.poke(at, Input::Connected(conn));
            }
        }
    }

    /// The driver's end of a connection is over; the core hears of it.
    fn lost(&mut self, link: usize, why: LostWhy) {
        let Link { client: at, server, conn, started, connected, .. } = self.links[link];
        self.links[link].client_open = false;
        self.links[link].queue.clear();
        self.clients[at].links.remove(&conn);
        self.note(What::Lost, at, u64::try_from(link).unwrap_or(0), u64::from(connected));
        let failures = self.clients[at].failures.entry(server).or_default();
        *failures += 1;
        // 50 ms doubling to 2 s, whatever the jitter draws; one doubling more, for a failure only the core counts.
        let most = (50_000_u64 << (*failures).min(10)).min(2_000_000);
        let until = self.now + most + 1;
        self.poke(at, Input::Lost(conn, Lost { why, started }));
        let address = self.servers[server].address.to_string();
        if self.state_of(at, &address) == Some(ConnState::Backoff) {
            self.clients[at].backing_off.insert(server, until);
        }
    }

    fn state_of(&self, at: usize, address: &str) -> Option<ConnState> {
        let core = self.clients[at].core.as_ref()?;
        core.connections().find(|of| of.address.as_str() == address).map(|of| of.state)
    }

    /// R7: the next attempt comes within the back-off that the failures so far allow.
    fn check_backoff(&mut self, at: usize) {
        let now = self.now;
        if self.clients[at].backing_off.values().all(|until| *until >= now) {
            return;
        }
        let over =
            self.clients[at].backing_off.iter().find(|(_, until)| **until < now).map(|(s, u)| (*s, *u));
        if let Some((server, until)) = over {
            self.clients[at].backing_off.remove(&server);
            let address = self.servers[server].address.to_string();
            let late = self.faults.amount(Kind::C3, at, usize::MAX).is_some();
            if !late && self.state_of(at, &address) == Some(ConnState::Backoff) {
                let failures = self.clients[at].failures.get(&server).copied().unwrap_or(0);
                let text = format!(
                    "client {at} still backs off from server {server} at {now} µs, due at {until} µs after {failures} failures"
                );
                self.checks.broken("R7", text);
            }
        }
    }

    fn hang_up(&mut self, at: usize, conn: ConnId) {
        let Some(link) = self.clients[at].links.remove(&conn) else { return };
        let (server, life) = (self.links[link].server, self.links[link].life);
        self.note(What::Hangup, at, u64::try_from(link).unwrap_or(0), 0);
        // Its own hang-ups count as failures to the core, and end the back-off's grace for the checks.
        *self.clients[at].failures.entry(server).or_default() += 1;
        self.close_link(link, Payload::Fin);
        self.schedule(self.now + 10, Event::HungUp { client: at, life, conn });
    }

    fn close_link(&mut self, link: usize, how: Payload) {
        let state = &mut self.links[link];
        state.client_open = false;
        state.queue.clear();
        state.live.clear();
        if state.server_open {
            self.travel(link, true, how);
        }
    }

    pub(super) fn hung_up(&mut self, at: usize, life: u64, conn: ConnId) {
        if self.clients[at].life == life {
            self.poke(at, Input::Lost(conn, Lost { why: LostWhy::Closed, started: 0 }));
        }
    }

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
    fn take(&mut self, link: usize) -> bool {
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

    fn asks(&mut self, link: usize, request: &Request) -> Asked {
        let mut asked = Asked { code: request.code(), at: self.now, key: None, queue: None };
        match request {
            Request::Send(send) => {
                let id = crate::codec::properties::property(send.properties.as_str(), "UNIQ_KEY");
                asked.key = id.and_then(super::checks::key_of);
            }
            Request::Pull(pull) => {
                asked.queue = Some((self.links[link].server, pull.queue));
                let since = self.now.saturating_sub(9_000_000);
                let other =
                    self.links[link].live.values().find(|live| live.queue == asked.queue && live.at > since);
                // One that a new assignment made obsolete may still be under way; queues are reassigned seldom.
                if let Some(other) = other.copied()
                    && self.clients[self.links[link].client].groups_changed + 40_000_000 < self.now
                {
                    let text =
                        format!("a second pull for queue {:?}, the first is of {} µs", other.queue, other.at);
                    self.checks.broken("P8", text);
                }
            }
            Request::Heartbeat(_) => self.links[link].heartbeat_at = Some(self.now),
            _ => {}
        }
        self.check_heartbeat(link);
        asked
    }

    /// P4: while a connection to a broker is up, a heartbeat leaves at least every 30 seconds.
    fn check_heartbeat(&mut self, link: usize) {
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
            && self.now > self.plan.heals * 1_000 + 60_000_000
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
            {
                self.travel(link, true, Payload::Reset);
            }
            return;
        }
        match payload {
            Payload::Bytes(bytes) => {
                self.links[link].framer.spare(bytes.len()).extend_from_slice(&bytes);
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

    fn frames_arrive(&mut self, link: usize) {
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

    /// One send of a stretch of work, and the time of the next.
    pub(super) fn works(&mut self, index: usize) {
        let work = self.plan.work[index];
        if self.now >= work.until * 1_000 {
            return;
        }
        let random = &mut self.work[index];
        let gap = 1 + random.below(work.every * 2_000);
        let size = random.below(work.bytes);
        let dice = random.below(100);
        let queue = random.below(8);
        self.send(work.client, size, dice, queue);
        self.schedule(self.now + gap, Event::Work { index });
    }

    pub(super) fn send(&mut self, at: usize, size: u64, dice: u64, queue: u64) {
        let now = self.instant();
        if self.clients[at].suspended || self.clients[at].closing_since.is_some() {
            return;
        }
        let Some(producer) = self.clients[at].producer else { return };
        let (topic, choice) = match dice {
            0..5 => (format!("made-{}", queue % 3), Choice::Any),
            5..15 => {
                let broker = format!("broker-{}", queue % 2);
                let queue = i32::try_from(queue / 2).unwrap_or(0) % self.plan.queues;
                let named = Queue {
                    topic: Topic::new(TOPIC).expect("a topic name"),
                    broker: fusee_core::ids::BrokerName::new(&broker).expect("a broker name"),
                    queue,
                };
                (TOPIC.to_owned(), Choice::Queue(named))
            }
            _ => (TOPIC.to_owned(), Choice::Any),
        };
        let any = choice == Choice::Any && topic == TOPIC;
        let key = self.checks.sends.len();
        let size = usize::try_from(size).unwrap_or(0) + 16;
        let from = key * 37 % (self.noise.len() - size);
        let body = self.noise.slice(from..from + size);
        self.checks.invoke(at, self.now, body.clone(), any);
        let id = id_of(key);
        let mut properties = PropertyText::new();
        let tag = if dice.is_multiple_of(2) { "even" } else { "odd" };
        properties.put("TAGS", tag).expect("a tag");
        properties.put("UNIQ_KEY", &id).expect("an id");
        let properties = properties.finish();
        self.checks.sends[key].properties = properties.as_str().to_owned();
        let message = Prepared {
            topic: Topic::new(&topic).expect("a topic name"),
            id: Text::from(id),
            properties,
            body,
            sys_flag: 0,
            flag: 7,
            born: UnixMillis(UNIX_AT_ZERO),
        };
        let process = &mut self.clients[at];
        let ticket = process.next_ticket();
        let Some(core) = &mut process.core else { return };
        process.sent_at = self.now;
        let result = core.producer(producer).send(now, message, choice, ticket);
        self.note(What::Invoke, at, u64::try_from(key).unwrap_or(0), ticket.0);
        match result {
            Ok(()) => drop(self.clients[at].pending.insert(ticket.0, (self.now, key))),
            Err(rejected) => {
                self.checks.failed(key, false, "rejected");
                self.note(What::Rejected, at, u64::try_from(key).unwrap_or(0), 0);
                if rejected.why == RejectedWhy::Full && self.clients[at].pending.len() < 60_000 {
                    self.checks.broken("R1", format!("client {at} has no room for message {key}"));
                }
            }
        }
        self.pump(at);
    }

    fn done(&mut self, at: usize, ticket: Ticket, outcome: Outcome) {
        self.clients[at].calls.remove(&ticket.0);
        match outcome {
            Outcome::Sent(result) => {
                let Some((since, key)) = self.clients[at].pending.remove(&ticket.0) else {
                    return self
                        .checks
                        .broken("S4", format!("client {at} hears of ticket {} again", ticket.0));
                };
                let number = u64::try_from(key).unwrap_or(0);
                match result {
                    Ok(receipt) => {
                        let name = receipt.queue.broker.as_str();
                        let broker =
                            name.strip_prefix("broker-").and_then(|number| number.parse::<usize>().ok());
                        let server = broker.map_or(usize::MAX, |broker| broker + self.plan.name_servers);
                        self.checks.stored(key, &receipt, server);
                        self.note(What::Stored, at, number, receipt.offset.cast_unsigned());
                    }
                    Err(error) => {
                        let unknown = error.stored() == Stored::Unknown;
                        self.checks.failed(key, unknown, &error.to_string());
                        self.note(if unknown { What::Unknown } else { What::NotStored }, at, number, 0);
                        let closing = self.clients[at].closing_since.is_some();
                        let settled = self.plan.heals * 1_000 + SETTLES;
                        let born = self.clients[at].groups_changed + 10_000_000;
                        if self.healed
                            && since > settled
                            && since > born
                            && !closing
                            && !self.checks.corrupted
                        {
                            self.checks.broken(
                                "L1",
                                format!("message {key} fails long after all is healed: {error}"),
                            );
                        }
                    }
                }
            }
            Outcome::Connected(Err(_)) => {
                let (now, process) = (self.instant(), &mut self.clients[at]);
                let ticket = process.next_ticket();
                if process.closing_since.is_none()
                    && let Some(core) = &mut process.core
                {
                    process.calls.insert(ticket.0, Call::Connect);
                    core.connect(now, ticket);
                }
            }
            Outcome::Queues(Ok(queues)) => self.reads(at, queues),
            Outcome::Closed(_) => {
                self.note(What::Close, at, 1, 0);
                self.closed(at);
            }
            _ => {}
        }
    }

    /// The application's rounds: consumers look for queues.
    pub(super) fn app(&mut self, at: usize, life: u64) {
        let now = self.instant();
        if self.clients[at].life != life {
            return;
        }
        let process = &mut self.clients[at];
        if at >= self.plan.producers && process.closing_since.is_none() && !process.suspended {
            let ticket = process.next_ticket();
            if let Some(core) = &mut process.core {
                process.calls.insert(ticket.0, Call::Queues);
                core.queues(now, &Topic::new(TOPIC).expect("a topic name"), ticket);
            }
            self.pump(at);
        }
        let again = if self.clients[at].queues.is_empty() { 1_000_000 } else { 30_000_000 };
        if at >= self.plan.producers {
            self.schedule(self.now + again, Event::App { client: at, life });
        }
    }

    /// What kept the application busy is over.
    pub(super) fn free(&mut self, at: usize, life: u64) {
        if self.clients[at].life == life && self.now >= self.clients[at].busy_until {
            self.takes(at);
            self.pump(at);
        }
    }

    /// A consumer learns of the topic's queues: every second one is its own.
    fn reads(&mut self, at: usize, mut queues: Vec<Queue>) {
        let now = self.instant();
        queues.sort();
        let index = at - self.plan.producers;
        let mine = |queue: &Queue| {
            let broker = queue.broker.as_str().bytes().last().map_or(0, usize::from);
            (usize::try_from(queue.queue).unwrap_or(0) + broker) % self.plan.consumers == index
        };
        queues.retain(mine);
        let process = &mut self.clients[at];
        // A broker that is away for a moment takes its queues out of the route; they stay this reader's.
        if process.closing_since.is_some() || queues.iter().all(|queue| process.queues.contains(queue)) {
            return;
        }
        let missing: Vec<Queue> =
            queues.iter().filter(|queue| !process.queues.contains(queue)).cloned().collect();
        process.queues.extend(missing);
        let Some(core) = &mut process.core else { return };
        process.groups_changed = self.now;
        match process.consumer {
            Some(consumer) => core.consumer(consumer).assign(now, &process.queues),
            None => {
                let mut config = PullConfig::new(Group::new(GROUP).expect("a group name"));
                config.from = StartFrom::First;
                process.consumer = core.open_pull(now, config, &process.queues).ok();
            }
        }
    }

    /// Messages are there: the application takes them, unless it is busy.
    fn takes(&mut self, at: usize) {
        let now = self.instant();
        loop {
            let process = &mut self.clients[at];
            if process.suspended || self.now < process.busy_until || process.closing_since.is_some() {
                return;
            }
            let (Some(core), Some(consumer)) = (&mut process.core, process.consumer) else { return };
            // Coming back for more says that what came before is dealt with.
            if let Some(last) = process.last_taken.take()
                && let Some(position) = process.positions.get_mut(&last)
            {
                position.1 = position.0;
            }
            let Some(pulled) = core.consumer(consumer).take(now) else { return };
            let name = pulled.queue.broker.as_str();
            let broker =
                name.strip_prefix("broker-").and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
            let place = (broker + self.plan.name_servers, pulled.queue.queue);
            let expected = process.positions.get(&place).map(|position| position.0);
            let moved = process.moved.remove(&place);
            if expected.is_none() {
                self.checks.begins(place, pulled.from, process.born);
            }
            let process = &mut self.clients[at];
            process.positions.insert(place, (pulled.next, expected.unwrap_or(pulled.from).min(pulled.from)));
            process.last_taken = Some(place);
            if let Some(expected) = expected
                && expected != pulled.from
                && moved != Some(pulled.from)
                && !self.checks.corrupted
                && !self.checks.is_disturbed(place.0, place.1)
            {
                let text = format!(
                    "client {at} queue {}: taken up to {expected}, then from {}",
                    pulled.queue, pulled.from
                );
                return self.checks.broken("S11", text);
            }
            self.note(What::Took, at, pulled.from.cast_unsigned(), pulled.next.cast_unsigned());
            self.checks.read(place.0, &pulled);
            if let Some(most) = self.faults.amount(Kind::A1, at, usize::MAX) {
                self.faults.fire(Kind::A1);
                let until = self.now + self.random.below(most * 1_000 + 1);
                let process = &mut self.clients[at];
                process.busy_until = until;
                let life = process.life;
                self.schedule(until, Event::Free { client: at, life });
            }
        }
    }

    /// How far the client at this end of a link has dealt with a queue.
    pub(super) fn settled(&self, link: usize, server: usize, queue: i32) -> i64 {
        let process = &self.clients[self.links[link].client];
        if process.core.is_none() || process.life != self.links[link].life {
            return i64::MAX; // the word of a life that is over
        }
        let Some((taken, settled)) = process.positions.get(&(server, queue)).copied() else {
            return 0; // reading begins at the oldest message, and says so
        };
        // A consumer that is closed has dealt with all it took.
        if process.last_taken == Some((server, queue)) { settled } else { taken }
    }

    fn noted(&mut self, at: usize, note: Note) {
        if let Note::OffsetMoved { queue, to, .. } = note {
            let broker = queue.broker.as_str().strip_prefix("broker-").and_then(|n| n.parse::<usize>().ok());
            let place = (broker.unwrap_or(0) + self.plan.name_servers, queue.queue);
            self.clients[at].moved.insert(place, to);
        }
    }

    /// A client is told to close.
    pub(super) fn closes(&mut self, at: usize) {
        let (now, process) = (self.instant(), &mut self.clients[at]);
        if process.closing_since.is_some() || process.suspended {
            return;
        }
        let ticket = process.next_ticket();
        let Some(core) = &mut process.core else { return };
        process.closing_since = Some(self.now);
        process.calls.insert(ticket.0, Call::Close);
        core.close(now, ticket);
        self.note(What::Close, at, 0, 0);
        self.pump(at);
    }

    /// R2: a closed client holds nothing.
    fn closed(&mut self, at: usize) {
        let process = &mut self.clients[at];
        process.closing_since = None;
        if !process.pending.is_empty() {
            let text = format!("client {at} is closed, and {} sends have not ended", process.pending.len());
            return self.checks.broken("S4", text);
        }
        let Some(core) = process.core.take() else { return };
        core.check();
        let (pending, next) = (core.pending_sends(), core.next_alarm());
        let busy = core.connections().any(|of| of.state != ConnState::Idle);
        let mut core = core;
        let mut left = Vec::new();
        loop {
            match core.poll() {
                Output::Wait(_) => break,
                Output::Hangup(conn) => left.push(conn),
                Output::Done(..) | Output::Note(_) | Output::Deliver(_) | Output::Ready(_) => {}
                Output::Dial(..) => {
                    return self.checks.broken("R2", format!("client {at} dials after it closed"));
                }
            }
        }
        for conn in left {
            self.hang_up(at, conn);
        }
        let open = self.clients[at].links.len();
        if pending > 0 || busy || next.is_some() || open > 0 {
            let text = format!(
                "client {at} is closed with {pending} sends, {open} connections, busy {busy}, next alarm {next:?}"
            );
            self.checks.broken("R2", text);
        }
        self.killed(at);
    }

    pub(super) fn close_all(&mut self) {
        for at in 0..self.clients.len() {
            self.closes(at);
        }
    }

    pub(super) fn finish_clients(&mut self) {
        for at in 0..self.clients.len() {
            if self.clients[at].closing_since.is_some() {
                self.checks.broken("L6", format!("client {at} has not closed"));
            }
        }
    }

    pub(super) fn suspend(&mut self, at: usize, suspended: bool) {
        self.clients[at].suspended = suspended;
        if !suspended {
            let wake = self.now + 1;
            self.clients[at].wake = wake;
            self.schedule(wake, Event::Wake { client: at, at: wake });
            self.release();
            for link in self.clients[at].links.values().copied().collect::<Vec<_>>() {
                self.flush(link);
            }
        }
    }
}

fn address(text: &str) -> Address {
    Address::new(text).expect("an address")
}
