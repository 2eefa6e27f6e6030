//! What the machine reports for logs and metrics. It never traces by itself: a subscriber is user code and must not
//! run under the lock.

use core::fmt;
use core::time::Duration;

use crate::error::{CallError, LostWhy, RouteError};
use crate::ids::{Address, Queue, Topic};

/// Something worth tracing. Nothing depends on anybody reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A connection is being opened.
    Dialing(Address),
    /// A connection is up.
    Connected(Address),
    /// A connection ended or did not come up.
    Lost(Address, LostWhy),
    /// The next attempt to connect is made after this pause, if something still waits for it then.
    Backoff(Address, Duration),
    /// Nothing more is sent on a connection that works: what it was asked is waited for, whatever comes next goes over
    /// a new one. Why: the server goes away ([`LostWhy::GoAway`]), or it was replaced for its age ([`LostWhy::Aged`])
    /// or closed unused ([`LostWhy::Idle`]), as configured.
    Retired(Address, LostWhy),
    /// A topic's route is new or differs from the last: writable and readable queues.
    Route(Topic, usize, usize),
    /// A topic's route could not be had.
    NoRoute(Topic, RouteError),
    /// A broker did not take a heartbeat.
    Heartbeat(CallError),
    /// Reading a queue failed and is tried again.
    Pull(Queue, CallError),
    /// The broker says the offset read from is not in the queue; reading goes on elsewhere.
    OffsetMoved {
        /// The queue.
        queue: Queue,
        /// The offset asked for.
        from: i64,
        /// The offset read next.
        to: i64,
    },
    /// A broker before 5.0 says that the group's offset is 0, which it also says when the group has none, and cannot
    /// tell which: its whole table of offsets cannot be had, or is larger than a frame may be. The queue is read from
    /// 0, and every other one of this broker for which it says 0.
    Doubted(Queue, CallError),
    /// Positions could not be committed; they are kept and tried again.
    Commit(Queue, CallError),
    /// A peer sent a request or a reply that nobody waits for, or that this client does not know.
    Unexpected(Address, Unexpected),
}

/// A frame that had no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unexpected {
    /// The reply to a request that was given up before.
    LateReply,
    /// A reply to nothing: a refused one-way request, or a confused peer.
    StrayReply,
    /// A request of this code, answered "not supported".
    Request(i32),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialing(peer) => write!(f, "connecting to {peer}"),
            Self::Backoff(peer, pause) => write!(f, "{peer} is tried again after {pause:?}"),
            Self::Connected(peer) => write!(f, "connected to {peer}"),
            Self::Lost(peer, why) => write!(f, "lost {peer}: {why}"),
            Self::Retired(peer, why) => write!(f, "nothing more is sent on this connection to {peer}: {why}"),
            Self::Route(topic, writable, readable) => {
                write!(f, "route of {topic}: {writable} queues to write, {readable} to read")
            }
            Self::NoRoute(topic, error) => write!(f, "no route of {topic}: {error}"),
            Self::Heartbeat(error) => write!(f, "heartbeat failed: {error}"),
            Self::Pull(queue, error) => write!(f, "reading {queue} failed: {error}"),
            Self::OffsetMoved { queue, from, to } => {
                write!(f, "offset {from} is not in {queue}, reading on at {to}")
            }
            Self::Doubted(queue, error) => {
                write!(f, "{queue} is read from 0, whether or not the group has an offset: {error}")
            }
            Self::Commit(queue, error) => write!(f, "committing {queue} failed: {error}"),
            Self::Unexpected(peer, what) => write!(f, "{peer} sent {what:?}"),
        }
    }
}
