//! What administrators ask of name servers and brokers.
//!
//! Law: an answer that lists what a cluster has is bounded like any other, only higher.
//!
//! Sources: Java `DeleteTopicRequestHeader`, `ClusterInfo`, `GetBrokerMemberGroupRequestHeader`,
//! `GetBrokerMemberGroupResponseBody`, `TopicList`, `KVTable`, `TopicStatsTable`, `ConsumeStats`, `ConsumerConnection`,
//! `ProducerConnection`, `ProducerTableInfo`, `ProducerInfo`, `ResetOffsetRequestHeader`; wire.md §3.6, §3.7, §5.2, §5.3,
//! §5.6.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

use super::pushed::{read_map, reset_offsets};
use super::record::rpc;
use super::route::{BrokerBody, RouteBroker};
use super::{RpcError, success};
use crate::ids::{BrokerName, Group, Queue, Topic};
use crate::time::UnixMillis;
use crate::wire::body;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

rpc! {
    /// Deletes a topic on one broker (215).
    DeleteTopic = DELETE_TOPIC_IN_BROKER -> (), success; {
        /// The topic.
        topic: Topic = "topic",
    }
}

rpc! {
    /// Deletes a topic on one name server (216).
    ForgetTopic = DELETE_TOPIC_IN_NAMESRV -> (), success; {
        /// The topic.
        topic: Topic = "topic",
        /// Only in this cluster.
        cluster: Option<Text> = "clusterName",
    }
}

/// The brokers of all clusters, by name, and the names by cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The brokers.
    pub brokers: Vec<RouteBroker>,
    /// Names of brokers by cluster.
    pub clusters: BTreeMap<String, Vec<Text>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterBody {
    #[serde(default, deserialize_with = "body::or_default")]
    broker_addr_table: BTreeMap<String, BrokerBody>,
    #[serde(default, deserialize_with = "body::or_default")]
    cluster_addr_table: BTreeMap<String, Vec<Text>>,
}

rpc! {
    /// Asks a name server for all brokers (106).
    GetCluster = GET_BROKER_CLUSTER_INFO -> ClusterInfo, |frame: &Frame| {
        success(frame)?;
        let read = body::parse_admin::<ClusterBody>(&frame.body)?;
        let brokers = read.broker_addr_table.into_values().map(BrokerBody::check).collect::<Result<_, _>>()?;
        Ok(ClusterInfo { brokers, clusters: read.cluster_addr_table })
    }; {}
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplicasBody {
    #[serde(default)]
    broker_member_group: Option<BrokerBody>,
}

rpc! {
    /// Asks a name server for the replicas of a broker (901); since 5.0. Of a broker that it does not know there are none.
    GetReplicas = GET_BROKER_MEMBER_GROUP -> Option<RouteBroker>, |frame: &Frame| {
        success(frame)?;
        body::parse::<ReplicasBody>(&frame.body)?.broker_member_group.map(BrokerBody::check).transpose()
    }; {
        /// The cluster.
        cluster: Text = "clusterName",
        /// The broker.
        broker: BrokerName = "brokerName",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TopicsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    topic_list: Vec<Text>,
}

pub(crate) fn topics(frame: &Frame) -> Result<Vec<Text>, RpcError> {
    success(frame)?;
    Ok(body::parse_admin::<TopicsBody>(&frame.body)?.topic_list)
}

rpc! {
    /// Asks a name server for all topics (206).
    GetTopics = GET_ALL_TOPIC_LIST_FROM_NAMESERVER -> Vec<Text>, topics; {}
}

rpc! {
    /// Asks a name server for the topics of a cluster (224).
    GetTopicsOfCluster = GET_TOPICS_BY_CLUSTER -> Vec<Text>, topics; {
        /// The cluster.
        cluster: Text = "cluster",
    }
}

#[derive(Deserialize)]
pub(crate) struct TableBody {
    #[serde(default, deserialize_with = "body::or_default")]
    pub(crate) table: BTreeMap<String, Option<Text>>,
}

rpc! {
    /// Asks a broker for its state (28).
    GetBrokerState = GET_BROKER_RUNTIME_INFO -> BTreeMap<String, Option<Text>>, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin::<TableBody>(&frame.body)?.table)
    }; {}
}

/// The ends of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStats {
    /// When its last message was stored.
    #[serde(default)]
    pub last_update_timestamp: i64,
    /// The offset after the last message.
    pub max_offset: i64,
    /// The first offset.
    pub min_offset: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OffsetTable<V> {
    #[serde(default = "BTreeMap::new")]
    offset_table: BTreeMap<String, V>,
}

