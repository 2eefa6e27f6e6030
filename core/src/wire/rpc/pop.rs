//! Pop: messages that the broker hands out for a while, and their receipts.
//!
//! Laws: these codes travel as JSON, since they do not fit the binary header. A receipt handle reads back as it was
//! written. A list of offsets that repeats a key or has an entry of other than three parts is refused whole.
//!
//! Sources: Java `PopMessageRequestHeader`, `PopMessageResponseHeader`, `AckMessageRequestHeader`,
//! `BatchAckMessageRequestBody`, `ChangeInvisibleTimeRequestHeader`, `NotificationRequestHeader`, `ExtraInfoUtil`;
//! wire.md §3.4, §5.10, §8.5.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use serde::{Deserialize, Serialize};

use super::record::{record, rpc};
use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, Group, RETRY_PREFIX, Topic};
use crate::limits::wire as limits;
use crate::time::UnixMillis;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::FieldSink;
use crate::wire::frame::Frame;
use crate::wire::text::Text;
use crate::wire::{base64, body};

rpc! {
    /// Asks for messages, to be acknowledged or to come again (200050). They are in the frame's body.
    PopMessage = POP_MESSAGE -> PopReply, PopReply::read; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic; never its retry topic, which the broker adds itself.
        topic: Topic = "topic",
        /// The queue, or −1 for any of that broker.
        queue: i32 = "queueId",
        /// How many messages at most; more than 32 are refused.
        max: i32 = "maxMsgNums",
        /// For how long nobody else gets them, in milliseconds.
        invisible_ms: i64 = "invisibleTime",
        /// How long to wait while there is none, in milliseconds.
        poll_ms: i64 = "pollTime",
        /// When the request was made by the broker's clock; 0 lets the broker take its own.
        born: UnixMillis = "bornTime",
        /// Where a new group begins: 0 first, 1 last.
        init_mode: i32 = "initMode",
        /// What the expression is written in.
        expression_type: Option<Text> = "expType",
        /// The filter; nothing for everything.
        expression: Option<Text> = "exp",
        /// Whether each queue goes to one member at a time, in order.
        order: Option<bool> = "order",
        /// The same for each try of one ordered pop.
        attempt_id: Option<Text> = "attemptId",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

/// How a pop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PopStatus {
    /// The body holds messages.
    Found,
    /// There was none.
    Empty,
    /// Too many wait; ask again later.
    PollingFull,
}

record! {
    /// The answer to a pop.
    PopReply {
        /// When the broker handed the messages out.
        pop_time: i64 = "popTime",
        /// For how long, in milliseconds.
        invisible_ms: i64 = "invisibleTime",
        /// Where the broker remembers that.
        revive_queue: i32 = "reviveQid",
        /// How many messages are left.
        rest: Option<i64> = "restNum",
        /// Where each queue's messages begin (see [`PopOffsets`]).
        start_offsets: Option<Text> = "startOffsetInfo",
        /// The offsets of each queue's messages (see [`PopOffsets`]).
        message_offsets: Option<Text> = "msgOffsetInfo",
        /// How often ordered messages were consumed in vain.
        order_counts: Option<Text> = "orderCountInfo",
    }
    with {
        /// How it ended.
        status: PopStatus = PopStatus::Found,
    }
}

impl PopReply {
    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let status = match ResponseCode(frame.header.code) {
            ResponseCode::SUCCESS => PopStatus::Found,
            ResponseCode::POLLING_TIMEOUT | ResponseCode::PULL_NOT_FOUND => PopStatus::Empty,
            ResponseCode::POLLING_FULL => PopStatus::PollingFull,
            _ => return Err(RpcError::refused(frame)),
        };
        match Self::read_fields(&frame.header.fields) {
            Ok(reply) => Ok(Self { status, ..reply }),
            // Without messages nothing in the header matters, and some brokers leave it empty.
            Err(_) if status != PopStatus::Found => Ok(Self {
                status,
                pop_time: 0,
                invisible_ms: 0,
                revive_queue: 0,
                rest: None,
                start_offsets: None,
                message_offsets: None,
                order_counts: None,
            }),
            Err(error) => Err(error),
        }
    }
}

/// From which topic a message was popped, as receipts say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RetryMark {
    /// The topic itself.
    Normal,
    /// `%RETRY%group_topic`.
    V1,
    /// `%RETRY%group+topic`.
    V2,
}

impl RetryMark {
    /// The mark that a topic's name asks for.
    #[must_use]
    pub fn of(topic: &str) -> Self {
        match topic.strip_prefix(RETRY_PREFIX) {
            None => Self::Normal,
            Some(rest) if rest.contains('+') => Self::V2,
            Some(_) => Self::V1,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "0" => Some(Self::Normal),
            "1" => Some(Self::V1),
            "2" => Some(Self::V2),
            _ => None,
        }
    }

    const fn digit(self) -> &'static str {
        match self {
            Self::Normal => "0",
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }

