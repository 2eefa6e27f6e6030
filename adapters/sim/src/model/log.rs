//! The commit log and its consume queues (Java: `DefaultMessageStore`).
//!
//! Laws: a record's physical offset is the sum of the sizes before it; a queue's offsets have no gaps between its
//! first and its end; what was appended never changes, only an unflushed tail can be cut off.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::codec::filter::{Tags, java_hash};
use crate::codec::message::Stored;
use crate::codec::properties::property;

/// All messages of a broker.
#[derive(Clone, Debug, Default)]
pub struct Log {
    records: Vec<Record>,
    /// Messages one after the other, a file's worth together; a full one never moves.
    files: Vec<Vec<u8>>,
    end: i64,
    queues: BTreeMap<Arc<str>, BTreeMap<i32, Queue>>,
}

#[derive(Clone, Debug)]
struct Record {
    file: usize,
    bytes: Range<usize>,
    physical: i64,
    topic: Arc<str>,
    queue: i32,
    /// When, in the driver's time.
    at: Duration,
    /// When, in Unix milliseconds.
    stored: i64,
    tag: Option<Box<str>>,
}

#[derive(Clone, Debug, Default)]
struct Queue {
    /// The offset of `entries[0]`.
    first: i64,
    entries: Vec<usize>,
}

impl Queue {
    fn end(&self) -> i64 {
        self.first + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    fn after(&self, offset: i64) -> &[usize] {
        let skip = usize::try_from(offset - self.first).unwrap_or(0);
        self.entries.get(skip..).unwrap_or_default()
    }
}

/// How a read went (Java: `GetMessageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Messages.
    Messages,
    /// Messages, but not for this filter.
    NoMatch,
    /// The queue never had a message.
    Empty,
    /// Before the first.
    TooSmall,
    /// Just at the end.
    AtEnd,
    /// Beyond the end.
    Beyond,
}

impl Found {
    /// The remark of a pull's reply.
    #[must_use]
    pub const fn remark(self) -> &'static str {
        match self {
            Self::Messages => "FOUND",
            Self::NoMatch => "NO_MATCHED_MESSAGE",
            Self::Empty => "NO_MESSAGE_IN_QUEUE",
            Self::TooSmall => "OFFSET_TOO_SMALL",
            Self::AtEnd => "OFFSET_OVERFLOW_ONE",
            Self::Beyond => "OFFSET_OVERFLOW_BADLY",
        }
    }
}

/// What a read gives.
#[derive(Clone, Debug)]
pub struct Read {
    /// How it went.
    pub found: Found,
    /// Where to go on.
    pub next: i64,
    /// The first offset of the queue.
    pub min: i64,
    /// The end of the queue.
    pub max: i64,
    /// The messages, one after the other.
    pub body: Vec<u8>,
}

/// Java's `maxTransferBytesOnMessageInMemory`.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Java's `maxTransferCountOnMessageInMemory`.
const READ_COUNT_MAX: usize = 32;
/// A file of the commit log; Java's are of a gigabyte.
const FILE_BYTES: usize = 256 * 1024;
/// Entries a filtered read looks at: Java's 16,000 bytes of consume queue.
const SCAN_MAX: usize = 800;

impl Log {
    /// Stores a message; its offsets are filled in here. Returns both.
    pub fn append(&mut self, now: Duration, topic: &Arc<str>, message: &mut Stored) -> (i64, i64) {
        let queue = self.queues.entry(Arc::clone(topic)).or_default().entry(message.queue).or_default();
        message.physical_offset = self.end;
        message.queue_offset = queue.end();
        let size = 120 + message.body.len() + topic.len() + message.properties.len();
        let room = self.files.last().map_or(0, |file| file.capacity() - file.len());
        if room < size {
            self.files.push(Vec::with_capacity(size.max(FILE_BYTES)));
        }
        let file = self.files.len() - 1;
        let bytes = &mut self.files[file];
        let from = bytes.len();
        message.encode(bytes);
        let bytes = from..bytes.len();
        queue.entries.push(self.records.len());
        self.end += i64::try_from(bytes.len()).unwrap_or(0);
        self.records.push(Record {
            file,
            bytes,
            physical: message.physical_offset,
            topic: Arc::clone(topic),
            queue: message.queue,
            at: now,
            stored: message.stored,
            tag: property(&message.properties, "TAGS").map(Box::from),
        });
        (message.queue_offset, message.physical_offset)
    }

    fn bytes(&self, record: &Record) -> &[u8] {
        &self.files[record.file][record.bytes.clone()]
    }

    /// The first offset and the end of a queue; zeros when it does not exist.
    #[must_use]
    pub fn range(&self, topic: &str, queue: i32) -> (i64, i64) {
        self.queue(topic, queue).map_or((0, 0), |queue| (queue.first, queue.end()))
    }

    fn queue(&self, topic: &str, queue: i32) -> Option<&Queue> {
        self.queues.get(topic)?.get(&queue)
    }

    /// How many messages a topic holds.
    #[must_use]
    pub fn len(&self, topic: &str) -> usize {
        self.queues.get(topic).map_or(0, |queues| queues.values().map(|queue| queue.entries.len()).sum())
    }

