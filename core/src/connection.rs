//! What is told about connections, by the driver and to users.
//!
//! Law: plain data; it is read off the table of peers and changes nothing there.

use crate::error::LostWhy;
use crate::ids::{Address, ConnId};
use crate::time::Instant;

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
    /// Its number, while there is one.
    pub conn: Option<ConnId>,
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
