//! Names and numbers that identify things. Names are validated when they are made and cheap to clone; numbers are
//! handed out by one owner and never reused while anything may still refer to them.

use alloc::sync::Arc;
use core::fmt;

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
    )*};
}

number! {
    /// One connection attempt and the connection it became; never reused.
    ConnId(u64);
    /// Chosen by whoever starts an operation; handed back in the one event that ends it.
    Ticket(u64);
    /// A producer of this client.
    ProducerId(u32);
    /// A consumer of this client.
    ConsumerId(u32);
    /// An interned topic name of this client.
    TopicId(u32);
    /// An interned broker name of this client.
    BrokerId(u32);
}

/// A queue of a topic, by this client's interned names: small enough to be a key everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId {
    /// The topic.
    pub topic: TopicId,
    /// The broker that holds the queue.
    pub broker: BrokerId,
    /// The queue's number on that broker.
    pub queue: i32,
}

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

name! {
    /// The name of a topic: 1 to 127 characters (255 with the prefix of a retry or dead-letter topic) of
    /// `[%|a-zA-Z0-9_-]`.
    Topic;
    /// The name of a producer or consumer group: 1 to 120 characters of `[%|a-zA-Z0-9_-]`.
    Group;
    /// The name of a broker, as name servers give it.
    BrokerName;
    /// `host:port`, unresolved: resolving names belongs to the adapter.
    Address;
    /// What brokers know this client by.
    ClientId;
}
