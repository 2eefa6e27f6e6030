//! What members of a consumer group ask: locks, assignments, and a failed message given back.
//!
//! Law: a lock is held only for the queues that the answer lists.
//!
//! Sources: Java `LockBatchRequestBody`, `LockBatchResponseBody`, `UnlockBatchRequestBody`,
//! `ConsumerSendMsgBackRequestHeader`, `QueryAssignmentRequestBody`, `QueryAssignmentResponseBody`,
//! `SetMessageRequestModeRequestBody`; wire.md §3.3, §3.4, §5.3.

use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::heartbeat::MessageModel;
use super::record::rpc;
use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, ClientId, Group, Queue, Topic};
use crate::limits::wire as limits;
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::fields::FieldSink;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// Java's `MessageQueue`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueBody {
    #[serde(with = "body::broker")]
    broker_name: BrokerName,
    queue_id: i32,
    #[serde(with = "body::topic")]
    topic: Topic,
}

impl From<&Queue> for QueueBody {
    fn from(queue: &Queue) -> Self {
        Self { broker_name: queue.broker.clone(), queue_id: queue.queue, topic: queue.topic.clone() }
    }
}

impl From<QueueBody> for Queue {
    fn from(queue: QueueBody) -> Self {
        Self { topic: queue.topic, broker: queue.broker_name, queue: queue.queue_id }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LockBody {
    #[serde(with = "body::client")]
    client_id: ClientId,
    #[serde(with = "body::group")]
    consumer_group: Group,
    mq_set: Vec<QueueBody>,
    #[serde(default)]
    only_this_broker: bool,
}

fn lock_body(client: &ClientId, group: &Group, queues: &[Queue]) -> Bytes {
    let (client_id, consumer_group) = (client.clone(), group.clone());
    let mq_set = queues.iter().map(QueueBody::from).collect();
    body::json(&LockBody { client_id, consumer_group, mq_set, only_this_broker: false })
}

fn read_queues(queues: Vec<QueueBody>) -> Result<Vec<Queue>, RpcError> {
    if queues.len() > limits::LIST_ENTRIES {
        return Err(RpcError::Malformed("queues"));
    }
    Ok(queues.into_iter().map(Queue::from).collect())
}

/// Locks queues for a member (41), or renews its locks: they live for 60 s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockQueues {
    /// The member.
    pub client: ClientId,
    /// Its group.
    pub group: Group,
    /// The queues, all of the broker that is asked.
    pub queues: Vec<Queue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LockedBody {
    #[serde(default, rename = "lockOKMQSet", deserialize_with = "body::or_default")]
    locked: Vec<QueueBody>,
}

impl Rpc for LockQueues {
    const CODE: i32 = RequestCode::LOCK_BATCH_MQ.0;
    /// The queues that are locked for the member now.
    type Reply = Vec<Queue>;

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        lock_body(&self.client, &self.group, &self.queues)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let read = body::parse::<LockBody>(&frame.body)?;
        Ok(Self { client: read.client_id, group: read.consumer_group, queues: read_queues(read.mq_set)? })
    }

    fn reply(frame: &Frame) -> Result<Vec<Queue>, RpcError> {
        success(frame)?;
        read_queues(body::parse::<LockedBody>(&frame.body)?.locked)
    }
}

/// Gives locks back (42).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlockQueues {
    /// The member.
    pub client: ClientId,
    /// Its group.
    pub group: Group,
    /// The queues, all of the broker that is asked.
    pub queues: Vec<Queue>,
}

