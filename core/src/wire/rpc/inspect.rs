//! What administrators look up one by one: who reads what and how far behind, statistics; and what they set: keys and
//! values and permissions to write on name servers, settings of brokers.
//!
//! Laws: an answer that there is none is no error but `None`, where the protocol has a code for it. Lists are bounded
//! by the bodies they come in.
//!
//! Sources: Java `QueryTopicConsumeByWhoRequestHeader`, `GroupList`, `QueryTopicsByConsumerRequestHeader`,
//! `QueryConsumeTimeSpanRequestHeader`, `QueryConsumeTimeSpanBody`, `ViewBrokerStatsDataRequestHeader`,
//! `BrokerStatsData`, `PollingInfoRequestHeader`, `WipeWritePermOfBrokerRequestHeader`,
//! `AddWritePermOfBrokerRequestHeader`, `PutKVConfigRequestHeader`, `GetKVConfigRequestHeader`,
//! `DeleteKVConfigRequestHeader`, `GetKVListByNamespaceRequestHeader`, `KVTable`,
//! `AdminBrokerProcessor#updateBrokerConfig`, `GetBrokerConfigResponseHeader`; wire.md §3.4, §3.6, §3.7, §5.6, §5.8.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::Deserialize;

use super::admin::{TableBody, topics};
use super::consume::QueueBody;
use super::record::rpc;
use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, Group, Queue, Topic};
use crate::time::UnixMillis;
use crate::wire::body;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::FieldSink;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// The namespace in which name servers keep which topics are ordered, and over how many queues of which broker.
pub const ORDER_TOPICS: &str = "ORDER_TOPIC_CONFIG";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    group_list: Vec<Text>,
}

rpc! {
    /// Asks a broker which groups read a topic (300).
    GetGroupsOfTopic = QUERY_TOPIC_CONSUME_BY_WHO -> Vec<Text>, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin::<GroupsBody>(&frame.body)?.group_list)
    }; {
        /// The topic.
        topic: Topic = "topic",
    }
}

rpc! {
    /// Asks a broker which topics a group reads (343); since 5.0.
    GetTopicsOfGroup = QUERY_TOPICS_BY_CONSUMER -> Vec<Text>, topics; {
        /// The group.
        group: Group = "group",
    }
}

/// Between which times a queue has messages, and up to which of them a group has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// The queue.
    pub queue: Queue,
    /// When its first message was stored.
    pub first: UnixMillis,
    /// When its last message was stored.
    pub last: UnixMillis,
    /// When the message at the group's offset was stored.
    pub consumed: UnixMillis,
    /// How long the first message that is not read has waited, in milliseconds.
    pub delay_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeSpansBody {
    #[serde(default, deserialize_with = "body::or_default")]
    consume_time_span_set: Vec<TimeSpanBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeSpanBody {
    message_queue: QueueBody,
    min_time_stamp: i64,
    max_time_stamp: i64,
    consume_time_stamp: i64,
    delay_time: i64,
}

impl From<TimeSpanBody> for TimeSpan {
    fn from(span: TimeSpanBody) -> Self {
        Self {
            queue: span.message_queue.into(),
            first: UnixMillis(span.min_time_stamp),
            last: UnixMillis(span.max_time_stamp),
            consumed: UnixMillis(span.consume_time_stamp),
            delay_ms: span.delay_time,
        }
    }
}

rpc! {
    /// Asks a broker how far in time a group has read a topic (303).
    GetTimeSpans = QUERY_CONSUME_TIME_SPAN -> Vec<TimeSpan>, |frame: &Frame| {
        success(frame)?;
        let read = body::parse_admin::<TimeSpansBody>(&frame.body)?;
        Ok(read.consume_time_span_set.into_iter().map(TimeSpan::from).collect())
    }; {
        /// The topic.
        topic: Topic = "topic",
        /// The group.
        group: Group = "group",
    }
}

/// What was counted in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Counted {
    /// In all.
    pub sum: i64,
    /// A second.
    #[serde(rename = "tps")]
    pub rate: f64,
    /// On average each time.
    #[serde(rename = "avgpt")]
    pub average: f64,
}

/// What a broker counted in the last minute, hour and day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStats {
    /// In the last minute.
    pub stats_minute: Counted,
    /// In the last hour.
    pub stats_hour: Counted,
    /// In the last day.
    pub stats_day: Counted,
}

