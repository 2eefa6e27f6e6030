//! Settings of topics: made one by one or many at once, read as a whole, and told to name servers.
//!
//! Laws: what a broker lists keeps the names it has, even those that nobody could make today; so they are texts here.
//! A page of a list says how much there is in all.
//!
//! Sources: Java `CreateTopicRequestHeader`, `TopicConfig`, `TopicFilterType`, `CreateTopicListRequestBody`,
//! `GetTopicConfigRequestHeader`, `GetAllTopicConfigRequestHeader`, `GetAllTopicConfigResponseHeader`,
//! `TopicConfigAndMappingSerializeWrapper`, `DataVersion`, `RegisterTopicRequestHeader`, `TopicRouteData`, `TopicList`,
//! `AdminBrokerProcessor#updateAndCreateStaticTopic`; wire.md §3.6, §3.7, §5.3, §5.8.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::admin::topics;
use super::mapping::TopicMapping;
use super::record::{Field, rpc};
use super::route::{Route, RouteQueue};
use super::{Rpc, RpcError, success};
use crate::ids::Topic;
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::fields::{FieldSink, FieldSource, Fields};
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// How many tags a message of a topic may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TagsPerMessage {
    /// One.
    #[default]
    #[serde(rename = "SINGLE_TAG")]
    One,
    /// Many.
    #[serde(rename = "MULTI_TAG")]
    Many,
}

impl Field for TagsPerMessage {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        out.text(key, if *self == Self::One { "SINGLE_TAG" } else { "MULTI_TAG" });
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        match fields.required(key)? {
            "SINGLE_TAG" => Ok(Self::One),
            "MULTI_TAG" => Ok(Self::Many),
            _ => Err(RpcError::Malformed(key)),
        }
    }
}

rpc! {
    /// Makes a topic on one broker, or changes it (17).
    CreateTopic = UPDATE_AND_CREATE_TOPIC -> (), success; {
        /// The topic.
        topic: Topic = "topic",
        /// The template; mostly `TBW102`.
        default_topic: Text = "defaultTopic",
        /// How many queues may be read.
        read_queues: i32 = "readQueueNums",
        /// How many queues may be written.
        write_queues: i32 = "writeQueueNums",
        /// 4 read, 2 write, 1 inherit.
        perm: i32 = "perm",
        /// How many tags a message may have.
        tags: TagsPerMessage = "topicFilterType",
        /// The system flag.
        sys_flag: Option<i32> = "topicSysFlag",
        /// Whether its queues are ordered.
        order: bool = "order",
        /// Attributes: `+key=value,-key`; brokers since 5.0.
        attributes: Option<Text> = "attributes",
        /// Whether a static topic's mapping is taken without a look at the one before; brokers since 5.0.
        force: bool = "force",
    }
}

/// The settings of a topic on one broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicConfig {
    /// What brokers since 5.0 know of it beyond the rest, such as `message.type`. To set one, put `+` before its name;
    /// to take it away, `-`.
    #[serde(default, deserialize_with = "body::or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Option<Text>>,
    /// Whether its queues are ordered.
    #[serde(default)]
    pub order: bool,
    /// 4 read, 2 write, 1 inherit.
    pub perm: i32,
    /// How many queues may be read.
    #[serde(rename = "readQueueNums")]
    pub read_queues: i32,
    /// How many tags a message may have.
    #[serde(rename = "topicFilterType", default, deserialize_with = "body::or_default")]
    pub tags: TagsPerMessage,
    /// The topic.
    #[serde(rename = "topicName")]
    pub topic: Text,
    /// The system flag.
    #[serde(rename = "topicSysFlag", default)]
    pub sys_flag: i32,
    /// How many queues may be written.
    #[serde(rename = "writeQueueNums")]
    pub write_queues: i32,
}

rpc! {
    /// Asks a broker for a topic's settings (351); since 5.0.
    GetTopicConfig = GET_TOPIC_CONFIG -> TopicConfig, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse(&frame.body)?)
    }; {
        /// The topic.
        topic: Topic = "topic",
    }
}

/// Makes many topics on one broker, or changes them (18); since 5.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTopics {
    /// The topics.
    #[serde(rename = "topicConfigList")]
    pub topics: Vec<TopicConfig>,
}

impl Rpc for CreateTopics {
    const CODE: i32 = RequestCode::UPDATE_AND_CREATE_TOPIC_LIST.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        body::json(self)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        Ok(body::parse_admin(&frame.body)?)
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

/// Makes a static topic on one broker, or changes its share of it (513); since 5.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateStaticTopic {
    /// The topic's settings.
    pub topic: CreateTopic,
    /// The broker's share.
    pub mapping: TopicMapping,
}

impl Rpc for CreateStaticTopic {
    const CODE: i32 = RequestCode::UPDATE_AND_CREATE_STATIC_TOPIC.0;
    type Reply = ();

    fn fields(&self, out: &mut impl FieldSink) {
        self.topic.write_fields(out);
    }

