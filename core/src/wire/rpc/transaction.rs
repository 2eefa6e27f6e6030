//! The verdict on a half message.
//!
//! Law: a verdict travels once. Brokers store a message again for every commit they get, even after a rollback.
//!
//! Sources: Java `EndTransactionRequestHeader`; wire.md §3.2, §12.2.

use super::record::rpc;
use super::success;
use crate::ids::{BrokerName, Group, Topic};
use crate::wire::text::Text;

/// What becomes of a half message.
pub mod verdict {
    /// Not decided; the broker will ask again.
    pub const UNKNOWN: i32 = 0;
    /// It becomes a message.
    pub const COMMIT: i32 = 8;
    /// It is dropped.
    pub const ROLLBACK: i32 = 12;
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
        /// A [`verdict`].
        verdict: i32 = "commitOrRollback",
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
