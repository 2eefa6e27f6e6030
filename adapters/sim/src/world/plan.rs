//! A plan: everything a run will do, as data drawn from a seed, so that it can be printed, cut down and kept.
#![expect(clippy::wildcard_enum_match_arm, reason = "most amounts are drawn alike")]

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// What a run does. Times are milliseconds since its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where the run's own random streams come from.
    pub seed: u64,
    /// How long it is.
    pub ends: u64,
    /// By when every fault is over.
    pub heals: u64,
    /// Name servers.
    pub name_servers: usize,
    /// Whether each broker is of the 4.9 line instead of the 5.x.
    pub old: Vec<bool>,
    /// Clients that send.
    pub producers: usize,
    /// Clients that read, sharing the queues of one group.
    pub consumers: usize,
    /// Queues of each topic on each broker.
    pub queues: i32,
    /// Sends.
    pub work: Vec<Work>,
    /// Faults.
    pub faults: Vec<Fault>,
}

/// A stretch of sends by one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// By this producer.
    pub client: usize,
    /// From then
    pub at: u64,
    /// to then,
    pub until: u64,
    /// one in the mean of so many milliseconds,
    pub every: u64,
    /// of so many bytes at most.
    pub bytes: u64,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// From then on,
    pub at: u64,
    /// for so long.
    pub lasts: u64,
    /// Only for this client.
    pub client: Option<usize>,
    /// Only for this server: name servers first, then brokers.
    pub server: Option<usize>,
    /// How much of it: milliseconds, bytes or parts, as the kind has it.
    pub amount: u64,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Kinds of faults, by the ids of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

kinds! {
    /// Delay of up to `amount` ms each way.
    N01,
    /// Jitter, exponential with a mean of `amount` ms.
    N02,
    /// Segments of at most `amount` bytes.
    N03,
    /// What arrives within `amount` ms arrives at once.
    N04,
    /// Connects are refused.
    N05,
    /// Connects are not answered.
    N06,
    /// Connections are reset at some byte.
    N07,
    /// The server ends its sending side.
    N08,
    /// The peer is gone without a word; the end of the fault resets what is left.
    N09,
    /// Nothing passes one way: to the server if `amount` is even.
    N10,
    /// Nothing passes.
    N11,
    /// Nothing passes for a moment, then all at once, connections in random order.
    N12,
    /// `amount` bytes a second.
    N13,
    /// The server stops reading.
    N14,
    /// The reply to a request of code `amount` is lost with its connection; the request was executed.
    N15,
    /// Requests of code `amount` vanish; the connection stays.
    N16,
    /// Connections are cut and refused every other `amount` ms.
    N17,
    /// A broker comes back at another address.
    N18,
    /// Clients' ends of connections are gone, and the servers keep theirs: after the next dial they have two.
    N19,
    /// Bits flip: one byte in `amount`.
    N20,
    /// A broker crashes and loses nothing.
    B01,
    /// A broker crashes and loses the messages of the last `amount` ms.
    B02,
    /// A broker crashes and loses the offsets since its last flush.
    B03,
    /// A server stands still.
    B04,
    /// A server answers `amount` ms later.
    B05,
    /// Busy answers.
    B06,
    /// Errors: nothing done.
    B07,
    /// Stored, but not as safely as wished.
    B08,
    /// An error although it was stored.
    B09,
    /// The topic is not writable.
    B10,
    /// The topic or the group is unknown for a while.
    B11,
    /// The subscription is unknown, or not the latest.
    B12,
    /// The oldest messages expire.
    B13,
    /// Pulls are answered "try again at once", or with messages that are none.
    B14,
    /// Pulls that find nothing are answered at once (`amount` even), or held for longer than they asked for.
    B15,
    /// Offset queries fail.
    B16,
    /// The broker says `amount` times that the members of a group have changed.
    B20,
    /// It resets offsets, `amount` times.
    B21,
    /// It asks for the state of transactions, `amount` times.
    B22,
    /// The topic gets more queues.
    B25,
    /// The broker says that it is going away, and goes.
    B28,
    /// A name server is down.
    NS1,
    /// A name server hears nothing of brokers and keeps what it knew.
    NS2,
    /// A name server restarts and knows nothing until brokers speak.
    NS3,
    /// A name server loses sight of one broker.
    NS4,
    /// A name server answers `amount` ms later.
    NS5,
    /// A client's wall clock is up to an hour off, in all its lives.
    C1,
    /// A client's process is suspended.
    C2,
    /// A client's timers are up to `amount` ms late.
    C3,
    /// A client is woken for nothing, twice at one time.
    C4,
    /// Handling a batch of messages takes `amount` ms.
    A1,
    /// Sends wait for room, and are dropped at any moment.
    A5,
    /// A client is closed and started anew.
    A6,
    /// A reader stops its queues until the fault ends, or goes back in them: `amount` modulo 3.
    A7,
    /// A client's process is killed and started anew.
    A9,
    /// A client has the id of another, in all its lives.
    A10,
    /// `amount` sends at once.
    A11,
    /// A server sends bytes that are no frame.
    M1,
    /// Header lengths that do not fit.
    M2,
    /// Types, languages, flags and codes nobody knows.
    M3,
    /// JSON headers that are broken, deep, huge or doubled.
    M4,
    /// Binary headers with impossible lengths inside.
    M5,
    /// Text that is none.
    M6,
    /// Fields of answers that are gone, doubled, or no numbers.
    M7,
    /// Stored messages that cannot be read.
    M8,
    /// Routes with more of something than there can be.
    M10,
    /// A server sends replies nobody asked for.
    M11,
    /// A server sends a huge frame, a byte a second.
    M12,
    /// A client may have only `amount` sends under way, or messages cached, in all its lives.
    X1,
    /// The client's system cannot open sockets.
    X2,
    /// `amount` topics are sent to once.
    X5,
}

