//! The header of a remoting command and the choice between its two encodings.
//!
//! Laws: decoding an encoded header gives an equal one, in either encoding. What the binary encoding cannot express (an
//! empty value, which arrives as null; a code beyond 16 bits) is written as JSON, never truncated.
//!
//! Sources: Java `RemotingCommand`, `RocketMQSerializable`, `RemotingSerializable`; wire.md §2.

use bytes::{Bytes, BytesMut};

use super::codes::Language;
use super::fields::{FieldSource, Fields};
use super::frame::{FrameError, FrameHead};
use super::text::Text;
use super::{binary, json};
use crate::limits::wire as limits;

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

impl Header {
    /// Reads a header whose bytes have come whole.
    pub fn decode(dialect: Dialect, header: Bytes) -> Result<Self, FrameError> {
        match dialect {
            Dialect::Json => json::decode(header),
            Dialect::Binary => binary::decode(header),
        }
    }

    /// Appends length field, header mark and header of a frame whose body has `body_bytes`. Returns the encoding that
    /// was used, which is JSON where the binary one cannot express the header.
    pub fn encode(
        &self,
        dialect: Dialect,
        body_bytes: usize,
        out: &mut BytesMut,
    ) -> Result<Dialect, EncodeError> {
        let head = Head {
            kind: self.kind,
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            remark: self.remark.as_deref(),
            map: self.fields.is_present(),
        };
        head.encode(&self.fields, dialect, body_bytes, out)
    }
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

impl Head<'_> {
    pub(crate) fn encode(
        &self,
        fields: &impl FieldSource,
        dialect: Dialect,
        body_bytes: usize,
        out: &mut BytesMut,
    ) -> Result<Dialect, EncodeError> {
        let start = out.len();
        // One reservation for what nearly every header needs; more grows as it is written.
        out.reserve(768);
        out.extend_from_slice(&[0; FrameHead::BYTES]);
        let begin = out.len();
        let used = if dialect == Dialect::Binary && binary::encode(self, fields, out) {
            Dialect::Binary
        } else {
            out.truncate(begin);
            json::encode(self, fields, out);
            Dialect::Json
        };
        let header = out.len().saturating_sub(begin);
        match frame_head(used, header, body_bytes) {
            Ok(head) => {
                if let Some(place) = out.get_mut(start..begin) {
                    place.copy_from_slice(&head);
                }
                Ok(used)
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

fn frame_head(dialect: Dialect, header: usize, body: usize) -> Result<[u8; FrameHead::BYTES], EncodeError> {
    let too_long = EncodeError::Header { bytes: header, max: limits::HEADER_BYTES };
    let mark = u32::try_from(header).ok().filter(|_| header <= limits::HEADER_BYTES).ok_or(too_long)?;
    let bytes = header.saturating_add(body).saturating_add(FrameHead::BYTES);
    let too_large = EncodeError::Frame { bytes, max: limits::FRAME_BYTES };
    let length = u32::try_from(bytes.saturating_sub(4))
        .ok()
        .filter(|_| bytes <= limits::FRAME_BYTES)
        .ok_or(too_large)?;
    let [a, b, c, d] = length.to_be_bytes();
    let [_, x, y, z] = mark.to_be_bytes();
    Ok([a, b, c, d, dialect.serialize_type(), x, y, z])
}
