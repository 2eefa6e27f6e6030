//! How a reader is set up.

use std::collections::VecDeque;
use std::time::Duration;

use fusee_core::PullConfig;
use fusee_core::error::OpenError;
use fusee_core::ids::Queue;
use fusee_engine::Handle;

use super::{LitePull, StartFrom};
use crate::builder::in_range;
use crate::error::StartError;
use crate::group;
use crate::pending::Pending;
use crate::received::Decoder;

/// A lite pull that is about to start: see [`Client::lite_pull`](crate::Client::lite_pull).
#[derive(Debug)]
#[must_use = "a consumer does nothing until it is started"]
pub struct LitePullBuilder {
    handle: Handle,
    group: Box<str>,
    queues: Vec<Queue>,
    from: StartFrom,
    auto_commit: bool,
    commit_interval: Duration,
    pull_messages: i32,
    cached_messages: usize,
    cached_bytes: usize,
}

impl LitePullBuilder {
    pub(crate) fn new(handle: Handle, group: &str) -> Self {
        use fusee_core::limits::client as limits;
        Self {
            handle,
            group: group.into(),
            queues: Vec::new(),
            from: StartFrom::default(),
            auto_commit: true,
            commit_interval: limits::COMMIT_INTERVAL,
            pull_messages: limits::PULL_MESSAGES,
            cached_messages: limits::CACHED_MESSAGES,
            cached_bytes: limits::CACHED_BYTES,
        }
    }

    /// The queues to read: all of a topic ([`Client::queues`](crate::Client::queues)) or chosen ones. They replace the
    /// ones given before. Other members of the group are not asked: to read each queue once, share them out.
    pub fn assign(mut self, queues: impl IntoIterator<Item = Queue>) -> Self {
        self.queues = queues.into_iter().collect();
        self
    }

    /// Where to begin in a queue for which the group has committed nothing. Default: at the end.
    pub const fn from(mut self, from: StartFrom) -> Self {
        self.from = from;
        self
    }

    /// Whether positions are committed every few seconds and on close. Default yes. Otherwise only
    /// [`LitePull::commit`] does.
    pub const fn auto_commit(mut self, auto_commit: bool) -> Self {
        self.auto_commit = auto_commit;
        self
    }

    /// How often automatic commits are made. Default 5 s, from 1 s to 1 h.
    pub const fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = interval;
        self
    }

    /// How many messages are asked for at once. Default 32, from 1 to 1,024; most brokers give no more than 32.
    pub const fn pull_messages(mut self, messages: i32) -> Self {
        self.pull_messages = messages;
        self
    }

    /// How many messages are pulled ahead, over all queues. Default 65,536, from 1 to 1,000,000.
    pub const fn cached_messages_max(mut self, messages: usize) -> Self {
        self.cached_messages = messages;
        self
    }

    /// How many bytes are pulled ahead, over all queues. Default 256 MiB, from 1 byte to 16 GiB; one reply is always
    /// taken.
    pub const fn cached_bytes_max(mut self, bytes: usize) -> Self {
        self.cached_bytes = bytes;
        self
    }

    /// Joins the group and begins to pull.
    ///
    /// # Errors
    /// [`StartError`] when the group's name is illegal or reserved, an option is out of range, this client is already
    /// a consumer of the group, or it is closed.
    pub fn start(self) -> Pending<LitePull, StartError> {
        Pending::ready(self.open())
    }

    fn open(self) -> Result<LitePull, StartError> {
        const SECOND: Duration = Duration::from_secs(1);
        let group = group::check(&self.group, "DEFAULT_CONSUMER")?;
        in_range("commit_interval", &self.commit_interval, SECOND..=3600 * SECOND, "1 s to 1 h")?;
        in_range("pull_messages", &self.pull_messages, 1..=1024, "1 to 1,024")?;
        in_range("cached_messages_max", &self.cached_messages, 1..=1_000_000, "1 to 1,000,000")?;
        in_range("cached_bytes_max", &(self.cached_bytes as u64), 1..=16 << 30, "1 byte to 16 GiB")?;
        let config = PullConfig {
            from: self.from.into(),
            auto_commit: self.auto_commit,
            commit_interval: self.commit_interval,
            pull_messages: self.pull_messages,
            cached_messages: self.cached_messages,
            cached_bytes: self.cached_bytes,
            ..PullConfig::new(group.clone())
        };
        let queues = self.queues;
        let opened = self.handle.command(|client, now| client.open_pull(now, config, &queues));
        let id = opened.map_err(|_| OpenError::Closed)??;
        Ok(LitePull {
            handle: self.handle,
            id,
            group,
            auto_commit: self.auto_commit,
            decoder: Decoder::default(),
            damaged: VecDeque::new(),
        })
    }
}