impl Kind {
    /// Acts on one broker.
    const fn needs_broker(self) -> bool {
        matches!(
            self,
            Self::N18
                | Self::B01
                | Self::B02
                | Self::B03
                | Self::B06
                | Self::B07
                | Self::B08
                | Self::B09
                | Self::B10
                | Self::B11
                | Self::B12
                | Self::B13
                | Self::B14
                | Self::B15
                | Self::B16
                | Self::B20
                | Self::B21
                | Self::B22
                | Self::M8
                | Self::B25
                | Self::B28
                | Self::NS4
        )
    }

    const fn needs_name_server(self) -> bool {
        matches!(self, Self::NS1 | Self::NS2 | Self::NS3 | Self::NS5 | Self::M10)
    }

    const fn needs_server(self) -> bool {
        matches!(self, Self::B04 | Self::B05)
    }

    const fn needs_client(self) -> bool {
        matches!(self, Self::C1 | Self::C2 | Self::C3 | Self::C4 | Self::A6 | Self::A9 | Self::A10)
            || matches!(self, Self::X1 | Self::X2)
            || self.needs_sender()
            || self.needs_reader()
    }

    /// Only senders send.
    const fn needs_sender(self) -> bool {
        matches!(self, Self::A5 | Self::A11 | Self::X5)
    }

    /// Only readers handle messages.
    const fn needs_reader(self) -> bool {
        matches!(self, Self::A1 | Self::A7)
    }

    /// Lasts seconds at most, because longer is nothing but an outage.
    const fn is_short(self) -> bool {
        matches!(
            self,
            Self::N06 | Self::N12 | Self::N20 | Self::B06 | Self::B07 | Self::B09 | Self::X2 | Self::M1
        )
    }

    fn amount(self, random: &mut Random) -> u64 {
        let log = |random: &mut Random, from: f64, to: f64| {
            let drawn = (from.ln() + random.unit() * (to.ln() - from.ln())).exp();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive and below 2^40"
            )]
            let whole = drawn as u64;
            whole
        };
        match self {
            Self::N01 => log(random, 1.0, 3_000.0),
            Self::N02 => log(random, 1.0, 300.0),
            Self::N03 => log(random, 1.0, 2_000.0),
            Self::N04 => log(random, 1.0, 200.0),
            Self::N13 => log(random, 1_024.0, 10_485_760.0),
            Self::N15 | Self::N16 => *random.pick(&[310, 310, 11, 14, 15, 34, 105]).unwrap_or(&310),
            Self::N17 => log(random, 100.0, 5_000.0),
            Self::N20 => log(random, 1_000.0, 100_000.0),
            Self::B02 => random.below(5_000),
            Self::B05 | Self::NS5 => log(random, 10.0, 5_000.0),
            Self::C3 => log(random, 1.0, 500.0),
            Self::A1 => log(random, 1.0, 20_000.0),
            Self::A11 => log(random, 10.0, 2_000.0),
            Self::B20 | Self::B21 | Self::B22 => log(random, 1.0, 200.0),
            Self::X1 => log(random, 1.0, 100.0),
            Self::X5 => log(random, 10.0, 150.0),
            _ => random.below(1_000),
        }
    }
}

