//! What a broker keeps on disk: topics, groups, the log, consumer offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Offsets;
use crate::model::log::Log;
use crate::model::topics::TopicConfig;

/// A broker's files.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Topics by name.
    pub topics: BTreeMap<Arc<str>, TopicConfig>,
    /// Groups that exist.
    pub groups: BTreeSet<String>,
    /// Messages.
    pub log: Log,
    pub(super) offsets: Offsets,
    /// The offsets as of the last flush, which Java does every five seconds.
    flushed: Offsets,
}

impl Store {
    pub(super) fn flush_offsets(&mut self) {
        self.flushed.clone_from(&self.offsets);
    }

    /// A crash takes the messages stored after `at` with it (asynchronous flush). Returns their places.
    pub fn lose_messages_after(&mut self, at: Duration) -> Vec<(Arc<str>, i32, i64)> {
        self.log.lose_after(at)
    }

    /// A crash takes the offsets stored since the last flush with it.
    pub fn lose_unflushed_offsets(&mut self) {
        self.offsets.clone_from(&self.flushed);
    }

    /// A group's stored offset.
    #[must_use]
    pub fn offset(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        self.offsets.get(group)?.get(topic)?.get(&queue).copied().filter(|offset| *offset >= 0)
    }
}