rpc! {
    /// Asks a broker for the ends of a topic's queues (202).
    GetTopicStats = GET_TOPIC_STATS_INFO -> Vec<(Queue, QueueStats)>, |frame: &Frame| {
        success(frame)?;
        read_map(body::parse_admin::<OffsetTable<QueueStats>>(&frame.body)?.offset_table)
    }; {
        /// The topic.
        topic: Topic = "topic",
    }
}

/// Where a group is in one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumeStats {
    /// The offset after the last message.
    pub broker_offset: i64,
    /// The group's stored offset.
    pub consumer_offset: i64,
    /// When the message at that offset was stored.
    #[serde(default)]
    pub last_timestamp: i64,
    /// The offset that was pulled last; brokers since 5.0.
    #[serde(default)]
    pub pull_offset: i64,
}

rpc! {
    /// Asks a broker where a group is (208).
    GetConsumeStats = GET_CONSUME_STATS -> Vec<(Queue, ConsumeStats)>, |frame: &Frame| {
        success(frame)?;
        read_map(body::parse_admin::<OffsetTable<ConsumeStats>>(&frame.body)?.offset_table)
    }; {
        /// The group.
        group: Group = "consumerGroup",
        /// Only of this topic.
        topic: Option<Topic> = "topic",
    }
}

/// A client that a broker knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its id.
    pub client_id: Text,
    /// Its address, as the broker sees it.
    #[serde(default)]
    pub client_addr: Option<Text>,
    /// Its language by name.
    #[serde(default)]
    pub language: Option<Text>,
    /// Its protocol version.
    #[serde(default)]
    pub version: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    connection_set: Vec<Connection>,
}

fn connections(frame: &Frame) -> Result<Vec<Connection>, RpcError> {
    success(frame)?;
    Ok(body::parse_admin::<ConnectionsBody>(&frame.body)?.connection_set)
}

rpc! {
    /// Asks a broker for the members of a consumer group (203). Answered with 206 when there are none.
    GetConsumers = GET_CONSUMER_CONNECTION_LIST -> Vec<Connection>, connections; {
        /// The group.
        group: Group = "consumerGroup",
    }
}

rpc! {
    /// Asks a broker for the members of a producer group (204).
    GetProducers = GET_PRODUCER_CONNECTION_LIST -> Vec<Connection>, connections; {
        /// The group.
        group: Group = "producerGroup",
    }
}

/// A client that produces for a group, as a broker knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Producer {
    /// Its id.
    #[serde(default, deserialize_with = "body::or_default")]
    pub client_id: Text,
    /// Its address, as the broker sees it: `/ip:port`.
    #[serde(rename = "remoteIP", default)]
    pub address: Option<Text>,
    /// Its language by name.
    #[serde(default)]
    pub language: Option<Text>,
    /// Its protocol version.
    #[serde(default)]
    pub version: i32,
    /// When its last heartbeat came, in milliseconds since 1970.
    #[serde(rename = "lastUpdateTimestamp", default)]
    pub last_heartbeat: i64,
}

#[derive(Deserialize)]
struct ProducersBody {
    #[serde(default, deserialize_with = "body::or_default")]
    data: BTreeMap<String, Vec<Producer>>,
}

rpc! {
    /// Asks a broker for the members of all producer groups (328); since 4.9.4.
    GetAllProducers = GET_ALL_PRODUCER_INFO -> BTreeMap<String, Vec<Producer>>, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin::<ProducersBody>(&frame.body)?.data)
    }; {}
}

rpc! {
    /// Sets a group's offsets of a topic to a time (222), on one broker.
    ResetGroup = INVOKE_BROKER_TO_RESET_OFFSET -> Vec<(Queue, i64)>, |frame: &Frame| {
        success(frame)?;
        reset_offsets(&frame.body)
    }; {
        /// The topic.
        topic: Topic = "topic",
        /// The group.
        group: Group = "group",
        /// The time; −1 for the end.
        time: UnixMillis = "timestamp",
        /// Whether offsets may also move forward.
        force: bool = "isForce",
        /// The queue, or −1 for all.
        queue: Option<i32> = "queueId",
        /// The offset, or −1 to go by time.
        offset: Option<i64> = "offset",
        /// The broker that is meant.
        broker: Option<BrokerName> = "bname",
    }
}
