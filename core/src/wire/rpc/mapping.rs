//! How the queues of a static topic, which keep their numbers when they move, lie on brokers.
//!
//! Law: of the table that a broker hosts only what it was told is sent back; what it works out from it is not.
//!
//! Sources: Java `TopicQueueMappingDetail`, `TopicQueueMappingInfo`, `LogicQueueMappingItem`; wire.md §3.7, §5.8, §12.6.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::wire::body;
use crate::wire::text::Text;

/// A stretch of a logical queue and the physical queue that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingItem {
    /// The broker that holds it.
    #[serde(rename = "bname", default, deserialize_with = "body::or_default")]
    pub broker: Text,
    /// The physical offset after its last message; −1 while it is written.
    #[serde(default)]
    pub end_offset: i64,
    /// Which stretch it is, from 0.
    #[serde(rename = "gen", default)]
    pub generation: i32,
    /// The logical offset of its first message; −1 while it is not known.
    #[serde(default)]
    pub logic_offset: i64,
    /// The physical queue.
    #[serde(rename = "queueId", default)]
    pub queue: i32,
    /// The physical offset of its first message.
    #[serde(default)]
    pub start_offset: i64,
    /// When its last message was stored, in milliseconds since 1970; −1 while it is not known.
    #[serde(rename = "timeOfEnd", default)]
    pub end_time: i64,
    /// When its first message was stored, in milliseconds since 1970; −1 while it is not known.
    #[serde(rename = "timeOfStart", default)]
    pub start_time: i64,
}

/// Which logical queues of a static topic a broker hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicMapping {
    /// The broker.
    #[serde(rename = "bname", default, deserialize_with = "body::or_default")]
    pub broker: Text,
    /// Grows with every change.
    #[serde(default)]
    pub epoch: i64,
    /// The stretches of each logical queue, in their order.
    #[serde(rename = "hostedQueues", default, deserialize_with = "body::or_default")]
    pub hosted: BTreeMap<i32, Vec<MappingItem>>,
    /// The scope of the logical queues, such as `__global__`.
    #[serde(default, deserialize_with = "body::or_default")]
    pub scope: Text,
    /// The topic.
    #[serde(default, deserialize_with = "body::or_default")]
    pub topic: Text,
    /// How many logical queues there are.
    #[serde(rename = "totalQueues", default)]
    pub total: i32,
}
