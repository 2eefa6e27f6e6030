//! What a consumer's edge costs: a pull of 32 messages, decoded and each body held against its checksum, and bodies
//! inflated.
//!
//! Target: 16 KiB bodies with their checksum at 5 GB/s.

#[path = "../../../core/benches/samples/stored.rs"]
mod stored;

use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use fusee_core::wire::message::{Compression, messages};
use fusee_engine::codec::{Codecs, body_crc, crc_holds};

fn main() {
    divan::main();
}

#[divan::bench(args = [1024, 16 * 1024], sample_size = 20)]
fn with_checksums(bencher: Bencher<'_, '_>, body: usize) {
    let pull = stored::pull(body, body_crc);
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
