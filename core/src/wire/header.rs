//! The header of a remoting command: what it says, apart from how it is written.
//!
//! Law: a header holds what both encodings can say, and nothing of the connection it came from.
//!
//! Sources: Java `RemotingCommand`; wire.md §2.

use super::codes::Language;
use super::fields::Fields;
use super::text::Text;

/// The protocol version this client speaks: Java's ordinal of V5_3_3. Servers decide by it what to ask of us.
pub const VERSION: i32 = 479;

/// What a command is: two bits of its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request that wants an answer.
    Request,
    /// A request that must not be answered.
    Oneway,
    /// An answer.
    Response,
}

impl Kind {
    /// From the flag of a header; bits without a meaning are ignored, as Java does.
    #[must_use]
    pub const fn of(flag: i32) -> Self {
        match flag & 3 {
            0 => Self::Request,
            2 => Self::Oneway,
            _ => Self::Response,
        }
    }

    /// The flag of a header of this kind.
    #[must_use]
    pub const fn flag(self) -> i32 {
        match self {
            Self::Request => 0,
            Self::Response => 1,
            Self::Oneway => 2,
        }
    }
}

/// How a header is written. Every frame says which it uses; there is no negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// JSON text.
    Json,
    /// Java's `ROCKETMQ` encoding.
    Binary,
}

impl Dialect {
    /// From the serialize type byte of a frame.
    #[must_use]
    pub const fn of(serialize_type: u8) -> Option<Self> {
        match serialize_type {
            0 => Some(Self::Json),
            1 => Some(Self::Binary),
            _ => None,
        }
    }

    /// The serialize type byte of a frame.
    #[must_use]
    pub const fn serialize_type(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::Binary => 1,
        }
    }
}

/// The header of a remoting command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Request, one-way or answer.
    pub kind: Kind,
    /// What is asked, or how it was answered.
    pub code: i32,
    /// What the sender is written in.
    pub language: Language,
    /// The protocol version of the sender.
    pub version: i32,
    /// Chosen by who asks, repeated by who answers.
    pub opaque: i32,
    /// Text for people, mostly about an error.
    pub remark: Option<Text>,
    /// Parameters or results.
    pub fields: Fields,
}

/// A header's bytes make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer sent a {dialect:?} header that is broken at byte {at}: {why}")]
pub struct HeaderError {
    /// In which encoding.
    pub dialect: Dialect,
    /// Where in the header.
    pub at: usize,
    /// What is wrong there.
    pub why: &'static str,
}

/// Everything of a received header but its fields.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) kind: Kind,
    pub(crate) code: i32,
    pub(crate) language: Language,
    pub(crate) version: i32,
    pub(crate) opaque: i32,
    pub(crate) remark: Option<Text>,
}

impl Fixed {
    #[inline]
    pub(crate) fn with(self, fields: Fields) -> Header {
        let Self { kind, code, language, version, opaque, remark } = self;
        Header { kind, code, language, version, opaque, remark, fields }
    }
}

/// This side cannot say that. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The header would be larger than peers accept.
    #[error("a header of {bytes} bytes is more than the {max} that fit")]
    Header {
        /// The header.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The frame would be larger than peers accept.
    #[error("a frame of {bytes} bytes is more than the {max} that fit")]
    Frame {
        /// The frame, with its length field.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}

/// The fixed part of a header about to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) kind: Kind,
    pub(crate) code: i32,
    pub(crate) language: Language,
    pub(crate) version: i32,
    pub(crate) opaque: i32,
    pub(crate) remark: Option<&'a str>,
    /// Whether the JSON form shows an empty map of fields.
    pub(crate) map: bool,
}
