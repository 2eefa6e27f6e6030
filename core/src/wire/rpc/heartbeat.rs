//! What a client tells brokers about itself: heartbeats and farewells.
//!
//! Laws: a heartbeat lists the whole subscription of a group, since what it does not list is removed. No list in it is
//! ever null, which would break the broker.
//!
//! Sources: Java `HeartbeatData`, `ConsumerData`, `SubscriptionData`, `UnregisterClientRequestHeader`,
//! `CheckClientRequestBody`, `GetConsumerListByGroupResponseBody`; wire.md §3.5, §5.3, §5.4.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::rpc;
use super::{Rpc, RpcError, success};
use crate::ids::{ClientId, Group, Topic};
use crate::limits::wire as limits;
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::fields::FieldSink;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// Tells a broker which groups this client is a member of (34).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who this is.
    pub client: ClientId,
    /// The groups it produces for.
    pub producers: Vec<Group>,
    /// The groups it consumes for.
    pub consumers: Vec<ConsumerEntry>,
    /// What a broker that knows the second form compares instead of the subscriptions; 0 for the first form.
    pub fingerprint: i32,
    /// Whether the subscriptions are left out because the broker has them.
    pub without_subscriptions: bool,
}

/// How a group consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConsumeType {
    /// The application pulls.
    #[serde(rename = "CONSUME_ACTIVELY")]
    Pull,
    /// The client pulls and calls the application.
    #[serde(rename = "CONSUME_PASSIVELY")]
    Push,
    /// The broker hands messages out.
    #[serde(rename = "CONSUME_POP")]
    Pop,
}

/// Whether members of a group share messages or each get all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageModel {
    /// Each member gets all.
    #[serde(rename = "BROADCASTING")]
    Broadcasting,
    /// The members share.
    #[serde(rename = "CLUSTERING")]
    Clustering,
}

/// Where a group without offsets begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConsumeFrom {
    /// At the end.
    #[serde(rename = "CONSUME_FROM_LAST_OFFSET")]
    Last,
    /// At the beginning.
    #[serde(rename = "CONSUME_FROM_FIRST_OFFSET")]
    First,
    /// At a time.
    #[serde(rename = "CONSUME_FROM_TIMESTAMP")]
    Timestamp,
}

/// A consumer group in a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerEntry {
    /// Where it begins.
    pub consume_from_where: ConsumeFrom,
    /// How it consumes.
    pub consume_type: ConsumeType,
    /// Its name.
    #[serde(rename = "groupName", with = "body::group")]
    pub group: Group,
    /// How it shares.
    pub message_model: MessageModel,
    /// Everything it is subscribed to.
    #[serde(rename = "subscriptionDataSet", default)]
    pub subscriptions: Vec<SubscriptionEntry>,
    /// Java's unit mode.
    #[serde(default)]
    pub unit_mode: bool,
}

/// One topic of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionEntry {
    /// Obsolete; false.
    #[serde(default)]
    pub class_filter_mode: bool,
    /// Java's string hashes of the tags: what the broker filters by.
    #[serde(rename = "codeSet", default)]
    pub codes: Vec<i32>,
    /// `TAG` or `SQL92`.
    #[serde(default)]
    pub expression_type: Text,
    /// The expression; `*` for everything.
    #[serde(rename = "subString")]
    pub expression: Text,
    /// Grows when the subscription changes.
    #[serde(rename = "subVersion", default)]
    pub version: i64,
    /// The tags; empty for everything and for SQL92.
    #[serde(rename = "tagsSet", default)]
    pub tags: Vec<Text>,
    /// The topic.
    #[serde(with = "body::topic")]
    pub topic: Topic,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeartbeatBody<'a> {
    #[serde(rename = "clientID")]
    client_id: &'a str,
    consumer_data_set: &'a [ConsumerEntry],
    heartbeat_fingerprint: i32,
    producer_data_set: Vec<ProducerBody<'a>>,
    without_sub: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProducerBody<'a> {
    group_name: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeartbeatRead {
    #[serde(rename = "clientID")]
    client_id: String,
    #[serde(default)]
    consumer_data_set: Vec<ConsumerEntry>,
    #[serde(default)]
    heartbeat_fingerprint: i32,
    #[serde(default)]
    producer_data_set: Vec<ProducerRead>,
    #[serde(default)]
    without_sub: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProducerRead {
    #[serde(with = "body::group")]
    group_name: Group,
}

/// What a broker answers to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatReply {
    /// The broker's protocol version.
    pub version: i32,
    /// Whether it knows heartbeats of the second form.
    pub second_form: bool,
    /// Whether the subscriptions should be sent whole again.
    pub subscriptions_changed: bool,
}

