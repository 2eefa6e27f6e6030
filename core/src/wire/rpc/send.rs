//! Sending: one message or a prepared batch, and what the broker says about it.
//!
//! Law: a reply without a message id, queue or offset is no receipt, whatever its code.
//!
//! Sources: Java `SendMessageRequestHeaderV2`, `SendMessageResponseHeader`, `MQClientAPIImpl#processSendResponse`;
//! wire.md §3.2.

use bytes::Bytes;

use super::{Rpc, RpcError};
use crate::ids::{BrokerName, Group, Topic};
use crate::time::UnixMillis;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::FieldSink;
use crate::wire::frame::Frame;
use crate::wire::ids::OffsetId;
use crate::wire::text::Text;

/// The topic whose settings a broker copies when it creates one for a send.
pub const TEMPLATE_TOPIC: &str = "TBW102";

/// Stores a message, or the entries of a batch, in a queue (310, 320).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage {
    /// The producer group.
    pub group: Group,
    /// The topic to store it under.
    pub topic: Topic,
    /// The broker that is meant.
    pub broker: BrokerName,
    /// The queue on that broker; below zero lets the broker draw one.
    pub queue: i32,
    /// What the body is (see `message::flags`). Bits 4 and 5 must never be set: they corrupt the broker's store.
    pub sys_flag: i32,
    /// When the message was made.
    pub born: UnixMillis,
    /// The user's number, stored as it is.
    pub flag: i32,
    /// The encoded properties.
    pub properties: Text,
    /// How often it was consumed in vain, for a resend to a retry topic.
    pub reconsume_times: i32,
    /// The bound of that, for a resend to a retry topic.
    pub max_reconsume: Option<i32>,
    /// Java's unit mode.
    pub unit_mode: bool,
    /// Whether the body is a batch of entries.
    pub batch: bool,
    /// The topic whose settings are copied if the topic has to be created; mostly [`TEMPLATE_TOPIC`].
    pub default_topic: Text,
    /// How many queues a created topic shall have.
    pub default_queues: i32,
    /// The message, or the entries.
    pub body: Bytes,
}

impl Rpc for SendMessage {
    const CODE: i32 = RequestCode::SEND_MESSAGE_V2.0;
    type Reply = SendReply;

    fn code(&self) -> i32 {
        if self.batch { RequestCode::SEND_BATCH_MESSAGE.0 } else { Self::CODE }
    }

    fn fields(&self, out: &mut impl FieldSink) {
        out.text("a", self.group.as_str());
        out.text("b", self.topic.as_str());
        out.text("c", &self.default_topic);
        out.int("d", i64::from(self.default_queues));
        out.int("e", i64::from(self.queue));
        out.int("f", i64::from(self.sys_flag));
        out.int("g", self.born.0);
        out.int("h", i64::from(self.flag));
        if !self.properties.is_empty() {
            out.text("i", &self.properties);
        }
        out.int("j", i64::from(self.reconsume_times));
        out.flag("k", self.unit_mode);
        if let Some(max) = self.max_reconsume {
            out.int("l", i64::from(max));
        }
        out.flag("m", self.batch);
        out.text("n", self.broker.as_str());
    }

    fn body(&self) -> Bytes {
        self.body.clone()
    }

    fn reply(frame: &Frame) -> Result<SendReply, RpcError> {
        SendReply::read(frame)
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
        let id = fields.required_text("msgId")?;
        Ok(Self {
            status,
            offset_id: OffsetId::parse(&id).map_or(MessageId::Text(id), MessageId::Place),
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
