//! What a model server tells an observer: the oracle's side of every check.

use std::sync::Arc;

use super::Conn;
use crate::codec::Broken;

/// One thing that happened in a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request was read.
    Asked {
        /// Over this connection.
        conn: Conn,
        /// Its number there.
        opaque: i32,
        /// What it asks.
        code: i32,
        /// It wants no answer.
        oneway: bool,
    },
    /// A request was answered.
    Answered {
        /// Over this connection.
        conn: Conn,
        /// The request's number.
        opaque: i32,
        /// What it asked.
        asked: i32,
        /// With this.
        code: i32,
    },
    /// The bytes of a peer were not a frame, and its connection is being closed.
    Broken {
        /// This one.
        conn: Conn,
        /// How.
        why: Broken,
    },
    /// A message was stored.
    Append {
        /// By a request on this connection,
        conn: Conn,
        /// of this number.
        opaque: i32,
        /// Its `UNIQ_KEY`; empty if it has none.
        key: Arc<str>,
        /// Where: topic.
        topic: Arc<str>,
        /// Where: queue.
        queue: i32,
        /// Where: place in the queue.
        offset: i64,
        /// Where: place in the commit log.
        physical: i64,
    },
    /// A consumer offset was stored.
    Commit {
        /// By this connection.
        conn: Conn,
        /// Of this group,
        group: Arc<str>,
        /// topic,
        topic: Arc<str>,
        /// and queue.
        queue: i32,
        /// The next message to consume.
        offset: i64,
    },
    /// A pull asked for messages.
    Pull {
        /// Over this connection.
        conn: Conn,
        /// The request's number.
        opaque: i32,
        /// For this group.
        group: Arc<str>,
        /// From this topic
        topic: Arc<str>,
        /// and queue,
        queue: i32,
        /// from here on.
        from: i64,
    },
    /// A pull was answered.
    Serve {
        /// Over this connection.
        conn: Conn,
        /// The request's number.
        opaque: i32,
        /// With this code,
        code: i32,
        /// and this as the place to go on from.
        next: i64,
    },
    /// A heartbeat arrived.
    Heartbeat {
        /// Over this connection,
        conn: Conn,
        /// from this client,
        client: Arc<str>,
        /// with these producer groups
        producers: Vec<String>,
        /// and these consumer groups.
        consumers: Vec<String>,
    },
}