rpc! {
    /// Asks a broker what it counted (315). What it never counted is code 1.
    GetBrokerStats = VIEW_BROKER_STATS_DATA -> BrokerStats, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse(&frame.body)?)
    }; {
        /// What was counted, such as `TOPIC_PUT_NUMS` and `GROUP_GET_NUMS`.
        name: Text = "statsName",
        /// Of what: a topic, or `topic@group`.
        key: Text = "statsKey",
    }
}

rpc! {
    /// Asks a broker how many requests wait for messages of a queue (200055); since 5.0.
    GetPolling = POLLING_INFO -> i32, |frame: &Frame| {
        success(frame)?;
        Ok(frame.header.fields.required_int("pollingNum")?)
    }; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue: i32 = "queueId",
    }
}

rpc! {
    /// Has a name server tell nobody any more that a broker may be written (205); says for how many topics.
    WipeWritePermission = WIPE_WRITE_PERM_OF_BROKER -> i32, |frame: &Frame| {
        success(frame)?;
        Ok(frame.header.fields.required_int("wipeTopicCount")?)
    }; {
        /// The broker.
        broker: BrokerName = "brokerName",
    }
}

rpc! {
    /// Has a name server tell again that a broker may be written (327); says for how many topics.
    AddWritePermission = ADD_WRITE_PERM_OF_BROKER -> i32, |frame: &Frame| {
        success(frame)?;
        Ok(frame.header.fields.required_int("addTopicCount")?)
    }; {
        /// The broker.
        broker: BrokerName = "brokerName",
    }
}

rpc! {
    /// Puts a value under a key of a name server (100).
    PutKeyValue = PUT_KV_CONFIG -> (), success; {
        /// The namespace, such as [`ORDER_TOPICS`].
        namespace: Text = "namespace",
        /// The key.
        key: Text = "key",
        /// The value.
        value: Text = "value",
    }
}

/// Settings as they travel (Java: `MixAll#properties2String`).
fn lines(frame: &Frame) -> Result<Text, RpcError> {
    Text::from_utf8(frame.body.clone()).map_err(|_| RpcError::Malformed("body"))
}

/// The settings of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The settings: `key=value`, a line each.
    pub settings: Text,
    /// The state of the settings: a [`DataVersion`](super::topics::DataVersion) as it travels.
    pub version: Text,
}

rpc! {
    /// Asks a broker for all its settings (26).
    GetBrokerConfig = GET_BROKER_CONFIG -> BrokerConfig, |frame: &Frame| {
        success(frame)?;
        Ok(BrokerConfig { settings: lines(frame)?, version: frame.header.fields.required_text("version")? })
    }; {}
}

/// Changes settings of a running broker (25). It refuses values that are none, takes names it does not know, and
/// changes some of its settings only when it starts again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetBrokerConfig {
    /// The settings: `key=value`, a line each.
    pub settings: Text,
}

impl Rpc for SetBrokerConfig {
    const CODE: i32 = RequestCode::UPDATE_BROKER_CONFIG.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        self.settings.clone().into_bytes()
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        lines(frame).map(|settings| Self { settings })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

/// Passes what was found, and `None` for the answer that there is none.
fn found<T>(frame: &Frame, read: impl FnOnce(&Frame) -> Result<T, RpcError>) -> Result<Option<T>, RpcError> {
    if frame.header.code == ResponseCode::QUERY_NOT_FOUND.0 {
        return Ok(None);
    }
    success(frame)?;
    read(frame).map(Some)
}

rpc! {
    /// Asks a name server for the value under a key (101).
    GetKeyValue = GET_KV_CONFIG -> Option<Text>, |frame: &Frame| {
        found(frame, |frame| Ok(frame.header.fields.text("value").unwrap_or_default()))
    }; {
        /// The namespace.
        namespace: Text = "namespace",
        /// The key.
        key: Text = "key",
    }
}

rpc! {
    /// Deletes a key of a name server and its value (102).
    DeleteKeyValue = DELETE_KV_CONFIG -> (), success; {
        /// The namespace.
        namespace: Text = "namespace",
        /// The key.
        key: Text = "key",
    }
}

rpc! {
    /// Asks a name server for everything in a namespace (219).
    ListKeyValues = GET_KVLIST_BY_NAMESPACE -> Option<BTreeMap<String, Option<Text>>>, |frame: &Frame| {
        found(frame, |frame| Ok(body::parse_admin::<TableBody>(&frame.body)?.table))
    }; {
        /// The namespace.
        namespace: Text = "namespace",
    }
}
