//! Static topics: a topic whose queues keep their numbers when they move between brokers.
//!
//! Law: of the table that a broker hosts only what it was told is sent back; what it works out from it is not.
//!
//! Sources: Java `TopicQueueMappingDetail`, `TopicQueueMappingInfo`, `LogicQueueMappingItem`,
//! `AdminBrokerProcessor#updateAndCreateStaticTopic`; wire.md §3.7, §5.8, §12.6.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::topics::CreateTopic;
use super::{Rpc, RpcError, success};
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::frame::Frame;
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
