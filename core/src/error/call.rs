//! Why one request, or one connection, did not end well; what the errors of operations are made of.
//!
//! Law: a peer's words appear in an error escaped and at most 1 KiB long.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use thiserror::Error;

use super::Retry;
use crate::ids::{Address, BrokerName};
use crate::limits::wire::REMARK_BYTES;
use crate::wire::{FrameError, ResponseCode, RpcError, Text};

/// Why a connection ended, or never came up. The environment's or the peer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LostWhy {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// The host name has no address.
    #[error("the name cannot be resolved: {0}")]
    Unresolved(Box<str>),
    /// No connection in time.
    #[error("no connection in time")]
    TimedOut,
    /// The peer reset the connection.
    #[error("connection reset by the peer")]
    Reset,
    /// The peer closed the connection.
    #[error("connection closed by the peer")]
    Eof,
    /// The peer sent bytes that are no frame of this protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] FrameError),
    /// Nothing was heard, not even the answer to a probe.
    #[error("the peer stopped answering")]
    Silent,
    /// The server said that it goes away; nothing was sent to it any more.
    #[error("the server goes away")]
    GoAway,
    /// The connection reached the greatest age it may have and is replaced; nothing was sent on it any more.
    #[error("the connection reached its greatest age")]
    Aged,
    /// Nothing was asked on the connection for as long as it may be unused.
    #[error("the connection was not used")]
    Idle,
    /// This client closed the connection.
    #[error("connection closed by this client")]
    Closed,
    /// The runtime that carried the connection is gone.
    #[error("the runtime that carried the connection was dropped")]
    RuntimeGone,
    /// Any other error of the operating system.
    #[error("{0}")]
    Io(Box<str>),
    /// One side does not accept the other's certificate, name or protocol; trying again does not help.
    #[error("TLS: {0}")]
    Untrusted(Box<str>),
    /// The secure channel could not be set up or broke.
    #[error("TLS: {0}")]
    Tls(Box<str>),
}

/// Why one request did not end in the reply hoped for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// No connection to the peer, or it broke.
    #[error("{peer}: {why}")]
    Lost {
        /// Whom the request was for.
        peer: Address,
        /// What happened to the connection.
        why: LostWhy,
    },
    /// No reply before the request's deadline.
    #[error("{peer} did not answer in time")]
    TimedOut {
        /// Whom the request was for.
        peer: Address,
    },
    /// The peer answered, and refused.
    #[error("{peer} answered {code} ({remark})")]
    Refused {
        /// Who refused.
        peer: Address,
        /// The response code.
        code: ResponseCode,
        /// The peer's explanation.
        remark: Text,
    },
    /// The peer answered something that makes no sense.
    #[error("{peer} sent a malformed reply: {what}")]
    Malformed {
        /// Who answered.
        peer: Address,
        /// What is wrong with the reply.
        what: &'static str,
    },
    /// No broker of that name is known any more.
    #[error("broker {0} is in no route")]
    UnknownBroker(BrokerName),
    /// This client was closed first.
    #[error("the client was closed")]
    Closed,
}

impl CallError {
    pub(crate) fn from_rpc(peer: &Address, error: RpcError) -> Self {
        let peer = peer.clone();
        match error {
            RpcError::Refused { code, remark } => Self::Refused { peer, code, remark: printable(&remark) },
            RpcError::Malformed(what) => Self::Malformed { peer, what },
        }
    }

    /// The peer's response code, if it refused.
    #[must_use]
    pub const fn code(&self) -> Option<ResponseCode> {
        if let Self::Refused { code, .. } = self { Some(*code) } else { None }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Lost { why: LostWhy::Untrusted(_), .. } => Retry::Never,
            Self::Lost { .. } | Self::TimedOut { .. } => Retry::After(Duration::from_secs(1)),
            Self::Refused { code, .. } => retry_of_code(*code),
            Self::UnknownBroker(_) => Retry::After(Duration::from_secs(30)),
            Self::Malformed { .. } | Self::Closed => Retry::Never,
        }
    }

    /// What to look at or to change.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Lost { why, .. } => hint_of_loss(why),
            Self::TimedOut { .. } => {
                Some("the peer accepted the connection but does not answer: is it overloaded or paused?")
            }
            Self::Refused { code, .. } => hint_of_code(*code),
            Self::UnknownBroker(_) => {
                Some("the broker left the cluster or the queue was made up: ask for the queues again")
            }
            Self::Malformed { .. } => Some("is the peer an Apache RocketMQ server of line 4.9 or 5?"),
            Self::Closed => None,
        }
    }
}