    fn body(&self) -> Bytes {
        body::json(&self.mapping)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let topic = CreateTopic::read_fields(&frame.header.fields)?;
        Ok(Self { topic, mapping: body::parse_admin(&frame.body)? })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

/// Which state of a table this is: it grows with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataVersion {
    /// How often the table was changed.
    #[serde(default, deserialize_with = "body::or_default")]
    pub counter: i64,
    /// The reign of a broker's master; brokers since 5.0, 0 before.
    #[serde(default, deserialize_with = "body::or_default")]
    pub state_version: i64,
    /// When it was changed last, in milliseconds since 1970.
    #[serde(default, deserialize_with = "body::or_default")]
    pub timestamp: i64,
}

impl DataVersion {
    /// It as it travels in fields.
    #[must_use]
    pub fn text(&self) -> Text {
        Text::from_utf8_lossy(body::json(self))
    }
}

/// The settings of the topics of a broker, all of them or a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfigs {
    /// How many topics there are in all; brokers since 5.5.
    pub total: Option<i32>,
    /// The state of the table.
    pub version: DataVersion,
    /// The topics, by name.
    pub topics: Vec<TopicConfig>,
    /// The state of the table of static topics; brokers since 5.0.
    pub mapping_version: Option<DataVersion>,
    /// Which queues of static topics this broker hosts; brokers since 5.0.
    pub mappings: Vec<TopicMapping>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TopicConfigsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    data_version: DataVersion,
    #[serde(default)]
    mapping_data_version: Option<DataVersion>,
    #[serde(default, deserialize_with = "body::or_default")]
    topic_config_table: BTreeMap<String, TopicConfig>,
    #[serde(default, deserialize_with = "body::or_default")]
    topic_queue_mapping_detail_map: BTreeMap<String, TopicMapping>,
}

rpc! {
    /// Asks a broker for the settings of its topics (21). With nothing set, or before 5.5, all of them come.
    GetTopicConfigs = GET_ALL_TOPIC_CONFIG -> TopicConfigs, |frame: &Frame| {
        success(frame)?;
        let read = body::parse_admin::<TopicConfigsBody>(&frame.body)?;
        Ok(TopicConfigs {
            total: frame.header.fields.int("totalTopicNum")?,
            version: read.data_version,
            topics: read.topic_config_table.into_values().collect(),
            mapping_version: read.mapping_data_version,
            mappings: read.topic_queue_mapping_detail_map.into_values().collect(),
        })
    }; {
        /// How many topics to pass over; counts only beside the version of the page before.
        skip: Option<i32> = "topicSeq",
        /// How many to give at most.
        most: Option<i32> = "maxTopicNum",
        /// The [`DataVersion`] of the page before, as it travels. The first page comes again if the table has changed.
        version: Option<Text> = "dataVersion",
    }
}

/// Tells a name server where the queues of a topic are (217), as brokers do themselves; since 5.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterTopic {
    /// The topic.
    pub topic: Topic,
    /// Its queues, by broker. The name server takes nothing if there are none.
    pub queues: Vec<RouteQueue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteBody<'a> {
    queue_datas: Vec<QueueDataBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueDataBody<'a> {
    broker_name: &'a str,
    perm: i32,
    read_queue_nums: i32,
    topic_sys_flag: i32,
    write_queue_nums: i32,
}

impl Rpc for RegisterTopic {
    const CODE: i32 = RequestCode::REGISTER_TOPIC_IN_NAMESRV.0;
    type Reply = ();

    fn fields(&self, out: &mut impl FieldSink) {
        self.topic.put("topic", out);
    }

    fn body(&self) -> Bytes {
        let queues = self.queues.iter().map(|queue| QueueDataBody {
            broker_name: queue.broker.as_str(),
            perm: queue.perm,
            read_queue_nums: queue.read,
            topic_sys_flag: queue.sys_flag,
            write_queue_nums: queue.write,
        });
        body::json(&RouteBody { queue_datas: queues.collect() })
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let topic = Field::read(&frame.header.fields, "topic")?;
        Ok(Self { topic, queues: Route::parse(&frame.body)?.queues })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

/// The topics that servers keep for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemTopics {
    /// Their names; name servers list the names of clusters and brokers, which are topics too.
    pub topics: Vec<Text>,
    /// The address of a broker, as `ip:port`.
    pub broker: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SystemTopicsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    topic_list: Vec<Text>,
    #[serde(default)]
    broker_addr: Option<Text>,
}

rpc! {
    /// Asks a name server which topics are its system's (304).
    GetSystemTopics = GET_SYSTEM_TOPIC_LIST_FROM_NS -> SystemTopics, |frame: &Frame| {
        success(frame)?;
        let read = body::parse_admin::<SystemTopicsBody>(&frame.body)?;
        Ok(SystemTopics { topics: read.topic_list, broker: read.broker_addr })
    }; {}
}

rpc! {
    /// Asks a broker which topics it keeps for itself (305).
    GetSystemTopicsOfBroker = GET_SYSTEM_TOPIC_LIST_FROM_BROKER -> Vec<Text>, topics; {}
}
