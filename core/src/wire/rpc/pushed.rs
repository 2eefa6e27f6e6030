//! What a broker may ask of us, and what it is told of offsets.
//!
//! Laws: every request of a broker reads as one of these, unknown codes as what they are. Maps with queues as keys are
//! written with bare objects as keys, the one form that every server reads. What members tell of themselves beyond
//! offsets stands in [`running`](super::running).
//!
//! Sources: Java `ClientRemotingProcessor`, `CheckTransactionStateRequestHeader`,
//! `NotifyConsumerIdsChangedRequestHeader`, `ResetOffsetRequestHeader`, `ResetOffsetBody`, `ResetOffsetBodyForC`,
//! `GetConsumerStatusRequestHeader`, `GetConsumerRunningInfoRequestHeader`,
//! `ConsumeMessageDirectlyResultRequestHeader`, `ReplyMessageRequestHeader`, `GetConsumerStatusBody`; wire.md §3.5, §5.0,
//! §5.7.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::RpcError;
use super::consume::QueueBody;
use super::record::record;
use crate::ids::{BrokerName, ClientId, Group, Queue, Topic};
use crate::limits::wire as limits;
use crate::time::UnixMillis;
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// A request of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// What became of this transaction? (39, one-way; the half message is in the body)
    CheckTransaction(CheckTransaction),
    /// The members of this group have changed (40, one-way).
    MembersChanged(Group),
    /// Go on from these offsets (220, one-way).
    ResetOffset(ResetOffset),
    /// Where are you? (221)
    ConsumerStatus(ConsumerStatus),
    /// How are you? (307)
    RunningInfo(GetRunningInfo),
    /// Consume this message now (309; it is in the body).
    ConsumeDirectly(ConsumeDirectly),
    /// Here is the answer to your request (326; its body is in the body).
    Reply(PushedReply),
    /// Something that this client does not know.
    Unknown(RequestCode),
}

impl Pushed {
    /// Reads the request of a broker.
    pub fn read(frame: &Frame) -> Result<Self, RpcError> {
        let fields = &frame.header.fields;
        Ok(match RequestCode(frame.header.code) {
            RequestCode::CHECK_TRANSACTION_STATE => {
                Self::CheckTransaction(CheckTransaction::read_fields(fields)?)
            }
            RequestCode::NOTIFY_CONSUMER_IDS_CHANGED => {
                let group = Group::new(fields.required("consumerGroup")?);
                Self::MembersChanged(group.map_err(|_| RpcError::Malformed("consumerGroup"))?)
            }
            RequestCode::RESET_CONSUMER_CLIENT_OFFSET => {
                let offsets = reset_offsets(&frame.body)?;
                Self::ResetOffset(ResetOffset { offsets, ..ResetOffset::read_fields(fields)? })
            }
            RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT => {
                Self::ConsumerStatus(ConsumerStatus::read_fields(fields)?)
            }
            RequestCode::GET_CONSUMER_RUNNING_INFO => Self::RunningInfo(GetRunningInfo::read_fields(fields)?),
            RequestCode::CONSUME_MESSAGE_DIRECTLY => {
                Self::ConsumeDirectly(ConsumeDirectly::read_fields(fields)?)
            }
            RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT => Self::Reply(PushedReply::read_fields(fields)?),
            unknown => Self::Unknown(unknown),
        })
    }
}

record! {
    /// A broker wants the verdict on a half message.
    CheckTransaction {
        /// The topic that the broker keeps half messages in, not the message's own.
        topic: Option<Topic> = "topic",
        /// The queue offset of the half message.
        queue_offset: i64 = "tranStateTableOffset",
        /// The log offset of the half message.
        physical_offset: i64 = "commitLogOffset",
        /// The client's id of the message.
        message_id: Option<Text> = "msgId",
        /// The id of the transaction.
        transaction_id: Option<Text> = "transactionId",
        /// The broker's id of the message.
        offset_id: Option<Text> = "offsetMsgId",
        /// The broker that asks.
        broker: Option<BrokerName> = "bname",
    }
}

record! {
    /// A group shall go on from other offsets.
    ResetOffset {
        /// The topic.
        topic: Topic = "topic",
        /// The group.
        group: Group = "group",
        /// The time that the offsets stand for.
        time: UnixMillis = "timestamp",
        /// Whether offsets may also move forward.
        force: bool = "isForce",
    }
    with {
        /// Where to go on.
        offsets: Vec<(Queue, i64)> = Vec::new(),
    }
}

record! {
    /// An administrator wants a member's offsets.
    ConsumerStatus {
        /// The topic.
        topic: Topic = "topic",
        /// The group.
        group: Group = "group",
        /// The member that is meant.
        client: Option<ClientId> = "clientAddr",
    }
}

record! {
    /// An administrator wants to see inside a member.
    GetRunningInfo {
        /// The group.
        group: Group = "consumerGroup",
        /// The member that is meant.
        client: Option<ClientId> = "clientId",
        /// Whether the stacks of its threads are wanted.
        stacks: bool = "jstackEnable",
    }
}