impl Rpc for UnlockQueues {
    const CODE: i32 = RequestCode::UNLOCK_BATCH_MQ.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        lock_body(&self.client, &self.group, &self.queues)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let LockQueues { client, group, queues } = LockQueues::read(frame)?;
        Ok(Self { client, group, queues })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

rpc! {
    /// Gives a message back to be delivered again later, or to the dead letters (36). Sent to the broker that stores
    /// it.
    SendBack = CONSUMER_SEND_MSG_BACK -> (), success; {
        /// Its place in the broker's log.
        offset: i64 = "offset",
        /// The consumer group.
        group: Group = "group",
        /// When: 0 lets the broker decide by how often it failed, below zero is at once a dead letter.
        delay_level: i32 = "delayLevel",
        /// The client's id of the message.
        origin_id: Option<Text> = "originMsgId",
        /// The topic it was read from.
        origin_topic: Option<Text> = "originTopic",
        /// Java's unit mode.
        unit_mode: bool = "unitMode",
        /// After how many failures it becomes a dead letter.
        max_reconsume: Option<i32> = "maxReconsumeTimes",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

/// How messages of a topic reach a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestMode {
    /// Members pull from queues assigned to them.
    #[serde(rename = "PULL")]
    Pull,
    /// The broker hands messages out.
    #[serde(rename = "POP")]
    Pop,
}

/// Asks a broker which queues a member shall read (400).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryAssignment {
    /// The member.
    pub client: ClientId,
    /// Its group.
    pub group: Group,
    /// The topic.
    pub topic: Topic,
    /// `AVG` or `AVG_BY_CIRCLE`.
    pub strategy: Text,
    /// How the group shares.
    pub model: MessageModel,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentBody {
    #[serde(with = "body::client")]
    client_id: ClientId,
    #[serde(with = "body::group")]
    consumer_group: Group,
    message_model: MessageModel,
    strategy_name: Text,
    #[serde(with = "body::topic")]
    topic: Topic,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentsBody {
    #[serde(default)]
    message_queue_assignments: Option<Vec<AssignedBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignedBody {
    #[serde(default)]
    message_queue: Option<QueueBody>,
    #[serde(default)]
    mode: Option<Text>,
}

/// A queue that a broker assigns; queue −1 stands for all of that broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The queue.
    pub queue: Queue,
    /// How to read it.
    pub mode: RequestMode,
}

impl Rpc for QueryAssignment {
    const CODE: i32 = RequestCode::QUERY_ASSIGNMENT.0;
    /// `None` means that the broker has no answer and what is assigned stays.
    type Reply = Option<Vec<Assigned>>;

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        body::json(&AssignmentBody {
            client_id: self.client.clone(),
            consumer_group: self.group.clone(),
            message_model: self.model,
            strategy_name: self.strategy.clone(),
            topic: self.topic.clone(),
        })
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let read = body::parse::<AssignmentBody>(&frame.body)?;
        let (client, group) = (read.client_id, read.consumer_group);
        Ok(Self { client, group, topic: read.topic, strategy: read.strategy_name, model: read.message_model })
    }

    fn reply(frame: &Frame) -> Result<Option<Vec<Assigned>>, RpcError> {
        success(frame)?;
        let read = body::parse::<AssignmentsBody>(&frame.body)?;
        let Some(assignments) = read.message_queue_assignments else { return Ok(None) };
        if assignments.len() > limits::LIST_ENTRIES {
            return Err(RpcError::Malformed("messageQueueAssignments"));
        }
        let assigned = assignments.into_iter().filter_map(|assigned| {
            let queue = assigned.message_queue?.into();
            let pop = assigned.mode.is_some_and(|mode| mode == "POP");
            Some(Assigned { queue, mode: if pop { RequestMode::Pop } else { RequestMode::Pull } })
        });
        Ok(Some(assigned.collect()))
    }
}

/// Sets how messages of a topic reach a group (401).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetRequestMode {
    /// The group.
    #[serde(rename = "consumerGroup", with = "body::group")]
    pub group: Group,
    /// How.
    pub mode: RequestMode,
    /// How many members share a queue.
    #[serde(rename = "popShareQueueNum", default)]
    pub pop_share_queues: i32,
    /// The topic.
    #[serde(with = "body::topic")]
    pub topic: Topic,
}

impl Rpc for SetRequestMode {
    const CODE: i32 = RequestCode::SET_MESSAGE_REQUEST_MODE.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        body::json(self)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        Ok(body::parse(&frame.body)?)
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}
