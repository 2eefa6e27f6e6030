//! What a client is told once, before it starts: every value with its default, its unit and its reason.

use alloc::vec::Vec;
use core::time::Duration;

use crate::ids::{Address, ClientId, Group};
use crate::limits::client as limits;
use crate::time::UnixMillis;

/// How a client behaves. All fields may be changed before [`Client::new`](crate::Client::new).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name servers. They are tried in this order, starting at a random one; none is an error of the caller that
    /// `connect` reports.
    pub name_servers: Vec<Address>,
    /// What brokers know this client by; unique among the members of its groups.
    pub client_id: ClientId,
    /// How sends behave.
    pub send: SendConfig,
    /// How connections behave.
    pub connections: ConnectionConfig,
    /// How long `connect` looks for one name server that answers. Default 5 s.
    pub connect_deadline: Duration,
    /// How often routes in use are asked for again. Default 30 s.
    pub route_refresh: Duration,
    /// How often brokers hear of this client's groups; they forget it after 120 s. Default 30 s.
    pub heartbeat: Duration,
    /// How long closing, the client or a consumer, waits for what is in flight and for the last commits. Default 10 s.
    pub close_deadline: Duration,
}

impl Config {
    /// The defaults, for these name servers and this name.
    #[must_use]
    pub fn new(name_servers: Vec<Address>, client_id: ClientId) -> Self {
        Self {
            name_servers,
            client_id,
            send: SendConfig::default(),
            connections: ConnectionConfig::default(),
            connect_deadline: limits::CONNECT_DEADLINE,
            route_refresh: limits::ROUTE_REFRESH,
            heartbeat: limits::HEARTBEAT,
            close_deadline: limits::CLOSE_DEADLINE,
        }
    }
}

/// How sends behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendConfig {
    /// From admission to the end, over all attempts. Default 3 s, Java's `sendMsgTimeout`; brokers with synchronous
    /// flush or replicas may need more.
    pub deadline: Duration,
    /// Attempts of which a byte may reach the wire, at least 1. Default 3.
    pub attempts: u32,
    /// Sends admitted and unfinished, in all. Default 65,536.
    pub admitted_messages: usize,
    /// Bytes of their bodies and properties. Default 64 MiB; one message is admitted whatever its size.
    pub admitted_bytes: usize,
}

impl Default for SendConfig {
    fn default() -> Self {
        Self {
            deadline: limits::SEND_DEADLINE,
            attempts: limits::SEND_ATTEMPTS,
            admitted_messages: limits::ADMITTED_MESSAGES,
            admitted_bytes: limits::ADMITTED_BYTES,
        }
    }
}

/// How connections behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Time for one to come up, name look-up included. Default 3 s.
    pub dial_deadline: Duration,
    /// The first pause between attempts that fail; it doubles, with full jitter. Default 50 ms.
    pub backoff_min: Duration,
    /// The longest such pause. Default 2 s.
    pub backoff_max: Duration,
    /// Requests taken and unanswered on one connection before it takes no more sends. Default 4,096.
    pub in_flight: usize,
    /// Connections to each broker, 1 to 64. A queue's requests always use the same one; the first carries heartbeats,
    /// farewells, and what brokers ask. Default 1.
    pub per_broker: u32,
    /// Close a connection on which nothing came or waited for so long. Default: never.
    pub idle_close: Option<Duration>,
    /// Replace a connection of this age by a new one; what is in flight on the old one is waited for. Default: never.
    pub life_max: Option<Duration>,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            dial_deadline: limits::DIAL_DEADLINE,
            backoff_min: limits::BACKOFF_MIN,
            backoff_max: limits::BACKOFF_MAX,
            in_flight: limits::IN_FLIGHT_PER_CONNECTION,
            per_broker: 1,
            idle_close: None,
            life_max: None,
        }
    }
}

/// Where reading begins in a queue for which the group has no stored offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// At the oldest message the broker has.
    First,
    /// At the end: only what comes from now on.
    #[default]
    Last,
    /// At the first message stored at that time or later.
    Time(UnixMillis),
}

/// A position in a queue to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest message the broker has.
    Begin,
    /// Behind the newest message.
    End,
    /// This offset. One that the broker does not have is moved to the nearest it has.
    Offset(i64),
    /// The first message stored at that time or later.
    Time(UnixMillis),
}

/// How a consumer that is given its queues reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullConfig {
    /// The consumer group: whose offsets are read and committed.
    pub group: Group,
    /// Where to begin without a stored offset. Default: at the end.
    pub from: StartFrom,
    /// Commit every `commit_interval` what was taken before the latest take, and on close. Default true.
    pub auto_commit: bool,
    /// How often that happens. Default 5 s.
    pub commit_interval: Duration,
    /// Messages asked for in one pull, 1 to 1,024; brokers give at most 32. Default 32.
    pub pull_messages: i32,
    /// Messages cached for one queue before it is pulled no more. Default 1,000.
    pub cached_per_queue: usize,
    /// Messages cached over all queues. Default 65,536.
    pub cached_messages: usize,
    /// Bytes cached over all queues, counted by the frames they pin. Default 256 MiB.
    pub cached_bytes: usize,
}

impl PullConfig {
    /// The defaults, for this group.
    #[must_use]
    pub const fn new(group: Group) -> Self {
        Self {
            group,
            from: StartFrom::Last,
            auto_commit: true,
            commit_interval: limits::COMMIT_INTERVAL,
            pull_messages: limits::PULL_MESSAGES,
            cached_per_queue: limits::CACHED_PER_QUEUE,
            cached_messages: limits::CACHED_MESSAGES,
            cached_bytes: limits::CACHED_BYTES,
        }
    }
}
