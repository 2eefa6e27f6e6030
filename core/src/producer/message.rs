//! What a send is given and what it gives back.
//!
//! Law: a message is made ready off the machine; here it is carried, never looked into.

use bytes::Bytes;

use crate::ids::{Queue, Topic};
use crate::time::UnixMillis;
use crate::wire::{Durability, MessageId, Text};

/// A message made ready off the machine, on its caller's thread: validated, its properties encoded, its body as it
/// will be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Where to.
    pub topic: Topic,
    /// The message's id: the value of its `UNIQ_KEY`.
    pub id: Text,
    /// All properties, encoded.
    pub properties: Text,
    /// The body, compressed if `sys_flag` says so.
    pub body: Bytes,
    /// The protocol's flags; bits 4 and 5 must not be set.
    pub sys_flag: i32,
    /// The user's flag.
    pub flag: i32,
    /// When the message was made.
    pub born: UnixMillis,
}

impl Prepared {
    /// What it counts for in the bounds of admission.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.properties.len()
    }
}

/// Which queue a message goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The next one, round robin, avoiding brokers that cannot be reached.
    #[default]
    Any,
    /// This one and no other, whatever happens.
    Queue(Queue),
}

/// The broker's word that a message is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's id, made by the producer.
    pub id: Text,
    /// The broker's id of it: where it lies.
    pub offset_id: MessageId,
    /// The queue it is in.
    pub queue: Queue,
    /// Its offset in that queue.
    pub offset: i64,
    /// How safely it was stored when the broker answered.
    pub durability: Durability,
    /// The broker's transaction id, if it sent one.
    pub transaction_id: Option<Text>,
    /// What recalls a timed message.
    pub recall_handle: Option<Text>,
    /// The broker's region, if it names one.
    pub region: Option<Text>,
    /// Whether the broker wants the message traced.
    pub trace: bool,
}

impl core::fmt::Display for Receipt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "msgId={} {}/{}@{}", self.id.as_str(), self.queue.broker, self.queue.queue, self.offset)
    }
}
