//! What a consumer's edge costs: a pull of 32 messages, decoded and each body held against its checksum, and bodies
//! inflated.
//!
//! Target: 16 KiB bodies with their checksum at 5 GB/s.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use divan::Bencher;
use divan::counter::BytesCount;
use fusee_core::time::UnixMillis;
use fusee_core::wire::ids::Host;
use fusee_core::wire::message::{Compression, StoredMessage, messages};
use fusee_core::wire::{Properties, Text};
use fusee_engine::codec::{Codecs, body_crc, crc_holds};

fn main() {
    divan::main();
}

const PROPERTIES: &str = "KEYS\u{1}key-0\u{2}UNIQ_KEY\u{1}FD00000000000000000000000000000261014E0E2F2A695F51840000\u{2}WAIT\u{1}true\u{2}TAGS\u{1}TagA\u{2}";

fn pull(body: usize) -> Bytes {
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
        crc: body_crc(&body),
        body,
        properties: Properties::new(Text::from(PROPERTIES)),
    };
    let mut out = BytesMut::new();
    for _ in 0..32 {
        message.encode(&mut out);
    }
    out.freeze()
}

#[divan::bench(args = [1024, 16 * 1024], sample_size = 20)]
fn with_checksums(bencher: Bencher<'_, '_>, body: usize) {
    let pull = pull(body);
    bencher.counter(BytesCount::new(pull.len())).bench_local(|| {
        for message in messages(pull.clone()) {
            let message = message.expect("a whole message");
            assert!(crc_holds(&message));
            black_box(&message);
        }
    });
}

#[divan::bench(args = [4 * 1024, 1024 * 1024], sample_size = 2)]
fn zlib_inflated(bencher: Bencher<'_, '_>, bytes: usize) {
    let plain = "what is written in a log is much like what was written before it; ".repeat(bytes / 64);
    let mut codecs = Codecs::default();
    let small = codecs.deflate(plain.as_bytes(), 5);
    bencher
        .counter(BytesCount::new(plain.len()))
        .bench_local(|| codecs.inflate(Compression::Zlib, &small, 4 << 20).map(|plain| plain.len()));
}
