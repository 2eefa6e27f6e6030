//! How far groups have come, and what lies in queues: statistics of a whole broker, corrections and copies of offsets,
//! index entries, half messages whose checks had ended.
//!
//! Laws: lists are bounded by the bodies they come in. What is asked of one broker is answered for that broker alone.
//!
//! Sources: Java `GetConsumeStatsInBrokerHeader`, `ConsumeStatsList`, `ConsumeStats`, `QueryCorrectionOffsetHeader`,
//! `QueryCorrectionOffsetBody`, `CloneGroupOffsetRequestHeader`, `DelayOffsetSerializeWrapper`,
//! `QuerySubscriptionByConsumerRequestHeader`, `QuerySubscriptionResponseBody`, `QueryConsumeQueueRequestHeader`,
//! `QueryConsumeQueueResponseBody`, `ConsumeQueueData`, `ResumeCheckHalfMessageRequestHeader`; wire.md §3.7, §5.6.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

use super::admin::ConsumeStats;
use super::heartbeat::SubscriptionEntry;
use super::pushed::read_map;
use super::record::rpc;
use super::{RpcError, success};
use crate::ids::{Group, Queue, Topic};
use crate::wire::body;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// Where a group is in the queues of one of its topics.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupProgress {
    /// How many messages it consumes a second.
    pub rate: f64,
    /// Where it is.
    pub queues: Vec<(Queue, ConsumeStats)>,
}

/// Where the groups of a broker are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerProgress {
    /// The broker's address.
    pub broker: Option<Text>,
    /// Each group with its topics; one without offsets has none.
    pub groups: Vec<(Text, Vec<GroupProgress>)>,
    /// How many messages all of them are behind.
    pub behind: i64,
    /// How many messages are with members, pulled and not committed; brokers since 5.0.
    pub in_flight: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BrokerProgressBody {
    #[serde(default)]
    broker_addr: Option<Text>,
    #[serde(default, deserialize_with = "body::or_default")]
    consume_stats_list: Vec<BTreeMap<String, Option<Vec<ProgressBody>>>>,
    #[serde(default)]
    total_diff: i64,
    #[serde(default)]
    total_inflight_diff: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProgressBody {
    /// Java writes what is no number as null.
    #[serde(default, deserialize_with = "body::or_default")]
    consume_tps: f64,
    #[serde(default, deserialize_with = "body::or_default")]
    offset_table: BTreeMap<String, ConsumeStats>,
}

impl ProgressBody {
    fn check(self) -> Result<GroupProgress, RpcError> {
        Ok(GroupProgress { rate: self.consume_tps, queues: read_map(self.offset_table)? })
    }
}

fn broker_progress(frame: &Frame) -> Result<BrokerProgress, RpcError> {
    success(frame)?;
    let read = body::parse_admin::<BrokerProgressBody>(&frame.body)?;
    let mut groups = Vec::with_capacity(read.consume_stats_list.len());
    for (group, topics) in read.consume_stats_list.into_iter().flatten() {
        let topics = topics.unwrap_or_default().into_iter().map(ProgressBody::check);
        groups.push((Text::from(group), topics.collect::<Result<_, _>>()?));
    }
    Ok(BrokerProgress {
        broker: read.broker_addr,
        groups,
        behind: read.total_diff,
        in_flight: read.total_inflight_diff,
    })
}

rpc! {
    /// Asks a broker where all its groups are (317).
    GetBrokerProgress = GET_BROKER_CONSUME_STATS -> BrokerProgress, broker_progress; {
        /// Only in ordered topics.
        ordered: bool = "isOrder",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CorrectionsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    correction_offsets: BTreeMap<i32, i64>,
}

rpc! {
    /// Asks a broker for the least offset of each queue that any group has stored (308); `i64::MAX` where that is past
    /// the group compared with.
    GetCorrections = QUERY_CORRECTION_OFFSET -> BTreeMap<i32, i64>, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin::<CorrectionsBody>(&frame.body)?.correction_offsets)
    }; {
        /// Groups that do not count, joined by commas.
        without: Option<Text> = "filterGroups",
        /// The group compared with.
        group: Group = "compareGroup",
        /// The topic.
        topic: Topic = "topic",
    }
}

