//! A message that was read: plain data, decoded on the thread that takes it.
//!
//! Laws: nothing is copied, bodies and properties are slices of what the broker sent; a message that cannot be decoded
//! is reported by itself and never takes the others of its reply with it.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fusee_core::ids::Queue;
use fusee_core::wire::ids::{Host, OffsetId};
use fusee_core::wire::properties::names;
use fusee_core::wire::{Damaged, StoredMessage, messages};
use fusee_core::{Pulled, UnixMillis};

use crate::error::{NotText, Undecodable};

/// A message as it was read from a queue.
///
/// Cloning it is cheap and copies no body. It keeps the reply alive that it came in, so copy out what is kept for long.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    queue: Queue,
    offset: i64,
    /// Its body is decompressed already.
    message: StoredMessage,
}

impl Received {
    /// The topic it was sent to. A message that was given back for another attempt shows its first topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        let topic = self.message.topic.as_str();
        if topic.starts_with("%RETRY%") { self.property(names::RETRY_TOPIC).unwrap_or(topic) } else { topic }
    }

    /// The queue it was read from.
    #[must_use]
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Its offset in that queue.
    #[must_use]
    pub const fn offset(&self) -> i64 {
        self.offset
    }

    /// The producer's id of it. Messages of producers that give none have the broker's instead.
    #[must_use]
    pub fn id(&self) -> String {
        self.message.unique_id().map_or_else(|| self.offset_id().to_string(), str::to_owned)
    }

    /// The broker's id of it: where it is stored.
    #[must_use]
    pub const fn offset_id(&self) -> OffsetId {
        self.message.offset_id()
    }

    /// The body, decompressed.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.message.body
    }

    /// The body, without a copy.
    #[must_use]
    pub fn into_body(self) -> Bytes {
        self.message.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`NotText`] when it is not UTF-8.
    pub fn text(&self) -> Result<&str, NotText> {
        std::str::from_utf8(self.body()).map_err(|error| NotText {
            id: self.id().into(),
            topic: self.queue.topic.clone(),
            valid_up_to: error.valid_up_to(),
        })
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.property(names::TAGS)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.property(names::KEYS).into_iter().flat_map(|keys| keys.split(' ')).filter(|key| !key.is_empty())
    }

    /// A property by its name, of the application's own or one of RocketMQ's.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.message.properties.get(name)
    }

    /// All properties, those that RocketMQ added among them, in no particular order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.message.properties.iter()
    }

    /// The number the producer gave it.
    #[must_use]
    pub const fn flag(&self) -> i32 {
        self.message.flag
    }

    /// How many times it is delivered now: 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.message.reconsume_times).unwrap_or(0).saturating_add(1)
    }

    /// When the producer made it, by the producer's clock.
    #[must_use]
    pub fn born(&self) -> SystemTime {
        time(self.message.born)
    }

    /// When the broker stored it, by the broker's clock.
    #[must_use]
    pub fn stored(&self) -> SystemTime {
        time(self.message.stored)
    }

    /// Where it was sent from, as the broker saw it.
    #[must_use]
    pub const fn born_host(&self) -> Host {
        self.message.born_host
    }

    /// The broker that stores it, by the address it tells others.
    #[must_use]
    pub const fn store_host(&self) -> Host {
        self.message.store_host
    }

    /// The protocol's flags.
    #[must_use]
    pub const fn sys_flag(&self) -> i32 {
        self.message.sys_flag
    }
}

impl fmt::Debug for Received {
    /// The body is left out, only its size is shown: messages end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("id", &self.id())
            .field("queue", &format_args!("{}", self.queue))
            .field("offset", &self.offset)
            .field("attempt", &self.attempt())
            .field("body_bytes", &self.body().len())
            .field("properties", &self.message.properties)
            .finish()
    }
}

/// A time on the wire; nonsense of a peer is cut to what a clock can show.
fn time(millis: UnixMillis) -> SystemTime {
    let distance = Duration::from_millis(millis.0.unsigned_abs());
    let time = if millis.0 < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The messages of one reply, and what of it cannot be read.
pub(crate) fn decode(pulled: Pulled) -> (Vec<Received>, Vec<Undecodable>) {
    let Pulled { queue, from, offset_delta, not_before, body, .. } = pulled;
    // 128 bytes are less than any message has; a hint that claims more memory than was received is none.
    let mut read = Vec::with_capacity((body.len() / 256).min(32));
    let mut damaged = Vec::new();
    for found in messages(body) {
        match found.map_err(|damage| undecodable(&queue, from, offset_delta, &damage)).and_then(|message| {
            let offset = message.queue_offset.saturating_add(offset_delta);
            plain(message).map(|message| (offset, message)).map_err(|why| Undecodable {
                queue: queue.clone(),
                offset,
                why: why.into(),
            })
        }) {
            // A broker gives whole batches, and the message before a time: what lies before the position was not asked
            // for.
            Ok((offset, message))
                if offset < from || not_before.is_some_and(|time| message.stored < time) => {}
            Ok((offset, message)) => read.push(Received { queue: queue.clone(), offset, message }),
            Err(error) => damaged.push(error),
        }
    }
    (read, damaged)
}

fn undecodable(queue: &Queue, from: i64, delta: i64, damage: &Damaged) -> Undecodable {
    let offset = damage.queue_offset.map_or(from, |offset| offset.saturating_add(delta));
    let rest = if damage.rest_lost { "; the rest of the reply is lost with it" } else { "" };
    Undecodable { queue: queue.clone(), offset, why: format!("{}{rest}", damage.why).into() }
}

/// The message with its body decompressed.
fn plain(message: StoredMessage) -> Result<StoredMessage, String> {
    match message.compression() {
        Ok(None) => Ok(message),
        Ok(Some(compression)) => {
            Err(format!("its body is compressed ({compression:?}), which is not supported yet"))
        }
        Err(bits) => Err(format!("its body is compressed in an unknown way ({bits})")),
    }
}
