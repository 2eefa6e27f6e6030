//! What brokers since 5.5 tell of their light topics as a whole. Light topics themselves are not offered.
//!
//! Law: numbers are told as the broker counts them; nothing is worked out.
//!
//! Sources: Java `GetBrokerLiteInfoResponseBody`, `GetParentTopicInfoRequestHeader`, `GetParentTopicInfoResponseBody`;
//! wire.md §3.1.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

use super::record::rpc;
use super::success;
use crate::ids::Topic;
use crate::wire::body;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// What a broker counts of its light topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LightState {
    /// How queues are stored, such as `default`.
    #[serde(rename = "storeType", deserialize_with = "body::or_default")]
    pub store: Text,
    /// How many light queues there may be.
    #[serde(rename = "maxLmqNum")]
    pub queues_max: i32,
    /// How many light queues there are.
    #[serde(rename = "currentLmqNum")]
    pub queues: i32,
    /// How many subscriptions of members there are.
    #[serde(rename = "liteSubscriptionCount")]
    pub subscriptions: i32,
    /// The size of the broker's table of ordered deliveries.
    #[serde(rename = "orderInfoCount")]
    pub ordered: i32,
    /// The size of the broker's table of queues.
    #[serde(rename = "cqTableSize")]
    pub topics_with_queues: i32,
    /// The size of the broker's table of offsets.
    #[serde(rename = "offsetTableSize")]
    pub offsets: i32,
    /// The size of the broker's table of events.
    #[serde(rename = "eventMapSize")]
    pub events: i32,
    /// How long the light topics of a parent topic live, in minutes.
    #[serde(rename = "topicMeta", deserialize_with = "body::or_default")]
    pub parents: BTreeMap<String, i32>,
    /// The groups of each parent topic.
    #[serde(rename = "groupMeta", deserialize_with = "body::or_default")]
    pub groups: BTreeMap<String, Vec<Text>>,
}

rpc! {
    /// Asks a broker for the state of its light topics (200074); since 5.5.
    GetLightState = GET_BROKER_LITE_INFO -> LightState, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin(&frame.body)?)
    }; {}
}

/// What a broker tells of a topic that light topics belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentTopic {
    /// The topic.
    #[serde(deserialize_with = "body::or_default")]
    pub topic: Text,
    /// How long its light topics live, in minutes.
    #[serde(rename = "ttl")]
    pub lifetime_minutes: i32,
    /// The groups that read them.
    #[serde(deserialize_with = "body::or_default")]
    pub groups: Vec<Text>,
    /// How many light queues the broker has in all.
    #[serde(rename = "lmqNum")]
    pub queues: i32,
    /// How many light topics it has.
    #[serde(rename = "liteTopicCount")]
    pub light_topics: i32,
}

rpc! {
    /// Asks a broker about a topic that light topics belong to (200075); since 5.5. Any other topic is code 29.
    GetParentTopic = GET_PARENT_TOPIC_INFO -> ParentTopic, |frame: &Frame| {
        success(frame)?;
        Ok(body::parse_admin(&frame.body)?)
    }; {
        /// The topic.
        topic: Topic = "topic",
    }
}
