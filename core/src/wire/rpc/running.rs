//! What is told of a member of a group: written by the member for its broker, and read by whoever asked the broker.
//!
//! Laws: maps with queues as keys are written with bare objects as keys, the one form that every server reads. What is
//! read may come from a client in any language: numbers and truth values as text, and enumerations as ordinals, are
//! taken as Java takes them.
//!
//! Sources: Java `GetConsumerRunningInfoRequestHeader`, `ConsumerRunningInfo`, `ProcessQueueInfo`,
//! `PopProcessQueueInfo`, `ConsumeStatus`, `ConsumeMessageDirectlyResultRequestHeader`,
//! `ConsumeMessageDirectlyResult`, `CMResult`, `GetConsumerStatusRequestHeader`, `GetConsumerStatusBody`;
//! wire.md §3.5, §3.7, §5.0, §5.3, §5.5, §5.7.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::heartbeat::SubscriptionEntry;
use super::pushed::{put_map, read_map};
use super::record::rpc;
use super::{RpcError, success};
use crate::ids::{BrokerName, ClientId, Group, Queue, Topic};
use crate::wire::body;
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// A scalar in the forms in which Java takes it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Truth(bool),
    Whole(i64),
    Real(f64),
    Text(Text),
}

/// A truth value, also as a number or as text.
fn truth<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(match Option::<Loose>::deserialize(from)? {
        None => false,
        Some(Loose::Truth(truth)) => truth,
        Some(Loose::Whole(number)) => number == 1,
        Some(Loose::Real(number)) => number == 1.0,
        Some(Loose::Text(text)) => text.eq_ignore_ascii_case("true") || &*text == "1",
    })
}

/// A whole number, also as text; of a fraction what is before the point.
fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(from: D) -> Result<T, D::Error> {
    let number = match Option::<Loose>::deserialize(from)? {
        None => Some(0),
        Some(Loose::Truth(truth)) => Some(i64::from(truth)),
        Some(Loose::Whole(number)) => Some(number),
        Some(Loose::Real(number)) => cut(number),
        Some(Loose::Text(text)) if text.is_empty() => Some(0),
        Some(Loose::Text(text)) => text.parse().ok(),
    };
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| serde::de::Error::custom("no whole number of that size"))
}

/// What is before the point of a number, if it is small enough to be exact.
fn cut(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked, and truncation is what is meant"
    )]
    (number.abs() <= EXACT).then_some(number as i64)
}

/// How a message that was consumed on demand ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsumeResult {
    /// Consumed.
    Success,
    /// To be delivered again.
    Later,
    /// A member that consumes in order takes back what it has consumed since it committed.
    Rollback,
    /// A member that consumes in order commits what it has consumed.
    Commit,
    /// The handler failed.
    Failed,
    /// The handler did not say how it ended.
    Nothing,
}

impl ConsumeResult {
    /// All of them, each at Java's ordinal.
    pub const ALL: [Self; 6] =
        [Self::Success, Self::Later, Self::Rollback, Self::Commit, Self::Failed, Self::Nothing];

    /// Java's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "CR_SUCCESS",
            Self::Later => "CR_LATER",
            Self::Rollback => "CR_ROLLBACK",
            Self::Commit => "CR_COMMIT",
            Self::Failed => "CR_THROW_EXCEPTION",
            Self::Nothing => "CR_RETURN_NULL",
        }
    }

    /// By name or ordinal; a name that is not known is none, as in Java.
    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        match Option::<Loose>::deserialize(from)? {
            None => Ok(None),
            Some(Loose::Text(name)) => Ok(Self::ALL.into_iter().find(|known| name == *known.name())),
            Some(Loose::Whole(ordinal)) => usize::try_from(ordinal)
                .ok()
                .and_then(|ordinal| Self::ALL.get(ordinal).copied())
                .map(Some)
                .ok_or_else(|| serde::de::Error::custom("no result of that ordinal")),
            Some(Loose::Truth(_) | Loose::Real(_)) => Err(serde::de::Error::custom("no result")),
        }
    }
}

