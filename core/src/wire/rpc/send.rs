//! Sending: one message or a prepared batch, and what the broker says about it.
//!
//! Law: a reply without a message id, queue or offset is no receipt, whatever its code.
//!
//! Sources: Java `SendMessageRequestHeader`, `SendMessageRequestHeaderV2`, `SendMessageResponseHeader`,
//! `MQClientAPIImpl#processSendResponse`, `RecallMessageHandle`; wire.md §3.2, §8.7.

use alloc::string::String;
use bytes::Bytes;
use core::fmt;

use super::record::{record, rpc};
use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, Group, Topic};
use crate::time::UnixMillis;
use crate::wire::base64;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::{FieldSink, FieldSource, Fields};
use crate::wire::frame::Frame;
use crate::wire::ids::OffsetId;
use crate::wire::text::Text;

/// The topic whose settings a broker copies when it creates one for a send.
pub const TEMPLATE_TOPIC: &str = "TBW102";

record! {
    /// Stores a message, or the entries of a batch, in a queue (310, 320).
    SendMessage {
        /// The producer group.
        group: Group = "a",
        /// The topic to store it under.
        topic: Topic = "b",
        /// The topic whose settings are copied if the topic has to be created; mostly [`TEMPLATE_TOPIC`].
        default_topic: Text = "c",
        /// How many queues a created topic shall have.
        default_queues: i32 = "d",
        /// The queue on that broker; below zero lets the broker draw one.
        queue: i32 = "e",
        /// What the body is (see `message::flags`). Bits 4 and 5 must never be set: they corrupt the broker's store.
        sys_flag: i32 = "f",
        /// When the message was made.
        born: UnixMillis = "g",
        /// The user's number, stored as it is.
        flag: i32 = "h",
        /// The encoded properties.
        properties: Text = "i",
        /// How often it was consumed in vain, for a resend to a retry topic.
        reconsume_times: i32 = "j",
        /// Java's unit mode.
        unit_mode: bool = "k",
        /// The bound of `reconsume_times`, for a resend to a retry topic.
        max_reconsume: Option<i32> = "l",
        /// Whether the body is a batch of entries.
        batch: bool = "m",
        /// The broker that is meant.
        broker: BrokerName = "n",
    }
    with {
        /// The message, or the entries.
        body: Bytes = Bytes::new(),
    }
}

impl Rpc for SendMessage {
    const CODE: i32 = RequestCode::SEND_MESSAGE_V2.0;
    type Reply = SendReply;

    fn code(&self) -> i32 {
        if self.batch { RequestCode::SEND_BATCH_MESSAGE.0 } else { Self::CODE }
    }

    fn fields(&self, out: &mut impl FieldSink) {
        self.write_fields(out);
    }

    fn body(&self) -> Bytes {
        self.body.clone()
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        Ok(Self { body: frame.body.clone(), ..Self::read_fields(&frame.header.fields)? })
    }

    fn reply(frame: &Frame) -> Result<SendReply, RpcError> {
        SendReply::read(frame)
    }
}

/// Stores a message with the long names of its fields (10). Brokers take both; Java's clients send the short ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendLong(
    /// What is sent.
    pub SendMessage,
);

/// The long name of each short one.
const LONG_NAMES: [(&str, &str); 14] = [
    ("a", "producerGroup"),
    ("b", "topic"),
    ("c", "defaultTopic"),
    ("d", "defaultTopicQueueNums"),
    ("e", "queueId"),
    ("f", "sysFlag"),
    ("g", "bornTimestamp"),
    ("h", "flag"),
    ("i", "properties"),
    ("j", "reconsumeTimes"),
    ("k", "unitMode"),
    ("l", "maxReconsumeTimes"),
    ("m", "batch"),
    ("n", "bname"),
];

/// Hands fields on under their long names.
struct Lengthen<'a, S>(&'a mut S);

impl<S: FieldSink> FieldSink for Lengthen<'_, S> {
    fn text(&mut self, key: &str, value: &str) {
        let long = LONG_NAMES.iter().find(|(short, _)| *short == key);
        self.0.text(long.map_or(key, |(_, long)| long), value);
    }
}

impl Rpc for SendLong {
    const CODE: i32 = RequestCode::SEND_MESSAGE.0;
    type Reply = SendReply;

    fn fields(&self, out: &mut impl FieldSink) {
        self.0.write_fields(&mut Lengthen(out));
    }

    fn body(&self) -> Bytes {
        self.0.body.clone()
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let long = &frame.header.fields;
        let short = LONG_NAMES.iter().filter_map(|(short, name)| Some((*short, long.get(name)?)));
        let read = SendMessage::read_fields(&Fields::from_pairs(short))?;
        Ok(Self(SendMessage { body: frame.body.clone(), ..read }))
    }

    fn reply(frame: &Frame) -> Result<SendReply, RpcError> {
        SendReply::read(frame)
    }
}

/// Stores the answer to a request that a message made, or passes it on to who asked (325). Sent to the broker that the
/// request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendAnswer(
    /// The answer: a message to the cluster's reply topic.
    pub SendMessage,
);

