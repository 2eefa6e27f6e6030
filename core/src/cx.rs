//! What a part of the client may touch besides itself. It is handed down on every call; parts push into it, and only
//! the client is polled.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::config::Config;
use crate::directory::Directory;
use crate::event::Output;
use crate::ids::{PeerId, Topic, TopicId};
use crate::peers::Peers;
use crate::rng::Rng;
use crate::time::{Instant, UnixMillis};
use crate::timers::Timers;

/// The surroundings of every machine inside the client.
#[derive(Clone, Debug)]
pub(crate) struct Cx {
    pub(crate) config: Config,
    pub(crate) now: Instant,
    /// Wall-clock time at `Instant::ZERO` of the driver's clock.
    unix_origin: UnixMillis,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers,
    pub(crate) peers: Peers,
    pub(crate) directory: Directory,
    /// Routes somebody needs, and whether to write to them; the router takes them after each step.
    pub(crate) wanted: Vec<(TopicId, bool)>,
    /// Peers that left a request unanswered in silence; the client probes them after each step.
    pub(crate) suspects: Vec<PeerId>,
    pub(crate) out: VecDeque<Output>,
}

impl Cx {
    pub(crate) fn new(config: Config, seed: u64, now: Instant, unix: UnixMillis) -> Self {
        let since_zero = i64::try_from(now.micros() / 1000).unwrap_or(i64::MAX);
        let peers = Peers::new(config.connections.in_flight);
        Self {
            config,
            now,
            unix_origin: UnixMillis(unix.0.saturating_sub(since_zero)),
            rng: Rng::new(seed),
            timers: Timers::default(),
            peers,
            directory: Directory::default(),
            wanted: Vec::new(),
            suspects: Vec::new(),
            out: VecDeque::new(),
        }
    }

    /// Unix time now, only to be written on the wire.
    pub(crate) fn unix(&self) -> UnixMillis {
        self.unix_origin.plus(self.now.since(Instant::ZERO))
    }

    /// This peer let a request time out and gave no sign of life since: it should be probed.
    pub(crate) fn suspect(&mut self, peer: PeerId) {
        if !self.suspects.contains(&peer) {
            self.suspects.push(peer);
        }
    }

    /// The connection that carries what concerns this queue at that address.
    pub(crate) fn lane(&mut self, first: PeerId, queue: i32) -> PeerId {
        self.peers.lane(first, queue, self.config.connections.per_broker.clamp(1, 64))
    }

    /// The id of a topic.
    pub(crate) fn topic(&mut self, name: &Topic) -> TopicId {
        self.directory.topic(name, || self.rng.next_u32())
    }
}
