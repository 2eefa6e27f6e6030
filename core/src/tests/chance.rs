//! A driver and a cluster that do what chance tells them: dials that fail or hang, requests that are taken and not
//! written, written and not executed, executed late, answered twice, late, with refusals or with nonsense.
//!
//! Laws, checked after every step: the machine's own; R11 (alarms make progress); P6 (nothing is taken from a
//! connection that is over); what the workloads beside this file say of sends and of reading.
//!
//! Every choice follows from one seed, which a failure prints. `FUSEE_SEEDS=first..end` tries others.

mod reads;
mod sends;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::error::LostWhy;
use crate::event::Output;
use crate::ids::{Address, ClientId, ConnId, Ticket};
use crate::rng::Rng;
use crate::wire::{Fields, Frame, Header, Kind, Language, RawRequest, Request, Text};
use crate::{Client, Config, Input, Instant, Lost, Outcome, Outgoing, UnixMillis, What};

const BROKERS: [&str; 2] = ["a", "b"];

/// Whether a connection is being made, made, or of no more use to the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Dialing,
    Up,
    /// Hung up by the machine: the peer may still get what was taken, and nobody hears its answers.
    HungUp,
}

struct Wire {
    peer: String,
    line: Line,
    ready: bool,
    /// Said so since the last take.
    told: bool,
    /// Taken by the driver and not written.
    unwritten: VecDeque<Outgoing>,
    /// Requests of which a byte was written.
    started: u64,
}

/// What happens later.
enum Deed {
    /// The peer executes a request.
    Execute(ConnId, i32, Request),
    /// The peer's answer arrives.
    Answer(ConnId, Frame),
}

/// One message in a store.
struct Stored {
    token: u64,
    broker: String,
    queue: i32,
    offset: i64,
}

struct World {
    client: Client,
    rng: Rng,
    now: Instant,
    wait: Instant,
    wires: BTreeMap<ConnId, Wire>,
    /// Whose servers said that they go away.
    told_to_go: BTreeSet<ConnId>,
    deeds: BTreeMap<(Instant, u64), Deed>,
    deed: u64,
    next_ticket: u64,
    done: BTreeMap<Ticket, (Instant, Outcome)>,
    /// By when the commands end that are no sends.
    due: BTreeMap<Ticket, Instant>,
    /// Of a hundred dials, requests or moments, so many go wrong.
    trouble: u32,
    /// How often chance had its way, by what it did: a run in which nothing goes wrong shows nothing.
    happened: BTreeMap<&'static str, u32>,
    stored: Vec<Stored>,
    ends: BTreeMap<(String, i32), i64>,
    deadline_of_connect: Duration,
    sends: sends::Sends,
    reads: reads::Reads,
}

