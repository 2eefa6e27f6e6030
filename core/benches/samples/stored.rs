//! What a broker answers a pull with, for every bench that reads such an answer.

use bytes::{Bytes, BytesMut};
use fusee_core::time::UnixMillis;
use fusee_core::wire::ids::Host;
use fusee_core::wire::message::StoredMessage;
use fusee_core::wire::{Properties, Text};

/// The properties of a message of a recorded conversation.
pub(crate) const PROPERTIES: &str = "KEYS\u{1}key-0\u{2}UNIQ_KEY\u{1}FD00000000000000000000000000000261014E0E2F2A695F51840000\u{2}WAIT\u{1}true\u{2}TAGS\u{1}TagA\u{2}";

/// How many messages a pull holds: what Java's consumer asks for.
pub(crate) const MESSAGES: usize = 32;

/// A pull of messages with bodies of that size.
pub(crate) fn pull(body: usize, crc: impl Fn(&[u8]) -> u32) -> Bytes {
    let host = Host { ip: "127.0.0.1".parse().expect("an address"), port: 10_911 };
    let body = Bytes::from((0..body).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect::<Vec<_>>());
    let message = StoredMessage {
        topic: Text::from("TopicTest"),
        queue: 3,
        queue_offset: 42,
        physical_offset: 123_456_789,
        flag: 0,
        sys_flag: 0,
        born: UnixMillis(1_795_259_054_468),
        born_host: host,
        stored: UnixMillis(1_795_259_054_470),
        store_host: host,
        reconsume_times: 0,
        prepared_offset: 0,
        crc: crc(&body),
        body,
        properties: Properties::new(Text::from(PROPERTIES)),
    };
    let mut out = BytesMut::new();
    for _ in 0..MESSAGES {
        message.encode(&mut out);
    }
    out.freeze()
}