impl Rpc for Heartbeat {
    const CODE: i32 = RequestCode::HEART_BEAT.0;
    type Reply = HeartbeatReply;

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        let producers =
            self.producers.iter().map(|group| ProducerBody { group_name: group.as_str() }).collect();
        body::json(&HeartbeatBody {
            client_id: self.client.as_str(),
            consumer_data_set: &self.consumers,
            heartbeat_fingerprint: self.fingerprint,
            producer_data_set: producers,
            without_sub: self.without_subscriptions,
        })
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let read = body::parse::<HeartbeatRead>(&frame.body)?;
        let producers = read.producer_data_set.into_iter().map(|producer| producer.group_name).collect();
        Ok(Self {
            client: ClientId::new(&read.client_id).map_err(|_| RpcError::Malformed("clientID"))?,
            producers,
            consumers: read.consumer_data_set,
            fingerprint: read.heartbeat_fingerprint,
            without_subscriptions: read.without_sub,
        })
    }

    fn reply(frame: &Frame) -> Result<HeartbeatReply, RpcError> {
        success(frame)?;
        let fields = &frame.header.fields;
        Ok(HeartbeatReply {
            version: frame.header.version,
            second_form: fields.flag("IS_SUPPORT_HEART_BEAT_V2"),
            subscriptions_changed: fields.flag("IS_SUB_CHANGE"),
        })
    }
}

rpc! {
    /// Leaves a group on the connection it is sent over (35).
    Unregister = UNREGISTER_CLIENT -> (), success; {
        /// Who this is.
        client: ClientId = "clientID",
        /// The group it produced for.
        producer: Option<Group> = "producerGroup",
        /// The group it consumed for.
        consumer: Option<Group> = "consumerGroup",
    }
}

rpc! {
    /// Asks who is a member of a group (38). Answered with 1 when nobody is.
    GetMembers = GET_CONSUMER_LIST_BY_GROUP -> Vec<Text>, |frame: &Frame| {
        success(frame)?;
        let members = body::parse::<MembersBody>(&frame.body)?.consumer_id_list;
        if members.len() > limits::LIST_ENTRIES { Err(RpcError::Malformed("consumerIdList")) } else { Ok(members) }
    }; {
        /// The group.
        group: Group = "consumerGroup",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembersBody {
    #[serde(default, deserialize_with = "body::or_default")]
    consumer_id_list: Vec<Text>,
}

/// Asks a broker whether it can filter by an expression (46): what it refuses here it would refuse at each pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSubscription {
    /// Who this is.
    pub client: ClientId,
    /// The group.
    pub group: Group,
    /// The subscription.
    pub subscription: SubscriptionEntry,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckBody<'a> {
    client_id: &'a str,
    group: &'a str,
    subscription_data: &'a SubscriptionEntry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckRead {
    client_id: String,
    group: String,
    subscription_data: SubscriptionEntry,
}

impl Rpc for CheckSubscription {
    const CODE: i32 = RequestCode::CHECK_CLIENT_CONFIG.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        body::json(&CheckBody {
            client_id: self.client.as_str(),
            group: self.group.as_str(),
            subscription_data: &self.subscription,
        })
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let read = body::parse::<CheckRead>(&frame.body)?;
        let client = ClientId::new(&read.client_id).map_err(|_| RpcError::Malformed("clientId"))?;
        let group = Group::new(&read.group).map_err(|_| RpcError::Malformed("group"))?;
        Ok(Self { client, group, subscription: read.subscription_data })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}