const fn hint_of_loss(why: &LostWhy) -> Option<&'static str> {
    match why {
        LostWhy::Refused => Some("nobody listens at this address: is the server up, and is the port right?"),
        LostWhy::Unresolved(_) => Some("check the host name, or give an IP address"),
        LostWhy::TimedOut => Some(
            "the address cannot be reached from here: brokers in containers or behind NAT must advertise a reachable brokerIP1",
        ),
        LostWhy::Protocol(FrameError::TooLarge { .. }) => Some(
            "something else than RocketMQ listens at this address, it expects TLS, or its answer is larger than RocketMQ's own clients read",
        ),
        LostWhy::Protocol(_) => {
            Some("something else than RocketMQ listens at this address, or it expects TLS")
        }
        LostWhy::Eof | LostWhy::Reset => {
            Some("the peer hung up: is it restarting, does it expect TLS, is a proxy in between?")
        }
        LostWhy::RuntimeGone => Some("keep the runtime alive for as long as the client is used"),
        LostWhy::Untrusted(_) | LostWhy::Tls(_) => {
            Some("check the certificate authority, the server name and the server's TLS mode")
        }
        LostWhy::Silent
        | LostWhy::GoAway
        | LostWhy::Aged
        | LostWhy::Idle
        | LostWhy::Closed
        | LostWhy::Io(_) => None,
    }
}

const fn retry_of_code(code: ResponseCode) -> Retry {
    match code {
        ResponseCode::SYSTEM_ERROR
        | ResponseCode::SYSTEM_BUSY
        | ResponseCode::SERVICE_NOT_AVAILABLE
        | ResponseCode::FLOW_CONTROL
        | ResponseCode::GO_AWAY => Retry::After(Duration::from_secs(1)),
        ResponseCode::TOPIC_NOT_EXIST => Retry::After(Duration::from_secs(30)),
        _ => Retry::Never,
    }
}

const fn hint_of_code(code: ResponseCode) -> Option<&'static str> {
    Some(match code {
        ResponseCode::SYSTEM_BUSY | ResponseCode::FLOW_CONTROL => {
            "the broker protects itself from load: send more slowly, or look at its disk and page cache"
        }
        ResponseCode::SERVICE_NOT_AVAILABLE => {
            "the broker's disk is full, it is shutting down, or it is a slave"
        }
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED => {
            "the server does not know this request: is it of the right kind (name server, broker) and version?"
        }
        ResponseCode::MESSAGE_ILLEGAL => {
            "the broker takes bodies up to 4 MiB and properties up to 32,767 bytes"
        }
        ResponseCode::NO_PERMISSION => "check the topic's permission, and the rights of the access key",
        ResponseCode::TOPIC_NOT_EXIST => {
            "create the topic, or let brokers create it (autoCreateTopicEnable=true)"
        }
        ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST => {
            "create the group, or let brokers create it (autoCreateSubscriptionGroup=true)"
        }
        _ => return None,
    })
}

/// What a text from a peer looks like in an error: at most 1 KiB, control characters escaped.
fn printable(text: &str) -> Text {
    if text.len() <= REMARK_BYTES && !text.chars().any(char::is_control) {
        return Text::from(String::from(text));
    }
    let mut out = String::new();
    for c in text.chars().flat_map(char::escape_debug) {
        if out.len() >= REMARK_BYTES {
            out.push('…');
            break;
        }
        out.push(c);
    }
    Text::from(out)
}
