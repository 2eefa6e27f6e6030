//! The world: model servers, real clients, and a network that fails, all in virtual time.
//!
//! A run is a [`Plan`] carried out. Every byte goes through the client's real encoder on one side and the model's own
//! decoder on the other. Invariants are checked as it happens; the first one broken ends the run.
//!
//! Laws: one run of a plan is like another, to the last entry of its log; nothing takes time but what the plan says;
//! the core is driven by its contract and in no other way.
//!
//! [`Kind`] lists the kinds of faults that are drawn. Those of the catalogue that are not, and why:
//!
//! | kind | why it does not apply today |
//! |---|---|
//! | B17, B18 locks | no consumer takes locks |
//! | B19 lists of members | nobody asks for them: applications are given their queues |
//! | B23, B24 slaves and roles | the model has masters only, as the client reads from masters only |
//! | B25, the half of it | queues grow in number; that they vanish, and topics with them, is still to be built |
//! | B26, B27 sending back, POP | no consumer does either |
//! | B29 version skew | is no fault here: each broker is of the 4.9 line in three of ten runs |
//! | NS6 other name servers | a client is told its name servers once, when it is made |
//! | A2, A3, A4, A8 listeners | there are none, an application takes what it wants when it wants |
//! | M9 compressed bodies | the core hands bodies out as they are stored; what unpacks them is tested on its own |
//! | X3 executors of callbacks | there are none in the core |
//! | X4 offset files | offsets are kept by brokers |

mod act;
mod app;
mod checks;
mod client;
mod dials;
mod faults;
mod hostile;
mod link;
mod log;
pub mod plan;
mod run;
mod server;
mod wire;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fusee_core::ids::ConnId;

use crate::model::Registration;
use crate::random::Random;

pub use checks::Violation;
pub use plan::{Fault, Kind, Plan, Work};
pub use run::{Report, run, shrink};

use checks::Checks;
use client::Process;
use faults::Faults;
use link::{Link, Payload};
use log::{Log, What};
use server::Server;

/// The Unix time at the run's zero, in milliseconds.
const UNIX_AT_ZERO: i64 = 1_700_000_000_000;
/// Far more than the largest body.
const NOISE_BYTES: usize = 64 * 1024;
/// The topic that is sent to and read.
const TOPIC: &str = "orders";

/// Everything there is.
pub struct World {
    plan: Plan,
    now: u64,
    step: u64,
    queue: BinaryHeap<Scheduled>,
    scheduled: u64,
    random: Random,
    links: Vec<Link>,
    servers: Vec<Server>,
    addresses: BTreeMap<String, usize>,
    /// Addresses that servers had before.
    stale: BTreeMap<String, usize>,
    clients: Vec<Process>,
    work: Vec<Random>,
    faults: Faults,
    checks: Checks,
    log: Log,
    healed: bool,
    frames: u64,
    next_port: u16,
    /// What bodies are pieces of.
    noise: Bytes,
    /// How many topics there were that are sent to once.
    churned: u64,
}

/// What will happen.
#[derive(Debug)]
enum Event {
    /// The front of a pipe is due.
    Arrives { link: usize, up: bool },
    /// A connect meets its fate.
    Meets { link: usize },
    /// A client's timer.
    Wake { client: usize, at: u64 },
    /// A client that hung up hears that it did.
    HungUp { client: usize, life: u64, conn: ConnId },
    /// An application does its rounds.
    App { client: usize, life: u64 },
    /// An application has dealt with what it took.
    Free { client: usize, life: u64 },
    /// An application drops the wait for room that it began.
    GivesUp { client: usize, life: u64, room: u64 },
    /// The next byte of a frame that never ends.
    Trickles { link: usize },
    /// A server's timer.
    Tick { server: usize, life: u64 },
    /// A broker's news reach a name server.
    Registers { server: usize, news: Arc<Registration> },
    /// A broker's connection to a name server ends.
    Vanishes { server: usize, broker: usize },
    /// The next send of a stretch of work.
    Work { index: usize },
    /// A fault begins or ends.
    Fault { index: usize, begins: bool },
    /// A server comes up.
    Lives { server: usize },
    /// A client's process begins again.
    Starts { client: usize },
    /// All faults are over.
    Heal,
}