    /// Reads from `from` on, as a pull does.
    #[must_use]
    pub fn read(&self, topic: &str, queue: i32, from: i64, most: i32, tags: &Tags) -> Read {
        let (min, max) = self.range(topic, queue);
        let nothing = |found, next| Read { found, next, min, max, body: Vec::new() };
        let Some(queue) = self.queue(topic, queue).filter(|_| max > 0) else {
            return nothing(Found::Empty, 0);
        };
        if from < min {
            return nothing(Found::TooSmall, min);
        } else if from == max {
            return nothing(Found::AtEnd, from);
        } else if from > max {
            return nothing(Found::Beyond, max);
        }
        let most = usize::try_from(most).unwrap_or(0).clamp(1, READ_COUNT_MAX);
        let (mut messages, mut size, mut next) = (Vec::new(), 0, from);
        for &at in queue.after(from).iter().take(SCAN_MAX) {
            let record = &self.records[at];
            if tags.pass(record.tag.as_deref()) {
                size += record.bytes.len();
                if messages.len() == most || (!messages.is_empty() && size > READ_BYTES_MAX) {
                    break;
                }
                messages.push(self.bytes(record));
            }
            next += 1;
        }
        let found = if messages.is_empty() { Found::NoMatch } else { Found::Messages };
        Read { found, next, min, max, body: messages.concat() }
    }

    /// Is the message at the queue's end new to someone who waits from `from` on, by these tags?
    #[must_use]
    pub fn newest_matches(&self, topic: &str, queue: i32, from: i64, tags: &Tags) -> bool {
        self.queue(topic, queue).filter(|queue| queue.end() > from).is_some_and(|queue| {
            queue.entries.last().is_some_and(|&at| tags.pass(self.records[at].tag.as_deref()))
        })
    }

    /// The message that starts at a physical offset.
    #[must_use]
    pub fn at(&self, physical: i64) -> Option<Bytes> {
        let at = self.records.binary_search_by_key(&physical, |record| record.physical).ok()?;
        Some(Bytes::copy_from_slice(self.bytes(&self.records[at])))
    }

    /// Store times of a queue's messages, with their offsets.
    pub fn times(&self, topic: &str, queue: i32) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        let queue = self.queue(topic, queue);
        let first = queue.map_or(0, |queue| queue.first);
        (first..)
            .zip(queue.map_or(&[][..], |queue| &queue.entries))
            .map(|(offset, &at)| (offset, self.records[at].stored))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The bytes of a queue's messages, each with its offset.
    pub fn messages(&self, topic: &str, queue: i32) -> impl Iterator<Item = (i64, Bytes)> {
        let queue = self.queue(topic, queue);
        let first = queue.map_or(0, |queue| queue.first);
        (first..)
            .zip(queue.map_or(&[][..], |queue| &queue.entries))
            .map(|(offset, &at)| (offset, Bytes::copy_from_slice(self.bytes(&self.records[at]))))
    }

    /// Forgets a queue's messages before `first`, as expiry does.
    pub fn expire(&mut self, topic: &str, queue: i32, first: i64) {
        if let Some(queue) = self.queues.get_mut(topic).and_then(|queues| queues.get_mut(&queue)) {
            let first = first.clamp(queue.first, queue.end());
            queue.entries.drain(..usize::try_from(first - queue.first).unwrap_or(0));
            queue.first = first;
        }
    }

    /// Loses what was stored after `at`, as a crash without a flush does; returns the lost places.
    pub fn lose_after(&mut self, at: Duration) -> Vec<(Arc<str>, i32, i64)> {
        let mut lost = Vec::new();
        while let Some(record) = self.records.pop_if(|record| record.at > at) {
            self.end = record.physical;
            self.files[record.file].truncate(record.bytes.start);
            self.files.truncate(record.file + 1);
            if let Some(queue) =
                self.queues.get_mut(&record.topic).and_then(|queues| queues.get_mut(&record.queue))
            {
                queue.entries.pop();
                lost.push((record.topic, record.queue, queue.end()));
            }
        }
        lost
    }

    /// Forgets a topic's queues.
    pub fn delete(&mut self, topic: &str) {
        self.queues.remove(topic);
    }

    /// Messages by key, newest last, as the index finds them: by hash of topic and key.
    #[must_use]
    pub fn by_key(&self, topic: &str, key: &str, unique: bool, most: usize) -> Vec<u8> {
        let mut body = Vec::new();
        let wanted = java_hash(key);
        let found = self.records.iter().filter(|record| &*record.topic == topic).filter(|record| {
            let Some(message) = Stored::decode(&mut Bytes::copy_from_slice(self.bytes(record))) else {
                return false;
            };
            if unique {
                property(&message.properties, "UNIQ_KEY").is_some_and(|own| java_hash(own) == wanted)
            } else {
                property(&message.properties, "KEYS")
                    .is_some_and(|keys| keys.split(' ').any(|own| java_hash(own) == wanted))
            }
        });
        for record in found.take(most) {
            body.extend_from_slice(self.bytes(record));
        }
        body
    }
}