impl Serialize for ConsumeResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How a message was consumed on demand: a member's answer to 309.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumedDirectly {
    /// Java's automatic commit; true.
    #[serde(default, deserialize_with = "truth")]
    pub auto_commit: bool,
    /// How it ended; `None` for a result that is not known here.
    #[serde(
        rename = "consumeResult",
        default,
        deserialize_with = "ConsumeResult::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub result: Option<ConsumeResult>,
    /// Whether the group consumes in order.
    #[serde(default, deserialize_with = "truth")]
    pub order: bool,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Text>,
    /// How long the handler took, in milliseconds.
    #[serde(rename = "spentTimeMills", default, deserialize_with = "whole")]
    pub spent_ms: i64,
}

impl ConsumedDirectly {
    /// The body.
    #[must_use]
    pub fn body(&self) -> Bytes {
        body::json(self)
    }

    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        Ok(body::parse(body)?)
    }
}

/// What a member tells about one queue; Java's names and spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members are Java's statistics, named as they travel")]
pub struct QueueInfo {
    #[serde(deserialize_with = "whole")]
    pub cached_msg_count: i32,
    #[serde(deserialize_with = "whole")]
    pub cached_msg_max_offset: i64,
    #[serde(deserialize_with = "whole")]
    pub cached_msg_min_offset: i64,
    #[serde(rename = "cachedMsgSizeInMiB", deserialize_with = "whole")]
    pub cached_msg_size_in_mib: i32,
    #[serde(deserialize_with = "whole")]
    pub commit_offset: i64,
    #[serde(rename = "droped", deserialize_with = "truth")]
    pub dropped: bool,
    #[serde(deserialize_with = "whole")]
    pub last_consume_timestamp: i64,
    #[serde(deserialize_with = "whole")]
    pub last_lock_timestamp: i64,
    #[serde(deserialize_with = "whole")]
    pub last_pull_timestamp: i64,
    #[serde(deserialize_with = "truth")]
    pub locked: bool,
    #[serde(deserialize_with = "whole")]
    pub transaction_msg_count: i32,
    #[serde(deserialize_with = "whole")]
    pub transaction_msg_max_offset: i64,
    #[serde(deserialize_with = "whole")]
    pub transaction_msg_min_offset: i64,
    #[serde(deserialize_with = "whole")]
    pub try_unlock_times: i64,
}

/// What a member tells about one queue that it pops; Java's names and spelling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoppedQueueInfo {
    /// Whether it pops from it no more.
    #[serde(rename = "droped", deserialize_with = "truth")]
    pub dropped: bool,
    /// When it popped last, in milliseconds since 1970.
    #[serde(deserialize_with = "whole")]
    pub last_pop_timestamp: i64,
    /// How many messages it has that are not acknowledged.
    #[serde(rename = "waitAckCount", deserialize_with = "whole")]
    pub waiting: i32,
}

/// What a member tells about one topic; rates per second, times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are Java's statistics, named as they travel")]
pub struct TopicInfo {
    #[serde(rename = "consumeFailedMsgs", deserialize_with = "whole")]
    pub failed_messages: i64,
    #[serde(rename = "consumeFailedTPS", deserialize_with = "body::or_default")]
    pub failed_rate: f64,
    #[serde(rename = "consumeOKTPS", deserialize_with = "body::or_default")]
    pub consumed_rate: f64,
    #[serde(rename = "consumeRT", deserialize_with = "body::or_default")]
    pub consume_time: f64,
    #[serde(rename = "pullRT", deserialize_with = "body::or_default")]
    pub pull_time: f64,
    #[serde(rename = "pullTPS", deserialize_with = "body::or_default")]
    pub pull_rate: f64,
}