    /// The real topic that an acknowledgement has to name.
    #[must_use]
    pub fn topic(self, group: &Group, topic: &Topic) -> String {
        match self {
            Self::Normal => topic.as_str().into(),
            Self::V1 => alloc::format!("{RETRY_PREFIX}{group}_{topic}"),
            Self::V2 => alloc::format!("{RETRY_PREFIX}{group}+{topic}"),
        }
    }
}

/// A receipt: what acknowledges one message that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PopHandle {
    /// Where the messages of that queue began.
    pub start: i64,
    /// When they were handed out.
    pub pop_time: i64,
    /// For how long.
    pub invisible_ms: i64,
    /// Where the broker remembers that; 999 for an ordered pop.
    pub revive_queue: i32,
    /// From which topic.
    pub mark: RetryMark,
    /// From which broker.
    pub broker: BrokerName,
    /// From which queue.
    pub queue: i32,
    /// The message's own offset.
    pub offset: i64,
}

impl PopHandle {
    /// Reads the eight parts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let handle = Self {
            start: parts.next()?.parse().ok()?,
            pop_time: parts.next()?.parse().ok()?,
            invisible_ms: parts.next()?.parse().ok()?,
            revive_queue: parts.next()?.parse().ok()?,
            mark: RetryMark::parse(parts.next()?)?,
            broker: BrokerName::new(parts.next()?).ok()?,
            queue: parts.next()?.parse().ok()?,
            offset: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(handle)
    }
}

impl fmt::Display for PopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, pop_time, invisible_ms, revive_queue, mark, broker, queue, offset } = self;
        let mark = mark.digit();
        write!(f, "{start} {pop_time} {invisible_ms} {revive_queue} {mark} {broker} {queue} {offset}")
    }
}

/// One of the lists `mark queue value;…` of a pop's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PopOffsets(pub BTreeMap<(RetryMark, i32), Vec<i64>>);

impl PopOffsets {
    /// Reads start offsets (one a queue) or message offsets (a list a queue). Nothing is an empty list.
    pub fn parse(text: &str) -> Result<Self, RpcError> {
        const BROKEN: RpcError = RpcError::Malformed("startOffsetInfo or msgOffsetInfo");
        // Java drops what is empty behind the last separator.
        let list = text.trim_end_matches(';');
        let mut offsets = BTreeMap::new();
        for entry in list.split(';').filter(|_| !list.is_empty()) {
            let mut parts = entry.split(' ');
            let (Some(mark), Some(queue), Some(list), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Err(BROKEN);
            };
            let mark = RetryMark::parse(mark).ok_or(BROKEN)?;
            let queue = queue.parse().map_err(|_| BROKEN)?;
            let list = list.split(',').map(|offset| offset.parse::<i64>().map_err(|_| BROKEN));
            if offsets.insert((mark, queue), list.collect::<Result<Vec<_>, _>>()?).is_some() {
                return Err(BROKEN);
            }
        }
        Ok(Self(offsets))
    }
}