/// The protocol's edges, in seconds, around which durations are drawn.
const EDGES: [u64; 8] = [1, 3, 5, 15, 20, 30, 60, 120];

impl Plan {
    /// The standard run of a seed: 15 minutes of 2 brokers, 2 name servers, 5 clients and 20 messages a second.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let root = Random::new(seed).fork("plan");
        let mut random = root.fork("shape");
        let mut plan = Self {
            seed,
            ends: 900_000,
            heals: 620_000,
            name_servers: 2,
            old: (0..2).map(|_| random.chance(0.3)).collect(),
            producers: 3,
            consumers: 2,
            queues: 1 + i32::try_from(random.below(4)).unwrap_or(0),
            work: Vec::new(),
            faults: Vec::new(),
        };
        plan.draw_work(root.fork("work"));
        // Few faults leave the strictest checks on, many meet each other.
        let share = *root.fork("share").pick(&[0.02, 0.1, 0.3, 0.5]).unwrap_or(&0.3);
        for kind in Kind::ALL {
            let mut random = root.fork(&format!("fault/{kind:?}"));
            if random.chance(share) {
                // Some need something else to happen meanwhile, and so are tried more often.
                let rare = matches!(kind, Kind::N05 | Kind::N06 | Kind::X2 | Kind::C4);
                let times = if rare { 4 + random.below(8) } else { 1 + random.below(4) };
                plan.faults.extend((0..times).map(|_| Self::draw_fault(&mut random, *kind, plan.heals)));
            }
        }
        // A reader that begins while its offsets cannot be asked for is what this fault is about.
        let mut random = root.fork("readers");
        for at in 0..plan.faults.len() {
            let Fault { kind, at, lasts, .. } = plan.faults[at];
            if kind == Kind::B16 && lasts > 500 {
                let client = plan.producers + usize::try_from(random.below(2)).unwrap_or(0);
                let amount = random.below(300);
                plan.faults.push(Fault {
                    kind: Kind::A9,
                    at: at + 1,
                    lasts: 1,
                    client: Some(client),
                    server: None,
                    amount,
                });
            }
        }
        plan.faults.sort_by_key(|fault| fault.at);
        plan
    }

    fn draw_work(&mut self, mut random: Random) {
        for client in 0..self.producers {
            let mut at = 500 + random.below(3_000);
            while at < self.ends - 45_000 {
                let lasts = 10_000 + random.below(120_000);
                let until = (at + lasts).min(self.ends - 40_000);
                // 20 a second over all producers, in the mean of the stretches: 150 ms each, spread fourfold.
                let every = 60 + random.below(240);
                let bytes = *random.pick(&[64, 64, 256, 1_024, 8_192]).unwrap_or(&64);
                self.work.push(Work { client, at, until, every, bytes });
                at = until;
            }
        }
    }

    fn draw_fault(random: &mut Random, kind: Kind, heals: u64) -> Fault {
        let edge = *random.pick(&EDGES).unwrap_or(&1) * 1_000;
        let lasts = match random.below(3) {
            0 => edge.saturating_add(random.below(3)).saturating_sub(1),
            1 => edge / 4 + random.below(edge),
            _ => random.below(5_000),
        };
        let lasts = if kind.is_short() { lasts.min(4_000) } else { lasts };
        let at = 4_000 + random.below(heals - 130_000);
        let server = match () {
            () if kind.needs_broker() => Some(2 + random.below(2)),
            () if kind.needs_name_server() => Some(random.below(2)),
            () if kind.needs_server() || random.chance(0.7) => Some(random.below(4)),
            () => None,
        };
        let client = (kind.needs_client() || random.chance(0.3)).then(|| random.below(5));
        let client = match () {
            () if kind.needs_sender() => Some(random.below(3)),
            () if kind.needs_reader() => Some(3 + random.below(2)),
            () => client,
        };
        let amount = kind.amount(random);
        let number = |n: u64| usize::try_from(n).unwrap_or(0);
        Fault {
            kind,
            at,
            lasts: lasts.max(1),
            client: client.map(number),
            server: server.map(number),
            amount,
        }
    }
}