impl Rpc for SendAnswer {
    const CODE: i32 = RequestCode::SEND_REPLY_MESSAGE_V2.0;
    type Reply = SendReply;

    fn fields(&self, out: &mut impl FieldSink) {
        self.0.write_fields(out);
    }

    fn body(&self) -> Bytes {
        self.0.body.clone()
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        SendMessage::read(frame).map(Self)
    }

    fn reply(frame: &Frame) -> Result<SendReply, RpcError> {
        SendReply::read(frame)
    }
}

rpc! {
    /// Takes back a timed message (370).
    Recall = RECALL_MESSAGE -> Text, |frame: &Frame| {
        success(frame)?;
        Ok(frame.header.fields.required_text("msgId")?)
    }; {
        /// The producer group.
        group: Option<Group> = "producerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// What the send's reply gave.
        handle: Text = "recallHandle",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

/// How safely a message was stored when the broker answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// As safely as the broker is set to.
    Stored,
    /// Stored, but not yet on disk when the broker's time for that was over.
    FlushDiskTimeout,
    /// Stored on the master, but no replica had it when the broker's time for that was over.
    FlushSlaveTimeout,
    /// Stored on the master, and no replica was there to have it.
    SlaveNotAvailable,
}

impl Durability {
    /// What the code of a send's answer says, if it says that the message is stored.
    #[must_use]
    pub const fn of(code: i32) -> Option<Self> {
        match ResponseCode(code) {
            ResponseCode::SUCCESS => Some(Self::Stored),
            ResponseCode::FLUSH_DISK_TIMEOUT => Some(Self::FlushDiskTimeout),
            ResponseCode::FLUSH_SLAVE_TIMEOUT => Some(Self::FlushSlaveTimeout),
            ResponseCode::SLAVE_NOT_AVAILABLE => Some(Self::SlaveNotAvailable),
            _ => None,
        }
    }
}

/// The broker's name for what it stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageId {
    /// The place of one message.
    Place(OffsetId),
    /// Anything else, as it came: the list of a batch, or the `0` of a reply that was only pushed on.
    Text(Text),
}

/// The broker stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendReply {
    /// How safely.
    pub status: Durability,
    /// The broker's name for it.
    pub offset_id: MessageId,
    /// The queue it went to.
    pub queue: i32,
    /// Its place in that queue; of a batch, the place of the first entry.
    pub queue_offset: i64,
    /// Its transaction id; 5.x sends one for every message.
    pub transaction_id: Option<Text>,
    /// The name of a batch that was stored as one message.
    pub batch_id: Option<Text>,
    /// The broker's region.
    pub region: Option<Text>,
    /// Whether the broker wants it traced.
    pub trace_on: bool,
    /// What recalls a timed message.
    pub recall_handle: Option<Text>,
}

impl SendReply {
    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let status = Durability::of(frame.header.code).ok_or_else(|| RpcError::refused(frame))?;
        let fields = &frame.header.fields;
        let id = fields.required("msgId")?;
        Ok(Self {
            status,
            offset_id: OffsetId::parse(id)
                .map_or_else(|| MessageId::Text(String::from(id).into()), MessageId::Place),
            queue: fields.required_int("queueId")?,
            queue_offset: fields.required_int("queueOffset")?,
            transaction_id: fields.text("transactionId"),
            batch_id: fields.text("batchUniqId"),
            region: fields.text("MSG_REGION"),
            trace_on: fields.get("TRACE_ON") != Some("false"),
            recall_handle: fields.text("recallHandle"),
        })
    }
}

/// What recalls a timed message: where it is, when it is due, what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecallHandle {
    /// The topic.
    pub topic: Topic,
    /// The broker to ask.
    pub broker: BrokerName,
    /// When it is due, as the broker writes it.
    pub due: String,
    /// The client's id of the message.
    pub message_id: String,
}

impl RecallHandle {
    /// Reads a handle; parts behind the fifth are ignored, as Java does.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = String::from_utf8(base64::decode(text, base64::URL)?).ok()?;
        let mut parts = plain.split(' ');
        if parts.next()? != "v1" {
            return None;
        }
        Some(Self {
            topic: Topic::new(parts.next()?).ok()?,
            broker: BrokerName::new(parts.next()?).ok()?,
            due: parts.next()?.into(),
            message_id: parts.next()?.into(),
        })
    }
}

impl fmt::Display for RecallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, broker, due, message_id } = self;
        let plain = alloc::format!("v1 {topic} {broker} {due} {message_id}");
        f.write_str(&base64::encode(plain.as_bytes(), base64::URL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn recall_handles_read_back() {
        let text = "djEgVG9waWNUZXN0IGJyb2tlci1hIDE3MDAwMDAwMDAwMDAgTUlE";
        let handle = RecallHandle::parse(text).expect(text);
        assert_eq!((handle.due.as_str(), handle.message_id.as_str()), ("1700000000000", "MID"));
        assert_eq!(handle.to_string(), text);
        for bad in ["", "djEg", "*", "djIgVG9waWNUZXN0IGJyb2tlci1hIDE3MDAwMDAwMDAwMDAgTUlE"] {
            assert_eq!(RecallHandle::parse(bad), None, "{bad}");
        }
    }
}
