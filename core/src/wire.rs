//! RocketMQ's remoting protocol as pure functions over bytes: frames, both header encodings, typed requests and their
//! replies, stored messages and the bodies between them.
//!
//! Laws:
//! - Bytes of a peer end in a value or a typed error, never in a panic, and what is allocated is bounded by what was
//!   received, never by what a length claims (`limits::wire` has the numbers).
//! - Nothing received is copied that can be a slice: bodies, texts and properties share the read buffer.
//! - Decoding what was encoded gives the same value, in either header encoding.
//! - Nothing here knows a connection, a deadline or a retry; that is for the machines above.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod attributes;
pub mod base64;
pub mod batch;
pub mod body;
pub mod codes;
pub mod fields;
pub mod frame;
pub mod header;
pub mod ids;
pub mod message;
pub mod namespace;
pub mod order_counts;
pub mod properties;
pub mod request;
pub mod rpc;
pub mod subscription;
pub mod text;
pub mod topic;
pub mod trace;

mod binary;
mod decimal;
mod encoding;
mod json;
mod reader;
mod stage;
mod words;

pub use codes::{Language, RequestCode, ResponseCode};
pub use fields::{FieldSink, Fields};
pub use frame::{Frame, FrameError, Framer};
pub use header::{Dialect, EncodeError, Header, HeaderError, Kind, VERSION};
pub use ids::{OffsetId, UniqueIds};
pub use message::{Damaged, StoredMessage, messages};
pub use properties::{Properties, PropertyText};
pub use request::{Answer, Encoded, RawRequest, Request};
pub use rpc::heartbeat::{ConsumerEntry, Heartbeat, SubscriptionEntry, Unregister};
pub use rpc::offsets::{MaxOffset, MinOffset, QueryOffset, SearchOffset, StoredOffsets, UpdateOffset};
pub use rpc::pull::{PullMessage, PullReply, PullStatus};
pub use rpc::pushed::Pushed;
pub use rpc::route::{GetRoute, Route, RouteBroker, RouteQueue};
pub use rpc::send::{Durability, MessageId, SendMessage, SendReply};
pub use rpc::{Malformed, Rpc, RpcError};
pub use text::Text;