record! {
    /// An administrator wants a message consumed now.
    ConsumeDirectly {
        /// The group.
        group: Group = "consumerGroup",
        /// The member that is meant.
        client: Option<ClientId> = "clientId",
        /// The broker's id of the message.
        message_id: Option<Text> = "msgId",
        /// The broker that stores it.
        broker: Option<BrokerName> = "brokerName",
        /// Its topic.
        topic: Option<Topic> = "topic",
    }
}

record! {
    /// The answer to a request that a message made.
    PushedReply {
        /// The group that answers.
        group: Group = "producerGroup",
        /// The cluster's reply topic.
        topic: Topic = "topic",
        /// The queue.
        queue: i32 = "queueId",
        /// What the body is.
        sys_flag: i32 = "sysFlag",
        /// When the answer was made.
        born: UnixMillis = "bornTimestamp",
        /// The sender's own number.
        flag: i32 = "flag",
        /// The encoded properties; the correlation is among them.
        properties: Text = "properties",
        /// Who made it, as `ip:port`.
        born_host: Option<Text> = "bornHost",
        /// Who passes it on, as `ip:port`.
        store_host: Option<Text> = "storeHost",
        /// When it was passed on.
        stored: UnixMillis = "storeTimestamp",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResetBody {
    #[serde(default)]
    offset_table: Option<ResetTable>,
}

/// The two forms in which brokers list offsets: a map with queues as keys, and the list made for C clients.
#[derive(Deserialize)]
#[serde(untagged)]
enum ResetTable {
    Map(BTreeMap<String, i64>),
    List(Vec<ResetEntry>),
}

#[derive(Deserialize)]
struct ResetEntry {
    #[serde(flatten)]
    queue: QueueBody,
    offset: i64,
}

/// The offsets in the body of 220 and of the reply to 222.
pub fn reset_offsets(body: &[u8]) -> Result<Vec<(Queue, i64)>, RpcError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let offsets = match body::parse::<ResetBody>(body)?.offset_table {
        None => Vec::new(),
        Some(ResetTable::Map(map)) => read_map(map)?,
        Some(ResetTable::List(list)) => {
            list.into_iter().map(|entry| (entry.queue.into(), entry.offset)).collect()
        }
    };
    if offsets.len() > limits::LIST_ENTRIES { Err(RpcError::Malformed("offsetTable")) } else { Ok(offsets) }
}

/// Reads a map whose keys are queues, made text by the strict pass.
pub(crate) fn read_map<V>(map: BTreeMap<String, V>) -> Result<Vec<(Queue, V)>, RpcError> {
    let read = |(key, value): (String, V)| {
        let queue = serde_json::from_str::<QueueBody>(&key).map_err(|_| RpcError::Malformed("queue"))?;
        Ok((queue.into(), value))
    };
    map.into_iter().map(read).collect()
}

/// Appends a map with queues as keys.
pub(crate) fn put_map<'a, V: Serialize + 'a>(
    out: &mut Vec<u8>,
    entries: impl IntoIterator<Item = (&'a Queue, &'a V)>,
) {
    out.push(b'{');
    for (at, (queue, value)) in entries.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&body::json(&QueueBody::from(queue)));
        out.push(b':');
        out.extend_from_slice(&body::json(value));
    }
    out.push(b'}');
}

/// The body of the answer to [`Pushed::ConsumerStatus`].
#[must_use]
pub fn consumer_status(offsets: &[(Queue, i64)]) -> Bytes {
    let mut out = Vec::from(&br#"{"consumerTable":{},"messageQueueTable":"#[..]);
    put_map(&mut out, offsets.iter().map(|(queue, offset)| (queue, offset)));
    out.push(b'}');
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        let topic = Topic::new("T").expect("a topic");
        Queue { topic, broker: BrokerName::new("b").expect("a broker"), queue: 0 }
    }

    #[test]
    fn offsets_are_read_in_all_forms() {
        for body in [
            r#"{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:10}}"#,
            r#"{"offsetTable":{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T\"}":10}}"#,
            r#"{"offsetTable":[{"brokerName":"b","offset":10,"queueId":0,"topic":"T"}]}"#,
        ] {
            assert_eq!(reset_offsets(body.as_bytes()), Ok(alloc::vec![(queue(), 10)]), "{body}");
        }
        assert_eq!(reset_offsets(b""), Ok(Vec::new()));
        assert!(reset_offsets(br#"{"offsetTable":{"x":10}}"#).is_err());
    }

    #[test]
    fn answers_have_objects_as_keys() {
        let status = consumer_status(&[(queue(), 10)]);
        let text =
            r#"{"consumerTable":{},"messageQueueTable":{{"brokerName":"b","queueId":0,"topic":"T"}:10}}"#;
        assert_eq!(status, text.as_bytes());
    }
}
