//! What travels from the machine to a connection: one enum of typed requests, encoded there, once; and our answers to
//! what brokers ask.
//!
//! Laws: nothing is encoded twice, and a body is never copied unless the caller asks for one buffer. Encoding either
//! appends a whole head or nothing.

use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};

use super::codes::{Language, ResponseCode};
use super::fields::{FieldSink, FieldSource, Fields};
use super::header::{Dialect, EncodeError, Head, Kind, VERSION};
use super::route::GetRoute;
use super::rpc::Rpc;
use super::rpc::heartbeat::{Heartbeat, Unregister};
use super::rpc::offsets::{MaxOffset, MinOffset, QueryOffset, SearchOffset, UpdateOffset};
use super::rpc::pull::PullMessage;
use super::rpc::send::SendMessage;
use super::text::Text;

/// A request by its parts, for what has no type of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest {
    /// The request code.
    pub code: i32,
    /// The parameters.
    pub fields: Fields,
    /// What travels behind the header.
    pub body: Bytes,
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {
        /// Anything this client asks; boxed, so that a queue of them stays small.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request {
            $($(#[$doc])* $name(Box<$type>),)*
            /// A request by its parts.
            Raw(Box<RawRequest>),
        }

        $(impl From<$type> for Request {
            fn from(request: $type) -> Self {
                Self::$name(Box::new(request))
            }
        })*

        impl Request {
            /// The request code.
            #[must_use]
            pub fn code(&self) -> i32 {
                match self {
                    $(Self::$name(request) => request.code(),)*
                    Self::Raw(request) => request.code,
                }
            }

            /// What travels behind the header.
            #[must_use]
            pub fn body(&self) -> Bytes {
                match self {
                    $(Self::$name(request) => request.body(),)*
                    Self::Raw(request) => request.body.clone(),
                }
            }
        }

        impl FieldSource for Request {
            fn write_fields(&self, out: &mut impl FieldSink) {
                match self {
                    $(Self::$name(request) => request.fields(out),)*
                    Self::Raw(request) => request.fields.write_fields(out),
                }
            }
        }
    };
}

requests! {
    /// Asks for a topic's route.
    Route(GetRoute);
    /// Stores a message or a batch.
    Send(SendMessage);
    /// Asks for messages of a queue.
    Pull(PullMessage);
    /// Asks for a queue's first offset.
    MinOffset(MinOffset);
    /// Asks for the offset after a queue's last message.
    MaxOffset(MaxOffset);
    /// Asks for a queue's offset at a time.
    SearchOffset(SearchOffset);
    /// Asks for a group's offset of a queue.
    QueryOffset(QueryOffset);
    /// Stores a group's offset of a queue.
    UpdateOffset(UpdateOffset);
    /// Tells a broker who is a member of what.
    Heartbeat(Heartbeat);
    /// Leaves a group.
    Unregister(Unregister);
}

/// What encoding a head gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The encoding that was used: JSON where the wished-for one cannot express the header.
    pub dialect: Dialect,
    /// The body, which belongs right behind the head.
    pub body: Bytes,
}

/// Fields added to a request on its way out, such as credentials and their signature.
struct With<'a> {
    request: &'a Request,
    extra: &'a [(&'a str, &'a str)],
}

impl FieldSource for With<'_> {
    fn write_fields(&self, out: &mut impl FieldSink) {
        self.request.write_fields(out);
        for (key, value) in self.extra {
            out.text(key, value);
        }
    }
}

impl Request {
    /// Appends everything before the body and gives the body back, for a write of both without a copy.
    pub fn encode_head(
        &self,
        dialect: Dialect,
        opaque: i32,
        oneway: bool,
        out: &mut BytesMut,
    ) -> Result<Encoded, EncodeError> {
        self.encode_head_with(dialect, opaque, oneway, &[], out)
    }

    /// The same with fields added behind the request's own. A signature covers every field, so it has to be made over
    /// the same ones ([`FieldSource`] tells them) and come last.
    pub fn encode_head_with(
        &self,
        dialect: Dialect,
        opaque: i32,
        oneway: bool,
        extra: &[(&str, &str)],
        out: &mut BytesMut,
    ) -> Result<Encoded, EncodeError> {
        let head = Head {
            kind: if oneway { Kind::Oneway } else { Kind::Request },
            code: self.code(),
            language: Language::RUST,
            version: VERSION,
            opaque,
            remark: None,
            // Some processors of brokers fail without a map, be it empty.
            map: true,
        };
        let body = self.body();
        let dialect = head.encode(&With { request: self, extra }, dialect, body.len(), out)?;
        Ok(Encoded { dialect, body })
    }

    /// Appends the whole frame, body included. Returns the encoding that was used.
    pub fn encode(
        &self,
        dialect: Dialect,
        opaque: i32,
        oneway: bool,
        out: &mut BytesMut,
    ) -> Result<Dialect, EncodeError> {
        let encoded = self.encode_head(dialect, opaque, oneway, out)?;
        out.extend_from_slice(&encoded.body);
        Ok(encoded.dialect)
    }
}

/// Our answer to what a broker asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub code: ResponseCode,
    /// Words for people.
    pub remark: Option<Text>,
    /// Results.
    pub fields: Fields,
    /// What travels behind the header.
    pub body: Bytes,
}

impl Answer {
    /// An answer of this code and nothing else.
    #[must_use]
    pub fn of(code: ResponseCode) -> Self {
        Self { code, remark: None, fields: Fields::default(), body: Bytes::new() }
    }

    /// Appends the whole frame that answers the request of that opaque.
    pub fn encode(&self, dialect: Dialect, opaque: i32, out: &mut BytesMut) -> Result<Dialect, EncodeError> {
        let head = Head {
            kind: Kind::Response,
            code: self.code.0,
            language: Language::RUST,
            version: VERSION,
            opaque,
            remark: self.remark.as_deref(),
            map: self.fields.is_present(),
        };
        let dialect = head.encode(&self.fields, dialect, self.body.len(), out)?;
        out.extend_from_slice(&self.body);
        Ok(dialect)
    }
}