struct Scheduled {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let random = Random::new(plan.seed);
        let mut world = Self {
            now: 0,
            step: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            links: Vec::new(),
            servers: Vec::new(),
            addresses: BTreeMap::new(),
            stale: BTreeMap::new(),
            clients: Vec::new(),
            work: (0..plan.work.len()).map(|at| random.fork(&format!("work/{at}"))).collect(),
            faults: Faults::default(),
            checks: Checks::default(),
            log: Log::default(),
            healed: false,
            frames: 0,
            next_port: 20_000,
            noise: noise(random.fork("noise")),
            churned: 0,
            random: random.fork("network"),
            plan,
        };
        world.checks.steady_routes =
            !world.plan.faults.iter().any(|fault| checks::unsettles_routes(fault.kind));
        for at in 0..world.plan.name_servers + world.plan.old.len() {
            world.add_server(at);
        }
        for at in 0..world.plan.producers + world.plan.consumers {
            let random = random.fork(&format!("client/{at}"));
            world.clients.push(Process::new(random));
            world.schedule(1_000 * u64::try_from(at).unwrap_or(0), Event::Starts { client: at });
        }
        for index in 0..world.plan.work.len() {
            world.schedule(world.plan.work[index].at * 1_000, Event::Work { index });
        }
        for index in 0..world.plan.faults.len() {
            let fault = world.plan.faults[index];
            world.schedule(fault.at * 1_000, Event::Fault { index, begins: true });
            let end = (fault.at + fault.lasts).min(world.plan.heals);
            world.schedule(end * 1_000, Event::Fault { index, begins: false });
        }
        world.schedule(world.plan.heals * 1_000 + 1, Event::Heal);
        world
    }

    /// Carries the plan out, or as much of it as is needed to break an invariant.
    pub fn carry_out(&mut self) {
        let closing = (self.plan.ends - 15_000) * 1_000;
        let mut closed = false;
        while let Some(next) = self.queue.peek() {
            if !closed && next.at >= closing {
                closed = true;
                self.now = closing;
                self.close_all();
                continue; // what follows from that may come first
            }
            let Some(Scheduled { at, event, .. }) = self.queue.pop() else { break };
            if at > self.plan.ends * 1_000 {
                break;
            }
            debug_assert!(at >= self.now, "time goes on");
            self.now = at;
            self.step += 1;
            self.happens(event);
            if self.checks.found.is_some() {
                return;
            }
        }
        if !closed {
            self.now = closing;
            self.close_all();
        }
        self.checks.finish();
        self.finish_clients();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives { link, up } => self.arrives(link, up),
            Event::Meets { link } => self.meets(link),
            Event::Wake { client, at } => self.wake(client, at),
            Event::HungUp { client, life, conn } => self.hung_up(client, life, conn),
            Event::App { client, life } => self.app(client, life),
            Event::Free { client, life } => self.free(client, life),
            Event::GivesUp { client, life, room } => self.gives_up(client, life, room),
            Event::Trickles { link } => self.trickles(link),
            Event::Tick { server, life } => self.tick(server, life),
            Event::Registers { server, news } => self.registers(server, &news),
            Event::Vanishes { server, broker } => self.vanishes(server, broker),
            Event::Work { index } => self.works(index),
            Event::Fault { index, begins } => self.fault(index, begins),
            Event::Lives { server } => self.lives(server),
            Event::Starts { client } => self.starts(client),
            Event::Heal => {
                self.healed = true;
                self.note(What::Heal, 0, 0, 0);
            }
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.queue.push(Scheduled { at: at.max(self.now), order: self.scheduled, event });
    }

    fn note(&mut self, what: What, a: usize, b: u64, c: u64) {
        self.log.add(self.now, what, a, b, c);
    }

    const fn time(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    /// Puts something into a pipe; it arrives when the network lets it.
    fn travel(&mut self, link: usize, up: bool, payload: Payload) {
        let (client, server) = (self.links[link].client, self.links[link].server);
        let size = if let Payload::Bytes(bytes) = &payload { bytes.len() } else { 0 };
        // A local network: 50 to 250 µs one way.
        let mut at = self.now + 50 + self.random.below(200);
        at += self.faults.delay(&mut self.random, client, server, up, size);
        at = self.faults.bunch(at, client, server);
        let pipe = self.links[link].pipe(up);
        pipe.push(at, payload);
        if !pipe.scheduled && !pipe.stalled {
            pipe.scheduled = true;
            let due = pipe.segments.front().map_or(at, |segment| segment.at);
            self.schedule(due, Event::Arrives { link, up });
        }
    }

    fn arrives(&mut self, link: usize, up: bool) {
        let (client, server) = (self.links[link].client, self.links[link].server);
        self.links[link].pipe(up).scheduled = false;
        loop {
            let standing = if up { self.servers[server].frozen } else { self.clients[client].suspended };
            if standing || self.faults.is_blocked(client, server, up) {
                self.links[link].pipe(up).stalled = true;
                return;
            }
            let now = self.now;
            let Some(payload) = self.links[link].pipe(up).pop(now) else { break };
            if up {
                self.reaches_server(link, payload)
            } else {
                self.reaches_client(link, payload)
            }
            if self.checks.found.is_some() {
                return;
            }
        }
        if up {
            self.flush(link);
        }
        let pipe = self.links[link].pipe(up);
        if !pipe.scheduled
            && let Some(due) = pipe.segments.front().map(|segment| segment.at)
        {
            pipe.scheduled = true;
            self.schedule(due, Event::Arrives { link, up });
        }
    }

    /// Something that may have held bytes back is over: whatever stands goes on, in any order.
    fn release(&mut self) {
        for link in 0..self.links.len() {
            for up in [true, false] {
                if self.links[link].pipe(up).stalled {
                    self.links[link].pipe(up).stalled = false;
                    self.links[link].pipe(up).scheduled = true;
                    let at = self.now + self.random.below(1_000);
                    self.schedule(at, Event::Arrives { link, up });
                }
            }
        }
    }

    /// Both ends hear that the connection was reset; some of what was under way still arrives.
    fn reset(&mut self, link: usize) {
        for up in [true, false] {
            let pipe = self.links[link].pipe(up);
            let count = u64::try_from(pipe.segments.len()).unwrap_or(0);
            let kept = usize::try_from(self.random.below(count + 1)).unwrap_or(0);
            self.links[link].pipe(up).cut(kept);
            self.travel(link, up, Payload::Reset);
        }
    }

    /// Open connections between these.
    fn links_of(&self, client: Option<usize>, server: Option<usize>) -> Vec<usize> {
        let wanted = |link: &Link| {
            (link.client_open || link.server_open)
                && client.is_none_or(|only| only == link.client)
                && server.is_none_or(|only| only == link.server)
        };
        (0..self.links.len()).filter(|at| wanted(&self.links[*at])).collect()
    }

    fn is_broker(&self, server: usize) -> bool {
        server >= self.plan.name_servers
    }
}

/// Random bytes from which every body is cut at a place of its own.
fn noise(mut random: Random) -> Bytes {
    (0..NOISE_BYTES / 8).flat_map(|_| random.bits().to_le_bytes()).collect()
}

fn server_address(plan: &Plan, at: usize, port: u16) -> SocketAddr {
    let (third, fourth) = if at < plan.name_servers { (0, at + 1) } else { (1, at - plan.name_servers + 1) };
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, third, u8::try_from(fourth).unwrap_or(255))), port)
}
