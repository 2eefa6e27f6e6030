//! Pulling messages from a queue.
//!
//! Law: an answer's offsets are read only where its code promises them; on any other code it is a refusal. The body
//! stays where it is, in the frame.
//!
//! Sources: Java `PullMessageRequestHeader`, `PullMessageResponseHeader`, `PullSysFlag`; wire.md §3.3.

use super::record::record;
use super::{Rpc, RpcError};
use crate::ids::{BrokerName, Group, Topic};
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// Bits of a pull's `sysFlag`.
pub mod flags {
    /// The request carries an offset to store.
    pub const COMMIT: i32 = 1;
    /// Hold the request while there is nothing.
    pub const SUSPEND: i32 = 2;
    /// The request carries the subscription; without, the last heartbeat's counts.
    pub const SUBSCRIPTION: i32 = 4;
    /// Of a lite pull consumer.
    pub const LITE: i32 = 16;
}

record! {
    /// Asks for messages of one queue (11, or 361 where `lite` is set).
    PullMessage {
        /// The consumer group.
        group: Group = "consumerGroup",
        /// The topic.
        topic: Topic = "topic",
        /// The queue on that broker.
        queue: i32 = "queueId",
        /// The first offset that is wanted.
        offset: i64 = "queueOffset",
        /// How many messages at most; brokers cap it too.
        max: i32 = "maxMsgNums",
        /// [`flags`].
        sys_flag: i32 = "sysFlag",
        /// The group's offset to store, where [`flags::COMMIT`] is set.
        commit_offset: i64 = "commitOffset",
        /// How long to hold the request. The answer may come 5 s later than that.
        suspend_ms: i64 = "suspendTimeoutMillis",
        /// The filter expression, where [`flags::SUBSCRIPTION`] is set.
        subscription: Option<Text> = "subscription",
        /// The version of the subscription.
        sub_version: i64 = "subVersion",
        /// What the expression is written in: `TAG` or `SQL92`.
        expression_type: Option<Text> = "expressionType",
        /// How many bytes at most.
        max_bytes: Option<i32> = "maxMsgBytes",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
    with {
        /// Whether to ask by the code of lite pull, which brokers before 5.0 do not know.
        lite: bool = false,
    }
}

impl Rpc for PullMessage {
    const CODE: i32 = RequestCode::PULL_MESSAGE.0;
    type Reply = PullReply;

    fn code(&self) -> i32 {
        if self.lite { RequestCode::LITE_PULL_MESSAGE.0 } else { Self::CODE }
    }

    fn fields(&self, out: &mut impl FieldSink) {
        self.write_fields(out);
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let lite = frame.header.code == RequestCode::LITE_PULL_MESSAGE.0;
        Ok(Self { lite, ..Self::read_fields(&frame.header.fields)? })
    }

    fn reply(frame: &Frame) -> Result<PullReply, RpcError> {
        PullReply::read(frame)
    }
}

/// How a pull ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullStatus {
    /// The body holds messages.
    Found,
    /// Nothing new.
    NotFound,
    /// Nothing that matches; go on from `next`.
    NoMatch,
    /// The offset is outside the queue, or was reset; go on from `next`.
    OffsetMoved,
}

/// The answer to a pull; the messages are in the frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullReply {
    /// How it ended.
    pub status: PullStatus,
    /// Which of the broker's replicas to ask next, 0 being the master.
    pub suggest_broker: i64,
    /// Where to go on.
    pub next: i64,
    /// The first offset that exists.
    pub min: i64,
    /// The offset after the last that exists.
    pub max: i64,
    /// What to add to each message's queue offset (static topics).
    pub offset_delta: i64,
    /// The topic's system flag.
    pub topic_sys_flag: i32,
    /// The group's system flag.
    pub group_sys_flag: i32,
}

impl PullReply {
    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let status = match ResponseCode(frame.header.code) {
            ResponseCode::SUCCESS => PullStatus::Found,
            ResponseCode::PULL_NOT_FOUND => PullStatus::NotFound,
            ResponseCode::PULL_RETRY_IMMEDIATELY => PullStatus::NoMatch,
            ResponseCode::PULL_OFFSET_MOVED => PullStatus::OffsetMoved,
            _ => return Err(RpcError::refused(frame)),
        };
        let fields = &frame.header.fields;
        Ok(Self {
            status,
            suggest_broker: fields.int("suggestWhichBrokerId")?.unwrap_or(0),
            next: fields.required_int("nextBeginOffset")?,
            min: fields.required_int("minOffset")?,
            max: fields.required_int("maxOffset")?,
            offset_delta: fields.int("offsetDelta")?.unwrap_or(0),
            topic_sys_flag: fields.int("topicSysFlag")?.unwrap_or(0),
            group_sys_flag: fields.int("groupSysFlag")?.unwrap_or(0),
        })
    }
}
