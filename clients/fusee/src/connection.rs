//! What can be seen of a client's connections.

use std::time::Instant;

use fusee_core::ids::Address;
use fusee_core::{ConnState, Connection as State, Instant as Moment};
use fusee_engine::Traffic;

use crate::error::LostWhy;

/// One connection, or the place of one, as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// Whom it is to.
    pub address: Address,
    /// Whether that is a broker; else it is a name server.
    pub broker: bool,
    /// Which of the connections to that address, from 0. The first carries heartbeats, and what brokers ask.
    pub lane: u32,
    /// What it is doing.
    pub state: ConnState,
    /// Since when.
    pub since: Instant,
    /// Requests taken and unanswered, pulls that may be held included.
    pub in_flight: usize,
    /// Requests that wait to be taken.
    pub waiting: usize,
    /// Bytes that came on this connection since it is up, TLS included, as far as whole frames came of them.
    pub bytes_received: u64,
    /// Bytes that were written to this connection since it is up, TLS included.
    pub bytes_written: u64,
    /// How often it came up; one less is how often it came up again.
    pub ups: u64,
    /// Why it ended last.
    pub last_lost: Option<LostWhy>,
}

impl Connection {
    /// The state at `now`, which is this moment.
    pub(crate) fn new(state: State, carried: Traffic, now: Moment) -> Self {
        let State { conn: _, address, broker, lane, state, since, in_flight, waiting, ups, last_lost } =
            state;
        let Traffic { received: bytes_received, written: bytes_written } = carried;
        let here = Instant::now();
        // Clocks that begin at zero may begin later than the connection did.
        let since = here.checked_sub(now.since(since)).unwrap_or(here);
        Self {
            address,
            broker,
            lane,
            state,
            since,
            in_flight,
            waiting,
            bytes_received,
            bytes_written,
            ups,
            last_lost,
        }
    }
}
