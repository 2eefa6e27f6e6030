//! The remoting frame as the servers read and write it. This module and those below it share no code with the
//! client's codec: what the client encodes is read here by other hands, and the other way round.
//!
//! Law: what a 5.5.0 server closes the connection for is [`Broken`] here, for both lines; 4.9.4 forgives a little
//! more, and a client that relies on that is in error. Nothing here panics on bytes from a peer.

mod binary;
pub mod filter;
mod json;
pub mod message;
pub mod properties;

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

pub(crate) use json::Int;

/// A request or response of the remoting protocol, its text borrowed from the frame it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command<'a> {
    /// The request code, or the response code.
    pub code: i32,
    /// What the sender says it is written in, `None` when absent or unknown.
    pub language: Option<u8>,
    /// The sender's version ordinal.
    pub version: i32,
    /// The requester's number for this request; `None` when the header has none.
    pub opaque: Option<i32>,
    /// Bit 0: a response. Bit 1: no answer wanted.
    pub flag: i32,
    /// Text beside the code.
    pub remark: Option<Cow<'a, str>>,
    /// `extFields`; `None` when the header has none at all, which some Java processors stumble over.
    pub fields: Option<Fields<'a>>,
    /// What follows the header.
    pub body: Bytes,
}

impl Command<'_> {
    /// A response?
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flag & 1 == 1
    }

    /// A request nobody wants an answer to?
    #[must_use]
    pub const fn is_oneway(&self) -> bool {
        self.flag & 2 == 2
    }

    /// The value of an ext field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.as_ref()?.field(name)
    }

    /// The same, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Command<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Command {
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            flag: self.flag,
            remark: self.remark.map(own),
            fields: self
                .fields
                .map(|Fields(all)| Fields(all.into_iter().map(|(k, v)| (own(k), own(v))).collect())),
            body: self.body,
        }
    }
}

/// `extFields`, in the order of the header; the last of equal names counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(pub Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Fields<'_> {
    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }
}

/// How a header is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Type byte 0.
    #[default]
    Json,
    /// Type byte 1, what Java calls `ROCKETMQ`.
    Binary,
}

/// Why a server closes the connection without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The length field is negative, too small for a header, or over the limit.
    #[error("frame length {0}")]
    Length(i32),
    /// The header claims more bytes than the frame has.
    #[error("header length {0} in a frame of {1}")]
    HeaderLength(usize, usize),
    /// The type byte is neither 0 nor 1.
    #[error("serialize type {0}")]
    Type(u8),
    /// The JSON header is not what a server accepts.
    #[error("JSON header")]
    Json,
    /// The binary header is not what a server accepts.
    #[error("binary header: {0}")]
    Binary(&'static str),
}

/// Java's `com.rocketmq.remoting.frameMaxLength`, the length field included.
pub const FRAME_BYTES_MAX: i32 = 16 * 1024 * 1024;

/// Cuts the next whole frame (without its length field) off the front of `buffer`. An error is final.
///
/// # Errors
/// [`Broken::Length`] as soon as four bytes show it.
pub fn split(buffer: &mut BytesMut) -> Result<Option<Bytes>, Broken> {
    let Some(&prefix) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(prefix);
    if !(4..=FRAME_BYTES_MAX - 4).contains(&length) {
        return Err(Broken::Length(length));
    }
    let length = usize::try_from(length).map_err(|_| Broken::Length(length))?;
    if buffer.len() - 4 < length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Reads one frame that [`split`] cut.
///
/// # Errors
/// What a 5.5.0 server would close the connection for.
pub fn decode(frame: &Bytes) -> Result<(Dialect, Command<'_>), Broken> {
    let Some((&[kind, a, b, c], rest)) = frame.split_first_chunk::<4>() else {
        return Err(Broken::HeaderLength(0, frame.len()));
    };
    let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
    let Some(header) = rest.get(..length) else { return Err(Broken::HeaderLength(length, rest.len())) };
    let (dialect, mut command) = match kind {
        0 => (Dialect::Json, json::decode(header)?),
        1 => (Dialect::Binary, binary::decode(header)?),
        other => return Err(Broken::Type(other)),
    };
    command.body = frame.slice(4 + length..);
    Ok((dialect, command))
}

/// Writes one frame, its length field included, as Java would.
pub fn encode(command: &Command<'_>, dialect: Dialect, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    match dialect {
        Dialect::Json => json::encode(command, out),
        Dialect::Binary => binary::encode(command, out),
    }
    let header = out.len() - start - 8;
    out.extend_from_slice(&command.body);
    let length = u32::try_from(out.len() - start - 4).expect("frames are far below 4 GiB");
    let mark = u32::try_from(header).expect("headers are far below 16 MiB");
    debug_assert!(mark < 1 << 24, "a header has 24 bits for its length");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&mark.to_be_bytes());
    if dialect == Dialect::Binary {
        out[start + 4] = 1;
    }
}

/// The names of Java's `LanguageCode`, by number.
const LANGUAGES: [&str; 14] = [
    "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS",
    "RUST", "NODE_JS",
];

#[cfg(test)]
#[path = "codec/tests.rs"]
mod tests;
