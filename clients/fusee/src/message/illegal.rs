//! What may not be sent, with the reasons (Java: `TopicValidator`, `Validators`, `MessageConst.STRING_HASH_SET`).

use fusee_core::error::NameError;
use fusee_core::ids::Topic;
use thiserror::Error;

use crate::limits;

/// What is wrong with a message. The caller's fault; nothing was sent, the message is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IllegalMessage {
    /// The topic's name is none.
    #[error("{name:?} cannot be a topic: {why}")]
    Topic {
        /// What was given, cut to 128 characters.
        name: Box<str>,
        /// What is wrong with it.
        why: NameError,
    },
    /// The topic belongs to the broker: sending to it is refused or does harm there.
    #[error("topic {0} belongs to the broker")]
    ReservedTopic(Topic),
    /// The body is empty.
    #[error("the body is empty")]
    EmptyBody,
    /// The body is longer than brokers take.
    #[error("the body has {bytes} bytes, {} are allowed", limits::BODY_BYTES)]
    LongBody {
        /// Bytes given.
        bytes: usize,
    },
    /// A property, key or tag without a name or without a value: readers would drop it.
    #[error("property {0:?} has a blank name or value")]
    BlankProperty(Box<str>),
    /// A property's name that RocketMQ uses itself.
    #[error("the property name {0:?} is reserved")]
    ReservedProperty(Box<str>),
    /// A property, key or tag with U+0001 or U+0002 in its name or value: nothing escapes these.
    #[error("property {0:?} contains U+0001 or U+0002")]
    Separator(Box<str>),
    /// A key with a space in it, which would be read as two keys.
    #[error("the key {0:?} contains a space")]
    KeyWithSpace(Box<str>),
    /// The properties are longer than brokers store.
    #[error("the properties have {bytes} bytes, {} are allowed", limits::PROPERTIES_BYTES)]
    LongProperties {
        /// Bytes of the encoded properties, the ones the client adds among them.
        bytes: usize,
    },
}

impl IllegalMessage {
    /// What to change.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Topic { .. } => Some("a topic has 1 to 127 characters of a-z, A-Z, 0-9, _, -, % and |"),
            Self::ReservedTopic(_) => Some("send to a topic of your own"),
            Self::EmptyBody => Some("brokers refuse empty bodies: put at least one byte into it"),
            Self::LongBody { .. } => Some("send a reference to the data, or split it over several messages"),
            Self::BlankProperty(_) => Some("leave the property out instead"),
            Self::ReservedProperty(_) => {
                Some("use the method made for it (tag, key, delay_level, ...), or another name")
            }
            Self::Separator(_) => Some("encode the value (for example base64), or put it into the body"),
            Self::KeyWithSpace(_) => Some("add the parts as keys of their own, or replace the space"),
            Self::LongProperties { .. } => Some("put large values into the body"),
        }
    }
}

/// A name for an error: whole if short.
pub(super) fn excerpt(name: &str) -> Box<str> {
    name.chars().take(128).collect()
}

/// Names that RocketMQ gives a meaning (Java: `MessageConst`, lines 4.9 and 5).
const RESERVED: [&str; 58] = [
    "1ST_POP_TIME",
    "ARRIVE_TIME",
    "BORN_TIMESTAMP",
    "BUYER_ID",
    "CHECK_IMMUNITY_TIME_IN_SECONDS",
    "CLUSTER",
    "CONSUME_START_TIME",
    "CORRECTION_FLAG",
    "CORRELATION_ID",
    "DELAY",
    "DLQ_ORIGIN_MESSAGE_ID",
    "DLQ_ORIGIN_TOPIC",
    "DUP_INFO",
    "EXTEND_UNIQ_INFO",
    "INNER_BASE",
    "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET",
    "INNER_NUM",
    "INSTANCE_ID",
    "KEYS",
    "MAX_OFFSET",
    "MAX_RECONSUME_TIMES",
    "MIN_OFFSET",
    "MQ2_FLAG",
    "MSG_REGION",
    "MSG_TYPE",
    "ORIGIN_GROUP",
    "ORIGIN_MESSAGE_ID",
    "PGROUP",
    "POP_CK",
    "POP_CK_OFFSET",
    "PROPERTY_FORWARD_QUEUE_ID",
    "PUSH_REPLY_TIME",
    "REAL_QID",
    "REAL_TOPIC",
    "RECONSUME_TIME",
    "REDIRECT",
    "REPLY_TO_CLIENT",
    "RETRY_TOPIC",
    "SHARDING_KEY",
    "TAGS",
    "TRACE_CONTEXT",
    "TRACE_ON",
    "TRANSACTION_CHECK_TIMES",
    "TRANSFER_FLAG",
    "TRANS_OFFSET",
    "TRAN_MSG",
    "TRAN_PREPARED_QUEUE_OFFSET",
    "TTL",
    "UNIQ_KEY",
    "WAIT",
    "_SYS_MSG_PRIORITY_",
    "__BORNHOST",
    "__CRC32#",
    "__LITE_TOPIC",
    "__SHARDINGKEY",
    "__STARTDELIVERTIME",
    "__transactionId__",
];

/// Whole families of such names.
const RESERVED_PREFIXES: [&str; 2] = ["TIMER_", "__RMQ.TRANSIENT."];

pub(super) fn is_reserved_property(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the pair survives the property string (Java: `MessageDecoder.string2messageProperties`).
pub(super) fn check_pair(name: &str, value: &str) -> Result<(), IllegalMessage> {
    if name.trim().is_empty() || value.trim().is_empty() {
        return Err(IllegalMessage::BlankProperty(excerpt(name)));
    }
    let cuts = [super::SEPARATOR, super::END];
    if name.contains(cuts) || value.contains(cuts) {
        return Err(IllegalMessage::Separator(excerpt(name)));
    }
    Ok(())
}
