//! Properties of a message: `name 0x01 value 0x02`, over and over.
//!
//! Laws: what is written reads back the same, so what would not survive (a separator in a name or value, an empty
//! name or value) is refused when it is put. Reading follows Java since 4.9.2: an entry without a separator, a name or
//! a value is dropped, the value is everything after the first separator, the last of two equal names wins, and the
//! end mark of the last entry may be missing, as brokers 4.9.2 to 5.1 leave it out.
//!
//! Sources: Java `MessageDecoder#messageProperties2String`, `string2messageProperties`, `MessageConst`; wire.md §6.4,
//! §7.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

use super::text::Text;
use super::words;
use crate::limits::wire as limits;

const NAME_END: u8 = 1;
const VALUE_END: u8 = 2;

/// Names of properties that have a meaning (Java `MessageConst`).
pub mod names {
    /// Index keys, separated by blanks.
    pub const KEYS: &str = "KEYS";
    /// The tag.
    pub const TAGS: &str = "TAGS";
    /// Whether the broker answers only when the message is as safe as it is set to make it.
    pub const WAIT: &str = "WAIT";
    /// The delay level.
    pub const DELAY: &str = "DELAY";
    /// When to deliver, absolute.
    pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
    /// When to deliver, in seconds from now.
    pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
    /// When to deliver, in milliseconds from now.
    pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
    /// The client's id of the message.
    pub const UNIQ_KEY: &str = "UNIQ_KEY";
    /// The topic of a message that is delivered again.
    pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
    /// Where a parked message belongs.
    pub const REAL_TOPIC: &str = "REAL_TOPIC";
    /// The queue where a parked message belongs.
    pub const REAL_QUEUE: &str = "REAL_QID";
    /// Marks a half message.
    pub const TRANSACTION: &str = "TRAN_MSG";
    /// The producer group of a half message.
    pub const PRODUCER_GROUP: &str = "PGROUP";
    /// The id of the transaction.
    pub const TRANSACTION_ID: &str = "__transactionId__";
    /// How often a transaction was checked.
    pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
    /// When a half message is checked first.
    pub const CHECK_IMMUNITY: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
    /// The first offset of the queue when the message was read.
    pub const MIN_OFFSET: &str = "MIN_OFFSET";
    /// The end of the queue when the message was read.
    pub const MAX_OFFSET: &str = "MAX_OFFSET";
    /// The broker's id of the first attempt.
    pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
    /// How often a resent message was consumed in vain.
    pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
    /// The bound of that.
    pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
    /// When a handler got the message.
    pub const CONSUME_START_TIME: &str = "CONSUME_START_TIME";
    /// Where a dead letter came from.
    pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
    /// What a dead letter was.
    pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";
    /// The broker's region.
    pub const REGION: &str = "MSG_REGION";
    /// Whether to trace.
    pub const TRACE_ON: &str = "TRACE_ON";
    /// The broker's cluster.
    pub const CLUSTER: &str = "CLUSTER";
    /// What orders messages among each other.
    pub const SHARDING_KEY: &str = "__SHARDINGKEY";
    /// What the Go client calls the same.
    pub const SHARDING_KEY_OF_GO: &str = "SHARDING_KEY";
    /// Which request a reply is to.
    pub const CORRELATION_ID: &str = "CORRELATION_ID";
    /// Who wants the reply.
    pub const REPLY_TO: &str = "REPLY_TO_CLIENT";
    /// How long a reply is wanted.
    pub const TTL: &str = "TTL";
    /// What a reply is marked with.
    pub const MESSAGE_TYPE: &str = "MSG_TYPE";
    /// The handle of a message that was handed out.
    pub const POP_CHECKPOINT: &str = "POP_CK";
    /// When a message was handed out first.
    pub const FIRST_POP_TIME: &str = "1ST_POP_TIME";
    /// How many messages an inner batch holds.
    pub const INNER_NUM: &str = "INNER_NUM";
    /// The queue offset of its first.
    pub const INNER_BASE: &str = "INNER_BASE";
    /// The light queues a message is also in.
    pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
    /// Its offsets there.
    pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
    /// Java's namespace of the first kind.
    pub const INSTANCE_ID: &str = "INSTANCE_ID";
    /// Java's buyer.
    pub const BUYER_ID: &str = "BUYER_ID";
    /// A checksum over the properties, added by brokers that are set to.
    pub const CRC: &str = "__CRC32#";
}

/// The properties of a received message: a view over the text, decoded as it is walked.
#[derive(Clone, Default)]
pub struct Properties(Text);