impl World {
    fn new(seed: u64, config: impl FnOnce(&mut Rng, &mut Config)) -> Self {
        let mut rng = Rng::new(seed);
        let servers = (0..1 + rng.below(2)).map(|n| alloc::format!("ns{n}:9876"));
        let servers = servers.map(|server| Address::new(&server).expect("an address")).collect();
        let mut settings = Config::new(servers, ClientId::new("tester").expect("an id"));
        settings.connections.per_broker = 1 + rng.below(2);
        if rng.below(3) == 0 {
            settings.connections.life_max = Some(millis(200 + rng.below(20_000)));
        }
        if rng.below(3) == 0 {
            settings.connections.idle_close = Some(millis(200 + rng.below(20_000)));
        }
        if rng.below(4) == 0 {
            settings.connections.in_flight = 1 + rng.below(4) as usize;
        }
        config(&mut rng, &mut settings);
        let now = Instant::from_micros(1_000_000);
        let deadline_of_connect = settings.connect_deadline;
        let trouble = [0, 5, 20, 50][rng.below(4) as usize];
        Self {
            client: Client::new(settings, seed, now, UnixMillis(1_700_000_000_000)),
            rng,
            now,
            wait: now,
            wires: BTreeMap::new(),
            told_to_go: BTreeSet::new(),
            deeds: BTreeMap::new(),
            deed: 0,
            next_ticket: 0,
            done: BTreeMap::new(),
            due: BTreeMap::new(),
            trouble,
            happened: BTreeMap::new(),
            stored: Vec::new(),
            ends: BTreeMap::new(),
            deadline_of_connect,
            sends: sends::Sends::default(),
            reads: reads::Reads::default(),
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Whether something goes wrong now.
    fn wrong(&mut self, what: &'static str) -> bool {
        let wrong = self.rng.below(100) < self.trouble;
        *self.happened.entry(what).or_default() += u32::from(wrong);
        wrong
    }

    /// Drains the outputs and holds them against every law.
    fn drain(&mut self) {
        for _ in 0..100_000 {
            self.client.check();
            match self.client.poll() {
                Output::Dial(conn, address) => {
                    let peer = address.as_str().to_string();
                    let twice = self.wires.values().any(|w| w.peer == peer && w.line == Line::Dialing);
                    assert!(!twice || self.client_lanes() > 1, "R4: {peer} is dialled twice at once");
                    let wire = Wire {
                        peer,
                        line: Line::Dialing,
                        ready: false,
                        told: false,
                        unwritten: VecDeque::new(),
                        started: 0,
                    };
                    self.wires.insert(conn, wire);
                }
                Output::Hangup(conn) => {
                    let wire = self.wires.get_mut(&conn).expect("only what was dialled is hung up");
                    assert!(wire.line != Line::HungUp, "a connection is hung up once");
                    wire.line = Line::HungUp;
                }
                Output::Ready(conn) => {
                    let wire = self.wires.get_mut(&conn).expect("only what was dialled is ready");
                    assert!(
                        wire.line == Line::Up && !wire.told,
                        "Ready is said once, of a connection that is up"
                    );
                    (wire.ready, wire.told) = (true, true);
                }
                Output::Done(ticket, outcome) => self.ended(ticket, outcome),
                Output::Deliver(_) | Output::Note(_) => {}
                Output::Wait(at) => {
                    self.wait = at;
                    let (now, done) = (self.now, &self.done);
                    self.due.retain(|ticket, due| {
                        let ended = done.contains_key(ticket);
                        assert!(ended || *due > now, "S4: {ticket:?} has not ended by its deadline");
                        !ended
                    });
                    return self.check_sends();
                }
            }
        }
        panic!("R11: outputs without end");
    }

    fn client_lanes(&self) -> usize {
        self.client.connections().map(|connection| connection.lane).max().unwrap_or(0) as usize + 1
    }

    fn ended(&mut self, ticket: Ticket, outcome: Outcome) {
        let before = self.done.insert(ticket, (self.now, outcome));
        assert!(before.is_none(), "S4: {ticket:?} ended twice, first as {before:?}");
    }

    fn handle(&mut self, input: Input) {
        self.client.handle(self.now, input);
        self.drain();
    }

    /// Lets time pass, by `most` at most; sometimes the driver oversleeps.
    fn sleep(&mut self, most: Duration) {
        let wish = self.now + self.rng.jitter(most);
        let deed = self.deeds.keys().next().map_or(Instant::NEVER, |(at, _)| *at);
        let late = if self.wrong("overslept") { self.rng.jitter(millis(100)) } else { Duration::ZERO };
        self.now = self.now.max(wish.min(self.wait).min(deed) + late);
        let mut idle = 0;
        loop {
            self.handle(Input::Time);
            if self.wait > self.now {
                break;
            }
            idle += 1;
            assert!(idle < 3, "R11: alarms without progress");
        }
        while let Some((&(at, _), _)) = self.deeds.first_key_value()
            && at <= self.now
        {
            match self.deeds.pop_first().expect("just seen").1 {
                Deed::Execute(conn, opaque, request) => self.execute(conn, opaque, &request),
                Deed::Answer(conn, frame) => self.arrive(conn, frame),
            }
        }
    }

    fn later(&mut self, most: Duration, deed: Deed) {
        self.deed += 1;
        let at = self.now + self.rng.jitter(most);
        self.deeds.insert((at, self.deed), deed);
    }

    /// An answer arrives, if anybody is there; some arrive twice.
    fn arrive(&mut self, conn: ConnId, frame: Frame) {
        if frame.header.code == 1500 && self.wires.get(&conn).is_some_and(|wire| wire.line == Line::Up) {
            self.told_to_go.insert(conn);
        }
        // Also what comes on a connection that was hung up is told: it must change nothing.
        if self.wires.contains_key(&conn) {
            if self.wrong("answered twice") {
                self.handle(Input::Received(conn, frame.clone()));
            }
            self.handle(Input::Received(conn, frame));
        }
    }

    /// One thing of all that could happen to the connections does.
    fn connections_step(&mut self) {
        let conns: Vec<ConnId> = self.wires.keys().copied().collect();
        if let Some(conn) = conns.get(self.rng.below(conns.len() as u32) as usize) {
            self.connection_step(*conn);
        }
    }

    fn connection_step(&mut self, conn: ConnId) {
        let Some(line) = self.wires.get(&conn).map(|wire| wire.line) else { return };
        match line {
            Line::Dialing => {
                if self.wrong("refused") {
                    self.lose(conn, LostWhy::Refused);
                } else if !self.wrong("black hole") {
                    self.wires.get_mut(&conn).expect("there").line = Line::Up;
                    self.handle(Input::Connected(conn));
                }
            }
            Line::Up if self.rng.below(40) == 0 && self.wrong("reset") => self.lose(conn, LostWhy::Reset),
            Line::Up => self.carry(conn),
            // What the wire had taken may still be written, then the driver's last word comes.
            Line::HungUp => {
                while !self.wires[&conn].unwritten.is_empty() && self.rng.below(2) == 0 {
                    self.write(conn);
                }
                self.lose(conn, LostWhy::Closed);
            }
        }
    }

    /// Takes some and writes some.
    fn carry(&mut self, conn: ConnId) {
        let budget = if self.rng.below(2) == 0 { 1 + self.rng.below(2000) as usize } else { usize::MAX };
        let wire = self.wires.get_mut(&conn).expect("there");
        if wire.ready || self.rng.below(8) == 0 {
            let before = wire.unwritten.len();
            self.client.take(conn, budget, &mut wire.unwritten);
            (wire.ready, wire.told) = (wire.unwritten.len() > before, false);
            let taken: Vec<Outgoing> = wire.unwritten.range(before..).cloned().collect();
            assert!(taken.is_empty() || !self.told_to_go.contains(&conn), "P6: more is sent after GO_AWAY");
            for outgoing in taken {
                if let What::Call(request) = outgoing.what {
                    self.taken(&request);
                }
            }
            self.client.check();
        }
        if !self.wrong("nothing was written") {
            while !self.wires[&conn].unwritten.is_empty() && self.rng.below(8) != 0 {
                self.write(conn);
            }
        }
    }

    /// Somebody asks for something that is neither a send nor reading, or a peer does.
    fn other_step(&mut self) {
        let (ticket, now) = (self.ticket(), self.now);
        match self.rng.below(5) {
            0 => {
                self.due.insert(ticket, now + Duration::from_secs(3));
                self.client.queues(now, &super::bench::queue("a", 0).topic, ticket);
            }
            1 => {
                self.due.insert(ticket, now + self.deadline_of_connect);
                self.client.connect(now, ticket);
            }
            2 => {
                let patience = self.rng.jitter(Duration::from_secs(5));
                self.due.insert(ticket, now + patience);
                let to = ["a:1", "b:1", "ns0:9876", "c:1"][self.rng.below(4) as usize];
                let request = RawRequest { code: 28, fields: Fields::default(), body: Bytes::new() };
                let to = Address::new(to).expect("an address");
                self.client.call(now, &to, Request::Raw(request.into()), patience, ticket);
            }
            3 => self.quiet(),
            _ => {
                let conns: Vec<ConnId> = self.wires.keys().copied().collect();
                let Some(conn) = conns.get(self.rng.below(conns.len() as u32) as usize) else { return };
                let mut asked = frame(i32::MIN, 40, &[], Bytes::new());
                asked.header.kind = if self.rng.below(2) == 0 { Kind::Request } else { Kind::Oneway };
                self.client.handle(now, Input::Received(*conn, asked));
            }
        }
        self.drain();
    }

    /// A request was handed over.
    fn taken(&mut self, request: &Request) {
        self.sends.taken(request, &self.done);
        self.reads.taken(request);
    }

    /// The next frame that was taken goes out whole.
    fn write(&mut self, conn: ConnId) {
        let wire = self.wires.get_mut(&conn).expect("there");
        let Some(outgoing) = wire.unwritten.pop_front() else { return };
        let What::Call(request) = outgoing.what else { return };
        wire.started += 1;
        self.sends.started(&request);
        let slow = if self.wrong("slow") { millis(6000) } else { millis(20) };
        if !self.wrong("dropped by the peer") {
            self.later(slow, Deed::Execute(conn, outgoing.opaque, request));
        }
    }

    fn lose(&mut self, conn: ConnId, why: LostWhy) {
        // Half of a frame may have got out: it counts as started, and the peer does nothing with it.
        let half = self.rng.below(2) == 0;
        let wire = self.wires.remove(&conn).expect("there");
        let mut started = wire.started;
        if let Some(Outgoing { what: What::Call(request), .. }) = wire.unwritten.front().filter(|_| half) {
            started += 1;
            self.sends.started(request);
        }
        self.handle(Input::Lost(conn, Lost { why, started }));
    }

    /// A peer does what it is asked.
    fn execute(&mut self, conn: ConnId, opaque: i32, request: &Request) {
        let peer = self.wires.get(&conn).map(|wire| wire.peer.clone());
        let (code, fields, body) = if let Request::Route(_) = request {
            self.route()
        } else if let Request::Send(send) = request {
            self.store(send)
        } else if let Request::Heartbeat(_) | Request::Unregister(_) | Request::Raw(_) = request {
            (0, Vec::new(), Bytes::new())
        } else {
            self.read(peer.as_deref(), request)
        };
        let answer = frame(opaque, code, &fields, body);
        let held = matches!(request, Request::Pull(pull) if pull.suspend_ms > 0) && code == 19;
        let slow = if held || self.wrong("slow answer") { millis(6000) } else { millis(20) };
        if peer.is_some() && !self.wrong("answer lost") {
            self.later(slow, Deed::Answer(conn, answer));
        }
    }

    fn route(&mut self) -> Answer {
        let perm = if self.wrong("no permission") { 4 } else { 6 };
        let brokers = if self.wrong("one broker") { &BROKERS[..1] } else { &BROKERS[..] };
        let mut body = super::bench::route(brokers, perm);
        if self.wrong("broker moved") {
            body = body.replace("b:1", "b:2");
        }
        if self.wrong("no route") {
            return ([17, 1][self.rng.below(2) as usize], Vec::new(), Bytes::new());
        }
        if self.wrong("broken route") {
            return (0, Vec::new(), Bytes::from_static(b"{\"brokerDatas\":["));
        }
        (0, Vec::new(), Bytes::from(body))
    }

    /// Nobody wants anything for so long that addresses are let go.
    fn quiet(&mut self) {
        let most = Duration::from_secs(200);
        let time = self.rng.jitter(most);
        self.run_for(time);
    }

    /// Steps through connections and time until all is calm or `time` has passed.
    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..1_000_000 {
            if self.now >= end {
                return;
            }
            // A dial, what it makes ready, and what that writes, before time passes.
            for _ in 0..4 {
                let conns: Vec<ConnId> = self.wires.keys().copied().collect();
                for conn in conns {
                    self.connection_step(conn);
                }
            }
            self.sleep(end.since(self.now).min(millis(500)));
        }
        panic!("R11: time does not pass");
    }
}

type Answer = (i32, Vec<(&'static str, String)>, Bytes);

fn frame(opaque: i32, code: i32, fields: &[(&'static str, String)], body: Bytes) -> Frame {
    let header = Header {
        kind: Kind::Response,
        code,
        language: Language::JAVA,
        version: 401,
        opaque,
        remark: Some(Text::from("by chance")),
        fields: Fields::from_pairs(fields.iter().map(|(k, v)| (*k, v.as_str()))),
    };
    Frame { header, body }
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}

/// The seeds to try: a few by default, so that every run of the tests stays short.
#[expect(clippy::disallowed_methods, reason = "who looks for failures by hand chooses the seeds")]
fn seeds(count: u64) -> core::ops::Range<u64> {
    let wish = std::env::var("FUSEE_SEEDS").ok();
    let range = wish.as_deref().and_then(|wish| {
        let (first, end) = wish.split_once("..")?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    range.unwrap_or(0..count)
}

#[expect(clippy::print_stderr, reason = "shown by a test that fails")]
fn say(text: &str) {
    std::eprintln!("{text}");
}

/// Runs one seed, and says which if it fails.
fn with_seed<T>(seed: u64, run: impl FnOnce(u64) -> T + std::panic::UnwindSafe) -> T {
    std::panic::catch_unwind(|| run(seed)).unwrap_or_else(|failure| {
        say(&alloc::format!("seed {seed}: FUSEE_SEEDS={seed}..{} tries it again", seed + 1));
        std::panic::resume_unwind(failure)
    })
}