/// What a member tells about itself: its answer to 307.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunningInfo {
    /// `PROP_CONSUME_TYPE`, `PROP_CONSUMER_START_TIMESTAMP` and the like; administrators' tools need these two.
    pub properties: BTreeMap<String, String>,
    /// Everything it is subscribed to.
    pub subscriptions: Vec<SubscriptionEntry>,
    /// Its queues.
    pub queues: Vec<(Queue, QueueInfo)>,
    /// Its queues that it pops.
    pub popped: Vec<(Queue, PoppedQueueInfo)>,
    /// Its topics.
    pub topics: BTreeMap<String, TopicInfo>,
    /// What its application adds.
    pub application: BTreeMap<String, String>,
    /// The stacks of its threads, where they were asked for.
    pub stacks: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunningBody {
    #[serde(default)]
    jstack: Option<String>,
    #[serde(default, deserialize_with = "body::or_default")]
    mq_pop_table: BTreeMap<String, PoppedQueueInfo>,
    #[serde(default, deserialize_with = "body::or_default")]
    mq_table: BTreeMap<String, QueueInfo>,
    #[serde(default, deserialize_with = "body::or_default")]
    properties: BTreeMap<String, Option<Loose>>,
    #[serde(default, deserialize_with = "body::or_default")]
    status_table: BTreeMap<String, TopicInfo>,
    #[serde(default, deserialize_with = "body::or_default")]
    subscription_set: Vec<SubscriptionEntry>,
    #[serde(default, deserialize_with = "body::or_default")]
    user_consumer_info: BTreeMap<String, Option<Loose>>,
}

/// Properties as the texts they mean; what is null is not there.
fn texts(values: BTreeMap<String, Option<Loose>>) -> BTreeMap<String, String> {
    use alloc::string::ToString as _;
    let text = |value: Loose| match value {
        Loose::Truth(truth) => truth.to_string(),
        Loose::Whole(number) => number.to_string(),
        Loose::Real(number) => number.to_string(),
        Loose::Text(text) => text.to_string(),
    };
    values.into_iter().filter_map(|(key, value)| Some((key, text(value?)))).collect()
}

impl RunningInfo {
    /// The body.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let mut out = Vec::from(&b"{"[..]);
        if let Some(stacks) = &self.stacks {
            out.extend_from_slice(b"\"jstack\":");
            out.extend_from_slice(&body::json(stacks));
            out.push(b',');
        }
        out.extend_from_slice(b"\"mqPopTable\":");
        put_map(&mut out, self.popped.iter().map(|(queue, info)| (queue, info)));
        out.extend_from_slice(b",\"mqTable\":");
        put_map(&mut out, self.queues.iter().map(|(queue, info)| (queue, info)));
        out.extend_from_slice(b",\"properties\":");
        out.extend_from_slice(&body::json(&self.properties));
        out.extend_from_slice(b",\"statusTable\":");
        out.extend_from_slice(&body::json(&self.topics));
        out.extend_from_slice(b",\"subscriptionSet\":");
        out.extend_from_slice(&body::json(&self.subscriptions));
        out.extend_from_slice(b",\"userConsumerInfo\":");
        out.extend_from_slice(&body::json(&self.application));
        out.push(b'}');
        Bytes::from(out)
    }

    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        let read = body::parse::<RunningBody>(body)?;
        Ok(Self {
            properties: texts(read.properties),
            subscriptions: read.subscription_set,
            queues: read_map(read.mq_table)?,
            popped: read_map(read.mq_pop_table)?,
            topics: read.status_table,
            application: texts(read.user_consumer_info),
            stacks: read.jstack,
        })
    }
}

rpc! {
    /// Asks a broker to ask a member how it is (307). 207 when the member does not answer within 10 s.
    AskRunningInfo = GET_CONSUMER_RUNNING_INFO -> RunningInfo, |frame: &Frame| {
        success(frame)?;
        RunningInfo::parse(&frame.body)
    }; {
        /// The group.
        group: Group = "consumerGroup",
        /// The member.
        client: ClientId = "clientId",
        /// Whether the stacks of its threads are wanted.
        stacks: bool = "jstackEnable",
    }
}