impl Properties {
    /// The properties that this text encodes.
    #[must_use]
    pub const fn new(text: Text) -> Self {
        Self(text)
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (mut rest, mut last) = (&self.0.as_bytes()[..], None);
        while !rest.is_empty() {
            let end = words::find(rest, VALUE_END).unwrap_or(rest.len());
            let (entry, more) = rest.split_at_checked(end)?;
            rest = more.get(1..).unwrap_or_default();
            if let Some([NAME_END, value @ ..]) = entry.strip_prefix(name.as_bytes())
                && !value.is_empty()
            {
                last = Some(value);
            }
        }
        // A name that holds the separator would be found where only the first one counts.
        let last = last.filter(|_| !name.is_empty() && !name.as_bytes().contains(&NAME_END))?;
        core::str::from_utf8(last).ok()
    }

    /// Every name with its value, by name. Whatever a peer sends, the time this takes grows hardly faster than the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        entries(&self.0).collect::<BTreeMap<_, _>>().into_iter()
    }

    /// The text they are encoded in.
    #[must_use]
    pub const fn encoded(&self) -> &Text {
        &self.0
    }

    /// Whether there is no property.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        entries(&self.0).next().is_none()
    }
}

impl PartialEq for Properties {
    /// Equal as maps.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Properties {}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(char::from(VALUE_END))
        .filter_map(|entry| entry.split_once(char::from(NAME_END)))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// Why a property cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// The name or the value is empty and would be lost.
    #[error("a property needs a name and a value")]
    Empty,
    /// The name or the value holds one of the characters that separate properties.
    #[error("a property must not hold the characters 1 and 2")]
    Separator,
    /// All properties together would be longer than brokers store.
    #[error("properties of {bytes} bytes are more than the {max} that are stored")]
    Long {
        /// With this property.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}

/// Properties being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyText {
    text: String,
}

impl PropertyText {
    /// No properties, with room for the usual ones.
    #[must_use]
    pub fn new() -> Self {
        Self { text: String::with_capacity(128) }
    }

    /// Adds a property. One that is put twice has the later value when it is read.
    pub fn put(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        if name.is_empty() || value.is_empty() {
            return Err(PropertyError::Empty);
        }
        if separates(name) || separates(value) {
            return Err(PropertyError::Separator);
        }
        let bytes = self.text.len().saturating_add(name.len()).saturating_add(value.len()).saturating_add(2);
        if bytes > limits::PROPERTIES_BYTES {
            return Err(PropertyError::Long { bytes, max: limits::PROPERTIES_BYTES });
        }
        self.text.push_str(name);
        self.text.push(NAME_END.into());
        self.text.push_str(value);
        self.text.push(VALUE_END.into());
        Ok(())
    }

    /// The bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was put.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What was put, encoded.
    #[must_use]
    pub fn finish(self) -> Text {
        Text::from(self.text)
    }
}

fn separates(text: &str) -> bool {
    text.bytes().any(|byte| byte == NAME_END || byte == VALUE_END)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read(text: &'static str) -> Vec<(String, String)> {
        Properties::new(Text::from(text)).iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn reading_follows_java() {
        let one = |name: &str, value: &str| (String::from(name), String::from(value));
        assert_eq!(
            read("KEYS\x01k1\x02TAGS\x01TagA\x02EMPTY\x01\x02"),
            [one("KEYS", "k1"), one("TAGS", "TagA")]
        );
        assert_eq!(read("a\x01b"), [one("a", "b")], "without the last end mark");
        assert_eq!(read("a\x01b\x01c\x02"), [one("a", "b\u{1}c")]);
        assert_eq!(read("a\x01b\x02a\x01c\x02"), [one("a", "c")]);
        assert_eq!(read("\x01b\x02ab\x02\x02"), []);
        assert!(Properties::default().is_empty());
    }

    #[test]
    fn what_would_not_survive_is_refused() {
        let mut text = PropertyText::new();
        assert_eq!(text.put("a", ""), Err(PropertyError::Empty));
        assert_eq!(text.put("", "a"), Err(PropertyError::Empty));
        assert_eq!(text.put("a\u{1}", "a"), Err(PropertyError::Separator));
        assert_eq!(text.put("a", "\u{2}"), Err(PropertyError::Separator));
        assert!(text.is_empty());
        text.put("a", &"x".repeat(32_000)).expect("below the bound");
        let long = PropertyError::Long { bytes: 32_003 + 1_002 + 1, max: 32_767 };
        assert_eq!(text.put("b", &"y".repeat(1_000)), Err(long));
        assert_eq!(Properties::new(text.finish()).get("a").map(str::len), Some(32_000));
    }
}
