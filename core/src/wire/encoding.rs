//! The choice between the two encodings of a header.
//!
//! Laws: decoding an encoded header gives an equal one, in either encoding. What the binary encoding cannot express (an
//! empty value, which arrives as null; a code beyond 16 bits) is written as JSON, never truncated.
//!
//! Sources: Java `RemotingCommand`, `RocketMQSerializable`, `RemotingSerializable`; wire.md §2.

use bytes::{Bytes, BytesMut};

use super::fields::FieldSource;
use super::header::{Dialect, Head, Header, HeaderError};
use super::{binary, json};

impl Header {
    /// Reads a header whose bytes have come whole.
    pub fn decode(dialect: Dialect, header: Bytes) -> Result<Self, HeaderError> {
        match dialect {
            Dialect::Json => json::decode(header),
            Dialect::Binary => binary::decode(header),
        }
    }
}

/// Appends a header, in JSON where the binary encoding cannot express it. Returns which was used.
pub(crate) fn encode(
    head: &Head<'_>,
    fields: &impl FieldSource,
    dialect: Dialect,
    out: &mut BytesMut,
) -> Dialect {
    let begin = out.len();
    if dialect == Dialect::Binary && binary::encode(head, fields, out) {
        return Dialect::Binary;
    }
    out.truncate(begin);
    json::encode(head, fields, out);
    Dialect::Json
}