rpc! {
    /// Asks a broker to have a member consume a message now (309). 207 when the member does not answer within 10 s.
    AskConsume = CONSUME_MESSAGE_DIRECTLY -> ConsumedDirectly, |frame: &Frame| {
        success(frame)?;
        ConsumedDirectly::parse(&frame.body)
    }; {
        /// The group.
        group: Group = "consumerGroup",
        /// The member.
        client: Option<ClientId> = "clientId",
        /// The broker's id of the message.
        message_id: Text = "msgId",
        /// The broker that stores it.
        broker: Option<BrokerName> = "brokerName",
        /// Its topic.
        topic: Option<Topic> = "topic",
    }
}

/// Where the members of a group are, by their client ids.
pub type MemberOffsets = BTreeMap<String, Vec<(Queue, i64)>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembersBody {
    #[serde(default, deserialize_with = "body::or_default")]
    consumer_table: BTreeMap<String, Option<BTreeMap<String, i64>>>,
}

rpc! {
    /// Asks a broker where members of a group are (223); members that do not answer are left out.
    GetMemberOffsets = INVOKE_BROKER_TO_GET_CONSUMER_STATUS -> MemberOffsets, |frame: &Frame| {
        success(frame)?;
        let members = body::parse_admin::<MembersBody>(&frame.body)?.consumer_table;
        members.into_iter().map(|(member, offsets)| Ok((member, read_map(offsets.unwrap_or_default())?))).collect()
    }; {
        /// The topic.
        topic: Topic = "topic",
        /// The group.
        group: Group = "group",
        /// Only this member.
        client: Option<ClientId> = "clientAddr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_in_every_form_that_java_takes() {
        let read = |text: &str| ConsumedDirectly::parse(text.as_bytes());
        let expected = ConsumedDirectly {
            auto_commit: true,
            result: Some(ConsumeResult::Rollback),
            order: true,
            remark: None,
            spent_ms: 1,
        };
        for text in [
            r#"{"autoCommit":true,"consumeResult":"CR_ROLLBACK","order":true,"spentTimeMills":1}"#,
            r#"{"autoCommit":1,"consumeResult":2,"order":"true","remark":null,"spentTimeMills":1.9,"new":[]}"#,
            r#"{'autoCommit':"1","consumeResult":"CR_ROLLBACK","order":"TRUE","spentTimeMills":"1"}"#,
        ] {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(read(r#"{"consumeResult":"CR_NEW"}"#).map(|read| read.result), Ok(None));
        for text in
            [r#"{"consumeResult":6}"#, r#"{"consumeResult":-1}"#, r#"{"spentTimeMills":1e300}"#, "3", ""]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(ConsumedDirectly::parse(&expected.body()), Ok(expected));
    }

    #[test]
    fn what_a_member_tells_has_objects_as_keys() {
        let queue = Queue {
            topic: Topic::new("T").expect("a topic"),
            broker: BrokerName::new("b").expect("a broker"),
            queue: 0,
        };
        let info = RunningInfo {
            queues: alloc::vec![(queue.clone(), QueueInfo::default())],
            popped: alloc::vec![(queue, PoppedQueueInfo { waiting: 2, ..PoppedQueueInfo::default() })],
            ..RunningInfo::default()
        };
        let text = r#""mqTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"#;
        assert!(core::str::from_utf8(&info.body()).expect("text").contains(text));
        assert_eq!(RunningInfo::parse(&info.body()), Ok(info));
        let go = br#"{"mqTable":{},"properties":{"PROP_CONSUMER_START_TIMESTAMP":1700000000000,"x":null}}"#;
        let properties = RunningInfo::parse(go).expect("of another client").properties;
        assert_eq!(properties.into_values().collect::<Vec<_>>(), ["1700000000000"]);
    }
}
