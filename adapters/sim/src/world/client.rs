//! A client's process: the real core, driven by its contract, from its start to its end.

use std::collections::{BTreeMap, VecDeque};

use fusee_core::ids::{Address, ClientId, ConnId, ConsumerId, Group, ProducerId, Queue, Ticket};
use fusee_core::{Client, Config, ConnState, Input, Instant, Output, UnixMillis};

use super::link::Payload;
use super::plan::Kind;
use super::{Event, UNIX_AT_ZERO, What, World};
use crate::random::Random;

/// A process, in one of its lives or between two.
pub(super) struct Process {
    pub(super) life: u64,
    pub(super) random: Random,
    pub(super) core: Option<Client>,
    pub(super) producer: Option<ProducerId>,
    pub(super) consumer: Option<ConsumerId>,
    pub(super) links: BTreeMap<ConnId, usize>,
    pub(super) wake: u64,
    /// How often in a row it wanted to be woken at once.
    pub(super) spins: u32,
    pub(super) steps: u64,
    /// When it was last told of the time.
    pub(super) handled: u64,
    pub(super) suspended: bool,
    pub(super) ticket: u64,
    /// Sends that have not ended: when and with which key.
    pub(super) pending: BTreeMap<u64, (u64, usize)>,
    pub(super) calls: BTreeMap<u64, Call>,
    /// Per broker and queue: the offset taken next, and up to where everything was dealt with.
    pub(super) positions: BTreeMap<(usize, i32), (i64, i64)>,
    pub(super) moved: BTreeMap<(usize, i32), i64>,
    pub(super) last_taken: Option<(usize, i32)>,
    pub(super) queues: Vec<Queue>,
    pub(super) busy_until: u64,
    pub(super) closing_since: Option<u64>,
    /// Per server: connections that failed since it last answered, and until when the next attempt must come.
    pub(super) failures: BTreeMap<usize, u32>,
    pub(super) backing_off: BTreeMap<usize, u64>,
    /// When the last attempts were made.
    pub(super) dials: BTreeMap<usize, VecDeque<u64>>,
    pub(super) groups_changed: u64,
    /// When it last went back in its queues.
    pub(super) wandered: u64,
    /// When this life began.
    pub(super) born: u64,
    pub(super) sent_at: u64,
    /// How many sends it may have under way.
    pub(super) room: usize,
    /// Waits for room: granted or not.
    pub(super) rooms: BTreeMap<u64, Room>,
    /// Queues that give nothing.
    pub(super) paused: Vec<Queue>,
    /// Per broker and queue: up to where everything was dealt with before it went back.
    pub(super) high: BTreeMap<(usize, i32), i64>,
    /// When topics were last sent to that are sent to once.
    pub(super) churned: BTreeMap<String, u64>,
}

/// A send that waits for room before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) granted: bool,
    /// It will be dropped.
    pub(super) dropped: bool,
    pub(super) size: u64,
    pub(super) dice: u64,
    pub(super) queue: u64,
}

/// What an application waits for besides sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Connect,
    Queues,
    Close,
}

/// The send deadline, in microseconds.
pub(super) const DEADLINE: u64 = 3_000_000;
/// Time a connection and a route take after everything healed: registration, refresh, back-off.
pub(super) const SETTLES: u64 = 75_000_000;
pub(super) const GROUP: &str = "readers";

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
            wandered: 0,
            born: 0,
            sent_at: 0,
            room: usize::MAX,
            rooms: BTreeMap::new(),
            paused: Vec::new(),
            high: BTreeMap::new(),
            churned: BTreeMap::new(),
        }
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.ticket += 1;
        Ticket(self.ticket)
    }
}

impl World {
    pub(super) const fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// A process begins.
    pub(super) fn starts(&mut self, at: usize) {
        let (now, unix) = (self.instant(), UNIX_AT_ZERO + i64::try_from(self.now / 1_000).unwrap_or(0));
        let names =
            (0..self.plan.name_servers).map(|at| address(&self.servers[at].address.to_string())).collect();
        if self.clients[at].core.is_some() {
            return;
        }
        // What holds for all of a client's lives.
        let (jump, bound) = (self.of_life(Kind::C1, at), self.of_life(Kind::X1, at));
        let unix = unix + jump.map_or(0, |jump| (i64::try_from(jump).unwrap_or(0) - 500) * 7_200);
        let twin = self.of_life(Kind::A10, at).map(|_| (at + 1) % self.clients.len());
        let process = &mut self.clients[at];
        process.life += 1;
        let (of, life) = twin.map_or((at, process.life), |twin| (twin, 1));
        let id = ClientId::new(&format!("10.0.2.{}@{of}#{life}", of + 1)).expect("a client id");
        let seed = process.random.bits();
        let mut config = Config::new(names, id);
        process.room = config.send.admitted_messages;
        if let Some(bound) = bound.and_then(|bound| usize::try_from(bound).ok()) {
            process.room = bound;
            config.send.admitted_messages = bound;
            config.connections.in_flight = 1 + bound / 4;
        }
        let mut core = Client::new(config, seed, now, UnixMillis(unix));
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

    /// The amount of a fault that holds for all of a client's lives.
    pub(super) fn of_life(&mut self, kind: Kind, at: usize) -> Option<u64> {
        let fault = self.plan.faults.iter().find(|fault| fault.kind == kind && fault.client == Some(at))?;
        if kind != Kind::X1 {
            self.faults.fire(kind);
        }
        Some(fault.amount)
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
    pub(super) fn pump(&mut self, at: usize) {
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

    pub(super) fn waits(&mut self, at: usize, until: Instant) {
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
        if self.faults.amount(Kind::A7, at, usize::MAX).is_none() {
            self.settles_down(at); // what ended while it stood still
        }
        if self.faults.amount(Kind::C4, at, usize::MAX).is_some() {
            self.faults.fire(Kind::C4);
            self.poke(at, Input::Time);
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
    pub(super) fn closed(&mut self, at: usize) {
        let process = &mut self.clients[at];
        process.closing_since = None;
        if !process.pending.is_empty() {
            let text = format!("client {at} is closed, and {} sends have not ended", process.pending.len());
            return self.checks.broken("S4", text);
        }
        if let Some((room, _)) = process.rooms.iter().find(|(_, room)| !room.granted) {
            let text = format!("client {at} is closed, and the wait {room} for room has not ended");
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
