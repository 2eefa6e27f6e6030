//! The servers of a cluster as machines: bytes, connection news and time go in, [`Output`]s come out.
//!
//! Laws: time is what the driver says, as the time since its world began; no clock, no thread, no socket, no order
//! that depends on memory addresses. Equal inputs give equal outputs.
//!
//! The semantics are those of 4.9.4 and 5.5.0, held against real servers by programs on the stock Java and Go clients and
//! by recorded conversations. Where the machines differ on purpose: they work on one request at a time, so nothing
//! overtakes anything; a message can be read as soon as it is answered for; name servers hear of everything at once; the
//! commit log of a new broker begins at 0. Not modelled yet, and refused as unknown requests: messages sent back,
//! transactions, locks, POP, request and reply. Delay levels and timers are stored as properties and have no effect, SQL
//! filters are refused.

pub mod broker;
mod connections;
pub mod event;
mod line;
pub mod log;
pub mod name_server;
pub mod topics;

pub use broker::{Broker, BrokerConfig};
pub use event::Event;
pub use line::Line;
pub use name_server::NameServer;

use std::sync::Arc;

use topics::TopicConfig;

/// A connection, numbered by the driver; numbers are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u64);

/// What a server wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// One frame to send.
    Send(Conn, Vec<u8>),
    /// Close the connection; nothing is sent on it any more.
    Close(Conn),
    /// A broker's news for every name server.
    Register(Arc<Registration>),
    /// What an observer may want to check, in its place among the replies.
    Event(Event),
}

/// What a broker tells name servers about itself (Java: `REGISTER_BROKER`).
#[derive(Clone, Debug)]
pub struct Registration {
    /// The broker's name.
    pub broker: String,
    /// Its cluster.
    pub cluster: String,
    /// 0 is the master.
    pub id: i64,
    /// Where clients reach it.
    pub address: String,
    /// Its topics.
    pub topics: Vec<(Arc<str>, TopicConfig)>,
}