rpc! {
    /// Acknowledges one message (200051). A late or repeated one is answered well too.
    AckMessage = ACK_MESSAGE -> (), success; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The real topic of the copy that was popped ([`RetryMark::topic`]).
        topic: Topic = "topic",
        /// The queue.
        queue: i32 = "queueId",
        /// The receipt.
        handle: Text = "extraInfo",
        /// The message's offset.
        offset: i64 = "offset",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

record! {
    /// What a changed receipt is made of.
    ChangedTime {
        /// When the message was handed out, anew.
        pop_time: i64 = "popTime",
        /// For how long.
        invisible_ms: i64 = "invisibleTime",
        /// Where the broker remembers that.
        revive_queue: i32 = "reviveQid",
    }
}

rpc! {
    /// Changes for how long a message stays handed out, from now on (200053). The old receipt is dead afterwards.
    ChangeInvisibleTime = CHANGE_MESSAGE_INVISIBLETIME -> ChangedTime, |frame: &Frame| {
        success(frame)?;
        ChangedTime::read_fields(&frame.header.fields)
    }; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The real topic of the copy that was popped ([`RetryMark::topic`]).
        topic: Topic = "topic",
        /// The queue.
        queue: i32 = "queueId",
        /// The receipt.
        handle: Text = "extraInfo",
        /// The message's offset.
        offset: i64 = "offset",
        /// For how long from now.
        invisible_ms: i64 = "invisibleTime",
        /// Whether an ordered group waits meanwhile.
        suspend: Option<bool> = "suspend",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

rpc! {
    /// Looks at messages without taking them (200052). They are in the frame's body.
    PeekMessage = PEEK_MESSAGE -> Option<i64>, |frame: &Frame| {
        if frame.header.code == ResponseCode::PULL_NOT_FOUND.0 {
            return Ok(None);
        }
        success(frame)?;
        Ok(Some(frame.header.fields.int("restNum")?.unwrap_or(0)))
    }; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue.
        queue: i32 = "queueId",
        /// How many messages at most.
        max: i32 = "maxMsgNums",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

rpc! {
    /// Waits until a queue has messages (200054); says whether it has.
    Notification = NOTIFICATION -> bool, |frame: &Frame| {
        success(frame)?;
        Ok(frame.header.fields.flag("hasMsg"))
    }; {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue, or −1 for any of that broker.
        queue: i32 = "queueId",
        /// How long to wait, in milliseconds.
        poll_ms: i64 = "pollTime",
        /// When the request was made by the broker's clock, or 0.
        born: UnixMillis = "bornTime",
        /// Whether the group reads in order.
        order: Option<bool> = "order",
        /// The same for each try of one ordered pop.
        attempt_id: Option<Text> = "attemptId",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}

/// Acknowledges many messages of one broker (200151).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchAck {
    /// The broker that handed them out.
    pub broker: BrokerName,
    /// The messages, by the pop that handed them out.
    pub acks: Vec<AckGroup>,
}

/// Messages of one queue from one pop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckGroup {
    /// The consumer group.
    pub group: Group,
    /// The plain topic.
    pub topic: Topic,
    /// From which topic they were popped.
    pub mark: RetryMark,
    /// Where the messages of that pop began.
    pub start: i64,
    /// The queue.
    pub queue: i32,
    /// Where the broker remembers the pop.
    pub revive_queue: i32,
    /// When it was.
    pub pop_time: i64,
    /// For how long.
    pub invisible_ms: i64,
    /// Which messages, by their offset less `start`; at most 4,096 apart.
    pub acked: Vec<u16>,
}

/// The furthest offset behind the start that an acknowledgement names.
const ACK_SPAN: u16 = 4_096;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchAckBody {
    acks: Vec<AckBody>,
    #[serde(with = "body::broker")]
    broker_name: BrokerName,
}

#[derive(Serialize, Deserialize)]
struct AckBody {
    #[serde(alias = "bitSet")]
    b: String,
    #[serde(alias = "consumerGroup", with = "body::group")]
    c: Group,
    #[serde(alias = "invisibleTime", default)]
    it: i64,
    #[serde(alias = "popTime", default)]
    pt: i64,
    #[serde(alias = "queueId")]
    q: i32,
    #[serde(alias = "retry", default)]
    r: String,
    #[serde(alias = "reviveQueueId", default)]
    rq: i32,
    #[serde(alias = "startOffset")]
    so: i64,
    #[serde(alias = "topic", with = "body::topic")]
    t: Topic,
}

impl From<&AckGroup> for AckBody {
    fn from(ack: &AckGroup) -> Self {
        let mut bits = Vec::new();
        for &offset in ack.acked.iter().filter(|&&offset| offset < ACK_SPAN) {
            let byte = usize::from(offset >> 3);
            if bits.len() <= byte {
                bits.resize(byte.saturating_add(1), 0_u8);
            }
            if let Some(place) = bits.get_mut(byte) {
                *place |= 1 << (offset & 7);
            }
        }
        Self {
            b: base64::encode(&bits, base64::STANDARD),
            c: ack.group.clone(),
            it: ack.invisible_ms,
            pt: ack.pop_time,
            q: ack.queue,
            r: ack.mark.digit().into(),
            rq: ack.revive_queue,
            so: ack.start,
            t: ack.topic.clone(),
        }
    }
}

impl AckBody {
    fn read(self) -> Result<AckGroup, RpcError> {
        let bits =
            base64::decode(&self.b, base64::STANDARD).filter(|bits| bits.len() <= usize::from(ACK_SPAN >> 3));
        let bits = bits.ok_or(RpcError::Malformed("b"))?;
        let set = |offset: &u16| {
            bits.get(usize::from(offset >> 3)).is_some_and(|byte| byte & (1 << (offset & 7)) != 0)
        };
        Ok(AckGroup {
            acked: (0..ACK_SPAN).filter(set).collect(),
            group: self.c,
            topic: self.t,
            mark: if self.r.is_empty() { Some(RetryMark::Normal) } else { RetryMark::parse(&self.r) }
                .ok_or(RpcError::Malformed("r"))?,
            start: self.so,
            queue: self.q,
            revive_queue: self.rq,
            pop_time: self.pt,
            invisible_ms: self.it,
        })
    }
}

impl Rpc for BatchAck {
    const CODE: i32 = RequestCode::BATCH_ACK_MESSAGE.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        let acks = self.acks.iter().map(AckBody::from).collect();
        body::json(&BatchAckBody { acks, broker_name: self.broker.clone() })
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let read = body::parse::<BatchAckBody>(&frame.body)?;
        if read.acks.len() > limits::LIST_ENTRIES {
            return Err(RpcError::Malformed("acks"));
        }
        let acks = read.acks.into_iter().map(AckBody::read).collect::<Result<_, _>>()?;
        Ok(Self { broker: read.broker_name, acks })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

#[cfg(test)]
#[path = "pop/tests.rs"]
mod tests;
