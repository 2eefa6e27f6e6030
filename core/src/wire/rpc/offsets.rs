//! Offsets of queues: their ends, their place in time, and what a group has stored.
//!
//! Law: an offset that the broker does not have is `None`, never a number.
//!
//! Sources: Java `QueryConsumerOffsetRequestHeader`, `UpdateConsumerOffsetRequestHeader`,
//! `SearchOffsetRequestHeader`, `GetMaxOffsetRequestHeader`, `GetMinOffsetRequestHeader`,
//! `GetEarliestMsgStoretimeRequestHeader`; wire.md §3.3.

use super::record::{record, rpc};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use serde::Deserialize;

use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, Group, Topic};
use crate::time::UnixMillis;
use crate::wire::body;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::frame::Frame;

rpc! {
    /// The offset after the last message of a queue (30).
    MaxOffset = GET_MAX_OFFSET -> i64, offset; {
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

rpc! {
    /// The first offset of a queue (31).
    MinOffset = GET_MIN_OFFSET -> i64, offset; {
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

record! {
    /// The offset of a queue at a point in time (29). Brokers before 5.0 answer with the last message before it.
    SearchOffset {
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The time at which messages were stored.
        time: UnixMillis = "timestamp",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
    with {
        /// Whether the last message not after that time is meant, instead of the first not before it.
        upper: bool = false,
    }
}

impl Rpc for SearchOffset {
    const CODE: i32 = RequestCode::SEARCH_OFFSET_BY_TIMESTAMP.0;
    type Reply = i64;

    fn fields(&self, out: &mut impl FieldSink) {
        self.write_fields(out);
        out.text("boundaryType", if self.upper { "UPPER" } else { "LOWER" });
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let fields = &frame.header.fields;
        let upper = fields.get("boundaryType").is_some_and(|boundary| boundary.eq_ignore_ascii_case("upper"));
        Ok(Self { upper, ..Self::read_fields(fields)? })
    }

    fn reply(frame: &Frame) -> Result<i64, RpcError> {
        offset(frame)
    }
}

rpc! {
    /// When the first message of a queue was stored (32); `None` for an empty queue.
    EarliestStoreTime = GET_EARLIEST_MSG_STORETIME -> Option<UnixMillis>, |frame: &Frame| {
        success(frame)?;
        let time = frame.header.fields.required_int::<i64>("timestamp")?;
        Ok(Some(UnixMillis(time)).filter(|time| time.0 >= 0))
    }; {
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

rpc! {
    /// The offset that a group has stored for a queue (14).
    QueryOffset = QUERY_CONSUMER_OFFSET -> Option<i64>, |frame: &Frame| {
        if frame.header.code == ResponseCode::QUERY_NOT_FOUND.0 { Ok(None) } else { offset(frame).map(Some) }
    }; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// Whether 0 may stand for a missing offset; unsaid, the broker decides. Brokers before 5.0 always answer 0.
        zero_if_missing: Option<bool> = "setZeroIfNotFound",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

rpc! {
    /// Stores a group's offset of a queue (15). The broker takes any number, smaller ones too.
    UpdateOffset = UPDATE_CONSUMER_OFFSET -> (), success; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The next offset to consume.
        offset: i64 = "commitOffset",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

fn offset(frame: &Frame) -> Result<i64, RpcError> {
    success(frame)?;
    Ok(frame.header.fields.required_int("offset")?)
}

/// Asks a broker for every offset of every group it has (43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredOffsets;

impl Rpc for StoredOffsets {
    const CODE: i32 = RequestCode::GET_ALL_CONSUMER_OFFSET.0;
    type Reply = OffsetTable;

    fn fields(&self, _: &mut impl FieldSink) {}

    fn read(_: &Frame) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn reply(frame: &Frame) -> Result<OffsetTable, RpcError> {
        success(frame)?;
        Ok(body::parse_admin(&frame.body)?)
    }
}

/// Every offset a broker has (Java `ConsumerOffsetSerializeWrapper`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OffsetTable {
    offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl OffsetTable {
    /// The offset of this group in that queue, if the broker has one.
    #[must_use]
    pub fn get(&self, topic: &Topic, group: &Group, queue: i32) -> Option<i64> {
        self.offset_table.get(&format!("{topic}@{group}"))?.get(&queue).copied()
    }

    /// Every offset, with its topic, group and queue.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, i32, i64)> {
        self.offset_table.iter().flat_map(|(key, queues)| {
            let (topic, group) = key.split_once('@').unwrap_or((key, ""));
            queues.iter().map(move |(queue, offset)| (topic, group, *queue, *offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_table_tells_zero_from_nothing() {
        let text = br#"{"dataVersion":{"counter":1},"offsetTable":{"t@g":{0:0,1:7}}}"#;
        let table: OffsetTable = body::parse_admin(text).unwrap();
        let (topic, group) = (Topic::new("t").unwrap(), Group::new("g").unwrap());
        assert_eq!([0, 1, 2].map(|queue| table.get(&topic, &group, queue)), [Some(0), Some(7), None]);
        assert_eq!(table.get(&topic, &Group::new("other").unwrap(), 0), None);
        assert_eq!(table.iter().collect::<alloc::vec::Vec<_>>(), [("t", "g", 0, 0), ("t", "g", 1, 7)]);
    }
}
