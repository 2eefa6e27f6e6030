//! Answers a test or a fault orders: refusals that store nothing, and answers that hide or qualify what was stored.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::model::connections::Reply;

/// What a request does, for those who order its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Op {
    /// 10, 310, 320.
    Send,
    /// 11, 361.
    Pull,
    /// 14.
    QueryOffset,
    /// 15.
    UpdateOffset,
    /// 29, 30, 31, 32.
    Seek,
    /// 34.
    Heartbeat,
    /// 38.
    Members,
    /// 105, at a name server.
    Route,
    /// The rest.
    Other,
}

impl Op {
    /// Of a request code.
    #[must_use]
    pub const fn of(code: i32) -> Self {
        match code {
            10 | 310 | 320 => Self::Send,
            11 | 361 => Self::Pull,
            14 => Self::QueryOffset,
            15 => Self::UpdateOffset,
            29..=32 => Self::Seek,
            34 => Self::Heartbeat,
            38 => Self::Members,
            105 => Self::Route,
            _ => Self::Other,
        }
    }
}

/// An answer to order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// 1, nothing done.
    SystemError,
    /// 1, although it was done.
    SystemErrorDone,
    /// 2, the page cache is busy.
    SystemBusy,
    /// 2, it waited too long in the queue.
    TimeoutCleanQueue,
    /// 10, stored.
    FlushDiskTimeout,
    /// 11, stored.
    SlaveNotAvailable,
    /// 12, stored.
    FlushSlaveTimeout,
    /// 13.
    MessageIllegal,
    /// 14, the disk is full.
    ServiceNotAvailable,
    /// 16.
    NoPermission,
    /// 17.
    TopicNotExist,
    /// 24.
    SubscriptionNotExist,
    /// 25.
    SubscriptionNotLatest,
    /// 26.
    GroupNotExist,
    /// 215.
    FlowControl,
    /// 1500.
    GoAway,
    /// Any other number, nothing done.
    Other(i32),
}

impl Code {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::SystemError | Self::SystemErrorDone => 1,
            Self::SystemBusy | Self::TimeoutCleanQueue => 2,
            Self::FlushDiskTimeout => 10,
            Self::SlaveNotAvailable => 11,
            Self::FlushSlaveTimeout => 12,
            Self::MessageIllegal => 13,
            Self::ServiceNotAvailable => 14,
            Self::NoPermission => 16,
            Self::TopicNotExist => 17,
            Self::SubscriptionNotExist => 24,
            Self::SubscriptionNotLatest => 25,
            Self::GroupNotExist => 26,
            Self::FlowControl => 215,
            Self::GoAway => 1500,
            Self::Other(number) => number,
        }
    }

    /// The request is done all the same.
    pub(super) const fn executes(self) -> bool {
        matches!(
            self,
            Self::SystemErrorDone
                | Self::FlushDiskTimeout
                | Self::SlaveNotAvailable
                | Self::FlushSlaveTimeout
        )
    }

    const fn remark(self) -> &'static str {
        match self {
            Self::SystemError | Self::SystemErrorDone => "system error",
            Self::SystemBusy => "[PC_SYNCHRONIZED]broker busy, start flow control for a while",
            Self::TimeoutCleanQueue => {
                "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 201ms, size of \
                 queue: 1"
            }
            Self::FlushDiskTimeout | Self::SlaveNotAvailable | Self::FlushSlaveTimeout => "",
            Self::MessageIllegal => super::send::ILLEGAL,
            Self::ServiceNotAvailable => {
                "service not available now. It may be caused by one of the following reasons: the broker's disk is \
                 full [CL:  0.91 CQ:  0.91 INDEX:  0.91], messages are put to the slave, message store has been shut \
                 down, etc."
            }
            Self::NoPermission => "the broker sending message is forbidden",
            Self::TopicNotExist => "topic not exist, apply first please!",
            Self::SubscriptionNotExist => "the consumer's subscription not exist",
            Self::SubscriptionNotLatest => "the consumer's subscription not latest",
            Self::GroupNotExist => "subscription group does not exist",
            Self::FlowControl => "flow control",
            Self::GoAway => "please go away",
            Self::Other(_) => "ordered by the test",
        }
    }

    pub(in crate::model) fn reply(self) -> Reply {
        Reply::refuse(self.number(), self.remark())
    }

    /// The answer to what was done, as this code words it.
    pub(super) fn overlay(self, done: Reply) -> Reply {
        if self == Self::SystemErrorDone {
            return self.reply();
        }
        let remark = Some(self.remark()).filter(|remark| !remark.is_empty()).map(Cow::from);
        Reply { code: self.number(), remark, ..done }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(VecDeque<(Op, Code, u32)>);

impl Refusals {
    pub(crate) fn add(&mut self, op: Op, code: Code, times: u32) {
        if times > 0 {
            self.0.push_back((op, code, times));
        }
    }

    pub(in crate::model) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::model) fn next(&mut self, op: Op) -> Option<Code> {
        let at = self.0.iter().position(|(wanted, ..)| *wanted == op)?;
        let (_, code, left) = self.0.get_mut(at)?;
        let code = *code;
        *left -= 1;
        if *left == 0 {
            self.0.remove(at);
        }
        Some(code)
    }
}
