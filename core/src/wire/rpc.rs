//! A typed request: what it is called, what it says, and how its reply reads.
//!
//! Law: a reply is read in one place, so that what a code means for a request is said once. A refusal keeps the
//! broker's code and words.
//!
//! The requests stand in files by subject; their fields follow wire.md §3 and Java's `*RequestHeader` classes.

use bytes::Bytes;

use super::codes::ResponseCode;
use super::fields::FieldSink;
use super::frame::Frame;
use super::text::Text;

pub mod acl;
pub mod admin;
pub mod consume;
pub mod groups;
pub mod heartbeat;
pub mod inspect;
pub mod light;
pub mod mapping;
pub mod offsets;
pub mod pop;
pub mod progress;
pub mod pull;
pub mod pushed;
pub mod query;
pub mod route;
pub mod running;
pub mod send;
pub mod topics;
pub mod transaction;

pub(crate) mod record;

pub use super::fields::Malformed;

/// A request that knows its reply.
pub trait Rpc: Sized {
    /// The request code.
    const CODE: i32;

    /// What a good answer says.
    type Reply;

    /// The code of this very request, where its content decides between two.
    fn code(&self) -> i32 {
        Self::CODE
    }

    /// Writes the parameters.
    fn fields(&self, out: &mut impl FieldSink);

    /// What travels behind the header.
    fn body(&self) -> Bytes {
        Bytes::new()
    }

    /// Reads the request from its frame: what a broker does, and what recorded conversations are checked by.
    fn read(frame: &Frame) -> Result<Self, RpcError>;

    /// Reads the answer.
    fn reply(frame: &Frame) -> Result<Self::Reply, RpcError>;
}

/// A request was answered, but not with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The peer said no.
    #[error("refused with {code}: {}", remark.escape_debug())]
    Refused {
        /// Its reason as a number.
        code: ResponseCode,
        /// Its reason in words, as they came: escape them before they reach a log.
        remark: Text,
    },
    /// The peer's answer makes no sense at this field.
    #[error("the reply makes no sense at {0}")]
    Malformed(&'static str),
}

impl From<Malformed> for RpcError {
    fn from(Malformed(field): Malformed) -> Self {
        Self::Malformed(field)
    }
}

impl RpcError {
    /// The refusal that a frame is.
    #[must_use]
    pub fn refused(frame: &Frame) -> Self {
        Self::Refused {
            code: ResponseCode(frame.header.code),
            remark: frame.header.remark.clone().unwrap_or_default(),
        }
    }
}

/// Passes an answer of code 0 and makes a refusal of any other.
pub(crate) fn success(frame: &Frame) -> Result<(), RpcError> {
    if frame.header.code == ResponseCode::SUCCESS.0 { Ok(()) } else { Err(RpcError::refused(frame)) }
}
