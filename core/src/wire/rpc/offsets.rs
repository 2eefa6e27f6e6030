//! Offsets of queues: their ends, their place in time, and what a group has stored.
//!
//! Law: an offset that the broker does not have is `None`, never a number.
//!
//! Sources: Java `QueryConsumerOffsetRequestHeader`, `UpdateConsumerOffsetRequestHeader`,
//! `SearchOffsetRequestHeader`, `GetMaxOffsetRequestHeader`, `GetMinOffsetRequestHeader`; wire.md §3.3.

use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, Group, Topic};
use crate::time::UnixMillis;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::FieldSink;
use crate::wire::frame::Frame;

/// The offset after the last message of a queue (30).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxOffset {
    /// The topic.
    pub topic: Topic,
    /// The broker that is meant.
    pub broker: BrokerName,
    /// The queue on that broker.
    pub queue: i32,
}

impl Rpc for MaxOffset {
    const CODE: i32 = RequestCode::GET_MAX_OFFSET.0;
    type Reply = i64;

    fn fields(&self, out: &mut impl FieldSink) {
        queue(out, &self.topic, &self.broker, self.queue);
    }

    fn reply(frame: &Frame) -> Result<i64, RpcError> {
        offset(frame)
    }
}

/// The first offset of a queue (31).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinOffset {
    /// The topic.
    pub topic: Topic,
    /// The broker that is meant.
    pub broker: BrokerName,
    /// The queue on that broker.
    pub queue: i32,
}

impl Rpc for MinOffset {
    const CODE: i32 = RequestCode::GET_MIN_OFFSET.0;
    type Reply = i64;

    fn fields(&self, out: &mut impl FieldSink) {
        queue(out, &self.topic, &self.broker, self.queue);
    }

    fn reply(frame: &Frame) -> Result<i64, RpcError> {
        offset(frame)
    }
}

/// The offset of a queue at a point in time (29). Brokers before 5.0 answer with the last message before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchOffset {
    /// The topic.
    pub topic: Topic,
    /// The broker that is meant.
    pub broker: BrokerName,
    /// The queue on that broker.
    pub queue: i32,
    /// The time at which messages were stored.
    pub time: UnixMillis,
    /// Whether the last message not after that time is meant, instead of the first not before it.
    pub upper: bool,
}

impl Rpc for SearchOffset {
    const CODE: i32 = RequestCode::SEARCH_OFFSET_BY_TIMESTAMP.0;
    type Reply = i64;

    fn fields(&self, out: &mut impl FieldSink) {
        queue(out, &self.topic, &self.broker, self.queue);
        out.int("timestamp", self.time.0);
        out.text("boundaryType", if self.upper { "UPPER" } else { "LOWER" });
    }

    fn reply(frame: &Frame) -> Result<i64, RpcError> {
        offset(frame)
    }
}

/// The offset that a group has stored for a queue (14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryOffset {
    /// The consumer group.
    pub group: Group,
    /// The topic.
    pub topic: Topic,
    /// The broker that is meant.
    pub broker: BrokerName,
    /// The queue on that broker.
    pub queue: i32,
    /// Whether 0 may stand for a missing offset; unsaid, the broker decides. Brokers before 5.0 always answer 0.
    pub zero_if_missing: Option<bool>,
}

impl Rpc for QueryOffset {
    const CODE: i32 = RequestCode::QUERY_CONSUMER_OFFSET.0;
    type Reply = Option<i64>;

    fn fields(&self, out: &mut impl FieldSink) {
        out.text("consumerGroup", self.group.as_str());
        queue(out, &self.topic, &self.broker, self.queue);
        if let Some(zero) = self.zero_if_missing {
            out.flag("setZeroIfNotFound", zero);
        }
    }

    fn reply(frame: &Frame) -> Result<Option<i64>, RpcError> {
        if frame.header.code == ResponseCode::QUERY_NOT_FOUND.0 { Ok(None) } else { offset(frame).map(Some) }
    }
}

/// Stores a group's offset of a queue (15). The broker takes any number, smaller ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateOffset {
    /// The consumer group.
    pub group: Group,
    /// The topic.
    pub topic: Topic,
    /// The broker that is meant.
    pub broker: BrokerName,
    /// The queue on that broker.
    pub queue: i32,
    /// The next offset to consume.
    pub offset: i64,
}

impl Rpc for UpdateOffset {
    const CODE: i32 = RequestCode::UPDATE_CONSUMER_OFFSET.0;
    type Reply = ();

    fn fields(&self, out: &mut impl FieldSink) {
        out.text("consumerGroup", self.group.as_str());
        queue(out, &self.topic, &self.broker, self.queue);
        out.int("commitOffset", self.offset);
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

fn queue(out: &mut impl FieldSink, topic: &Topic, broker: &BrokerName, queue: i32) {
    out.text("topic", topic.as_str());
    out.int("queueId", i64::from(queue));
    out.text("bname", broker.as_str());
}

fn offset(frame: &Frame) -> Result<i64, RpcError> {
    success(frame)?;
    frame.header.fields.required_int("offset")
}