rpc! {
    /// Copies the offsets of a group to another on one broker (314). Brokers take it without a topic and then copy
    /// nothing.
    CloneOffsets = CLONE_GROUP_OFFSET -> (), success; {
        /// From whom.
        from: Group = "srcGroup",
        /// To whom.
        to: Group = "destGroup",
        /// Of which topic.
        topic: Option<Topic> = "topic",
        /// Whether also a topic that members of the first group do not read now.
        offline: bool = "offline",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DelayBody {
    #[serde(default, deserialize_with = "body::or_default")]
    offset_table: BTreeMap<i32, i64>,
}

rpc! {
    /// Asks a broker up to which offset of each delay level it has delivered (45).
    GetDelayOffsets = GET_ALL_DELAY_OFFSET -> BTreeMap<i32, i64>, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin::<DelayBody>(&frame.body)?.offset_table)
    }; {}
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionBody {
    #[serde(default)]
    subscription_data: Option<SubscriptionEntry>,
}

rpc! {
    /// Asks a broker what a group's members are subscribed to of a topic (345); since 5.0. `None` when no member said
    /// anything of it.
    GetSubscription = QUERY_SUBSCRIPTION_BY_CONSUMER -> Option<SubscriptionEntry>, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse::<SubscriptionBody>(&frame.body)?.subscription_data)
    }; {
        /// The group.
        group: Group = "group",
        /// The topic.
        topic: Option<Topic> = "topic",
    }
}

/// An entry of a queue's index, which says where a message lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexEntry {
    /// The bits by which expressions of groups fit it, as text.
    #[serde(rename = "bitMap", default)]
    pub bits: Option<Text>,
    /// Whether it passes the group's filter.
    #[serde(rename = "eval", default)]
    pub passes: bool,
    /// What the extended index has of it, as JSON.
    #[serde(rename = "extendDataJson", default)]
    pub extended: Option<Text>,
    /// What the broker has to say of it.
    #[serde(rename = "msg", default)]
    pub note: Option<Text>,
    /// Where the message lies in the log.
    #[serde(rename = "physicOffset", default)]
    pub physical_offset: i64,
    /// How many bytes it has there.
    #[serde(rename = "physicSize", default)]
    pub bytes: i32,
    /// The hash of its tag.
    #[serde(rename = "tagsCode", default)]
    pub tag_hash: i64,
}

/// A part of a queue's index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueIndex {
    /// What the broker has of the group's filter, in words.
    #[serde(rename = "filterData", default)]
    pub filter: Option<Text>,
    /// The offset after the last entry.
    #[serde(rename = "maxQueueIndex", default)]
    pub max: i64,
    /// The first offset.
    #[serde(rename = "minQueueIndex", default)]
    pub min: i64,
    /// The entries.
    #[serde(rename = "queueData", default, deserialize_with = "body::or_default")]
    pub entries: Vec<IndexEntry>,
    /// What the group is subscribed to.
    #[serde(rename = "subscriptionData", default)]
    pub subscription: Option<SubscriptionEntry>,
}

rpc! {
    /// Asks a broker for entries of a queue's index (321). A queue without messages is code 1.
    GetQueueIndex = QUERY_CONSUME_QUEUE -> QueueIndex, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin(&frame.body)?)
    }; {
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The offset of the first entry.
        offset: i64 = "index",
        /// How many entries at most.
        count: i32 = "count",
        /// By whose filter to judge them.
        group: Option<Group> = "consumerGroup",
    }
}

rpc! {
    /// Has a broker ask again for the verdict on a half message it had given up (323). Brokers take the id of any
    /// message and put a copy of it among the half messages.
    ResumeCheck = RESUME_CHECK_HALF_MESSAGE -> (), success; {
        /// The message's topic, for the broker's access check; brokers since 5.3.
        topic: Option<Topic> = "topic",
        /// The broker's id of the half message.
        message_id: Option<Text> = "msgId",
    }
}
