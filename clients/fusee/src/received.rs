//! A message that was read: plain data, decoded on the thread that takes it.
//!
//! Laws: nothing is copied, bodies and properties are slices of what the broker sent; a message that cannot be decoded
//! is reported by itself and never takes the others of its reply with it.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fusee_core::ids::{Queue, RETRY_PREFIX};
use fusee_core::wire::ids::{Host, OffsetId};
use fusee_core::wire::message::Compression;
use fusee_core::wire::properties::names;
use fusee_core::wire::{Damaged, StoredMessage, batch, messages};
use fusee_core::{Pulled, UnixMillis};
use fusee_engine::codec::{Codecs, InflateError, crc_holds};

use crate::error::{NotText, Undecodable};
use crate::limits;

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
        if topic.starts_with(RETRY_PREFIX) {
            self.property(names::RETRY_TOPIC).unwrap_or(topic)
        } else {
            topic
        }
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

/// Turns replies into messages; keeps what is expensive to set up.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    codecs: Option<Codecs>,
}

/// What was found in one reply.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) messages: Vec<Received>,
    /// What of it cannot be read.
    pub(crate) damaged: Vec<Undecodable>,
}

impl Decoder {
    pub(crate) fn decode(&mut self, pulled: Pulled) -> Decoded {
        let Pulled { queue, from, offset_delta, not_before, body, .. } = pulled;
        let mut decoded = Decoded::default();
        let (mut left, mut entries) = (Left::default(), limits::REPLY_ENTRIES);
        // Room for what a usual reply holds; what a peer claims about counts is not asked.
        decoded.messages.reserve((body.len() / 256).min(32));
        let mut keep = |message: StoredMessage| {
            let offset = message.queue_offset.saturating_add(offset_delta);
            // A broker gives whole batches, and the message before a time: what lies before was not asked for.
            if offset >= from && not_before.is_none_or(|time| message.stored >= time) {
                decoded.messages.push(Received { queue: queue.clone(), offset, message });
            }
        };
        for found in messages(body) {
            let report = |offset: Option<i64>, why: Box<str>| {
                let offset = offset.map_or(from, |offset| offset.saturating_add(offset_delta));
                Undecodable { queue: queue.clone(), offset, why }
            };
            let message = match found {
                Ok(message) => message,
                Err(damage) => {
                    decoded.damaged.push(report(damage.queue_offset, told(&damage)));
                    continue;
                }
            };
            let offset = Some(message.queue_offset);
            match self.plain(message, &mut left) {
                Ok(message) if message.is_inner_batch() => {
                    for entry in batch::unwrap(&message, message.body.clone()) {
                        let Some(left) = entries.checked_sub(1) else {
                            decoded
                                .damaged
                                .push(report(offset, "its reply holds more entries than any".into()));
                            break;
                        };
                        entries = left;
                        match entry {
                            Ok(message) => keep(message),
                            Err(damage) => decoded.damaged.push(report(offset, told(&damage))),
                        }
                    }
                }
                Ok(message) => keep(message),
                Err(why) => decoded.damaged.push(report(offset, why)),
            }
        }
        decoded
    }

    /// The message with its body decompressed, if that is what was stored, within what is left for its reply.
    fn plain(&mut self, mut message: StoredMessage, left: &mut Left) -> Result<StoredMessage, Box<str>> {
        // Zero is what a broker says that keeps no checksums.
        if message.crc != 0 && !crc_holds(&message) {
            return Err("the checksum of its body is wrong".into());
        }
        match message.compression() {
            Ok(None) => {}
            Ok(Some(compression)) => {
                message.body = self.inflate(compression, &message.body, left)?;
            }
            Err(bits) => return Err(format!("its body is compressed in an unknown way ({bits})").into()),
        }
        Ok(message)
    }

    fn inflate(&mut self, compression: Compression, body: &[u8], left: &mut Left) -> Result<Bytes, Box<str>> {
        if left.in_vain == 0 {
            return Err("too much of its reply was inflated in vain".into());
        }
        let most = limits::INFLATED_BODY_BYTES.min(left.kept);
        let inflated = self.codecs.get_or_insert_default().inflate(compression, body, most);
        match &inflated {
            Ok(body) => left.kept -= body.len(),
            Err(InflateError::TooLarge { .. }) => left.in_vain = left.in_vain.saturating_sub(most),
            // What came of it before is not known: about as much as zlib can make of so many bytes.
            Err(InflateError::Damaged(_)) => {
                left.in_vain = left.in_vain.saturating_sub(body.len().saturating_mul(1024).min(most));
            }
        }
        inflated.map_err(|error| error.to_string().into())
    }
}

/// What a reply may still make of its compressed bodies, in bytes.
struct Left {
    /// Of those that are handed on.
    kept: usize,
    /// Of those that are not: a bomb takes no memory, but time.
    in_vain: usize,
}

impl Default for Left {
    fn default() -> Self {
        Self { kept: limits::INFLATED_REPLY_BYTES, in_vain: limits::INFLATED_REPLY_BYTES }
    }
}

fn told(damage: &Damaged) -> Box<str> {
    let rest = if damage.rest_lost { "; what follows in the same reply cannot be found" } else { "" };
    format!("{}{rest}", damage.why).into()
}

#[cfg(test)]
mod tests;
