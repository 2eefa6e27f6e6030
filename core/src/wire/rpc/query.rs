//! Finding stored messages by key, id or place.
//!
//! Law: what is found by key is found by a hash of it; the caller compares the keys.
//!
//! Sources: Java `QueryMessageRequestHeader`, `QueryMessageResponseHeader`, `ViewMessageRequestHeader`; wire.md §3.3.

use super::record::{record, rpc};
use super::{Rpc, RpcError, success};
use crate::ids::{BrokerName, Topic};
use crate::time::UnixMillis;
use crate::wire::codes::{RequestCode, ResponseCode};
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::frame::Frame;
use crate::wire::text::Text;

record! {
    /// Asks for messages with a key, or with a unique id (12).
    QueryMessage {
        /// The topic.
        topic: Topic = "topic",
        /// The key or id.
        key: Text = "key",
        /// How many messages at most.
        max: i32 = "maxNum",
        /// Stored not before.
        begin: UnixMillis = "beginTimestamp",
        /// Stored not after.
        end: UnixMillis = "endTimestamp",
        /// `K` for a key, `U` for a unique id, as 5.5.0 wants to be told.
        index_type: Option<Text> = "indexType",
        /// Where a previous answer ended.
        last_key: Option<Text> = "lastKey",
        /// The broker that is meant.
        broker: BrokerName = "bname",
    }
    with {
        /// Whether the key is a unique id.
        unique: bool = false,
    }
}

const UNIQUE: &str = "_UNIQUE_KEY_QUERY";

impl Rpc for QueryMessage {
    const CODE: i32 = RequestCode::QUERY_MESSAGE.0;
    /// When the index was last written; the messages are in the frame's body. `None` when there are none.
    type Reply = Option<UnixMillis>;

    fn fields(&self, out: &mut impl FieldSink) {
        self.write_fields(out);
        out.flag(UNIQUE, self.unique);
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let fields = &frame.header.fields;
        Ok(Self { unique: fields.flag(UNIQUE), ..Self::read_fields(fields)? })
    }

    fn reply(frame: &Frame) -> Result<Option<UnixMillis>, RpcError> {
        if frame.header.code == ResponseCode::QUERY_NOT_FOUND.0 {
            return Ok(None);
        }
        success(frame)?;
        Ok(Some(UnixMillis(frame.header.fields.int("indexLastUpdateTimestamp")?.unwrap_or(0))))
    }
}

rpc! {
    /// Asks for the message at a place in the log (33). It is in the frame's body; none there is code 1.
    ViewMessage = VIEW_MESSAGE_BY_ID -> (), success; {
        /// The topic, for the broker's access check.
        topic: Option<Topic> = "topic",
        /// The place.
        offset: i64 = "offset",
    }
}
