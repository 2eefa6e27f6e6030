//! The verdict on a half message.
//!
//! Law: a verdict travels once. Brokers store a message again for every commit they get, even after a rollback.
//!
//! Sources: Java `EndTransactionRequestHeader`, `LocalTransactionState`; wire.md §3.2, §12.2.

use super::record::{Field, rpc};
use super::{RpcError, success};
use crate::ids::{BrokerName, Group, Topic};
use crate::wire::fields::{FieldSink, Fields};
use crate::wire::text::Text;

/// What becomes of a half message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Not decided; the broker will ask again.
    Unknown,
    /// It becomes a message.
    Commit,
    /// It is dropped.
    Rollback,
}

impl Verdict {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Commit, Self::Rollback, Self::Unknown];

    /// Java's name (`LocalTransactionState`), as records of the trace have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit => "COMMIT_MESSAGE",
            Self::Rollback => "ROLLBACK_MESSAGE",
            Self::Unknown => "UNKNOW",
        }
    }
}

impl Field for Verdict {
    fn put(&self, key: &'static str, out: &mut impl FieldSink) {
        out.int(
            key,
            match self {
                Self::Unknown => 0,
                Self::Commit => 8,
                Self::Rollback => 12,
            },
        );
    }

    fn read(fields: &Fields, key: &'static str) -> Result<Self, RpcError> {
        match fields.required_int(key)? {
            0 => Ok(Self::Unknown),
            8 => Ok(Self::Commit),
            12 => Ok(Self::Rollback),
            _ => Err(RpcError::Malformed(key)),
        }
    }
}

rpc! {
    /// Ends a transaction (37). Sent to the master that stored the half message.
    EndTransaction = END_TRANSACTION -> (), success; {
        /// The topic, for the broker's access check.
        topic: Option<Topic> = "topic",
        /// The producer group of the half message.
        group: Group = "producerGroup",
        /// The queue offset of the half message.
        queue_offset: i64 = "tranStateTableOffset",
        /// The log offset of the half message.
        physical_offset: i64 = "commitLogOffset",
        /// What becomes of it.
        verdict: Verdict = "commitOrRollback",
        /// Whether a broker asked.
        from_check: bool = "fromTransactionCheck",
        /// The client's id of the message.
        message_id: Text = "msgId",
        /// The id of the transaction.
        transaction_id: Option<Text> = "transactionId",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
}
