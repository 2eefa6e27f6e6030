//! What the wire layer costs: the send header and the reply header of a recorded conversation, a pull of 32 messages
//! of 1 KiB, a route of 1,000 queues.
//!
//! Targets: send header encode and reply header decode at most 100 ns binary, 250 ns JSON; a message of a pull at most
//! 100 ns; the route at most 1 ms. What was measured stands in `README.md` beside this file.

#[path = "samples/commands.rs"]
mod commands;
#[path = "samples/stored.rs"]
mod stored;

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use commands::{reply, route, send};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use fusee_core::time::UnixMillis;
use fusee_core::wire::frame::FrameHead;
use fusee_core::wire::message::messages;
use fusee_core::wire::{
    Dialect, Frame, Framer, Header, PropertyText, Request, Route, Rpc, SendMessage, UniqueIds,
};
use stored::{MESSAGES, pull};

fn main() {
    divan::main();
}

const DIALECTS: [Dialect; 2] = [Dialect::Json, Dialect::Binary];

#[divan::bench(args = DIALECTS, sample_size = 500)]
fn send_header_encode(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let request = Request::from(send());
    let mut out = BytesMut::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        black_box(request.encode_head(dialect, 5, false, &mut out)).is_ok()
    });
}

/// The header made and let go again, as it happens for every reply.
#[divan::bench(args = DIALECTS, sample_size = 500)]
fn reply_header_decode(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let header = reply(dialect).slice(FrameHead::BYTES..);
    bencher.bench_local(|| black_box(Header::decode(dialect, header.clone())).is_ok());
}

/// What the machine makes of a header: the receipt.
#[divan::bench(args = DIALECTS, sample_size = 500)]
fn reply_read(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let header = reply(dialect).slice(FrameHead::BYTES..);
    let frame = Frame { header: Header::decode(dialect, header).expect("a header"), body: Bytes::new() };
    bencher.bench_local(|| SendMessage::reply(black_box(&frame)));
}

/// A read of 32 replies at once, cut and decoded.
#[divan::bench(args = DIALECTS, sample_size = 500)]
fn frames(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let session = reply(dialect).repeat(32);
    let mut framer = Framer::default();
    bencher.counter(ItemsCount::new(32_usize)).bench_local(|| {
        framer.spare(64 * 1024).extend_from_slice(&session);
        while let Ok(Some(frame)) = framer.next_frame() {
            black_box(frame);
        }
    });
}

#[divan::bench(sample_size = 50)]
fn properties_and_id(bencher: Bencher<'_, '_>) {
    let ids = UniqueIds::new("192.168.1.10".parse().expect("an address"), 12_345, 7);
    let mut counter = 0_u16;
    bencher.bench_local(|| {
        counter = counter.wrapping_add(1);
        let id = ids.id(UnixMillis(1_795_259_054_468), counter).hex();
        let mut text = PropertyText::new();
        let written = text.put("UNIQ_KEY", id.as_str()).and_then(|()| text.put("WAIT", "true"));
        (text.put("TAGS", "TagA").and(written), text.finish())
    });
}

#[divan::bench(sample_size = 50)]
fn pull_of_32_by_1_kib(bencher: Bencher<'_, '_>) {
    let body = pull(1024, |_| 0);
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for message in messages(body.clone()) {
            black_box(&message).as_ref().expect("a whole message");
        }
    });
}

#[divan::bench(sample_size = 50)]
fn route_of_1000_queues_on_100_brokers(bencher: Bencher<'_, '_>) {
    let body = route();
    assert!(Route::parse(body.as_bytes()).is_ok_and(|route| route.queues.len() == 100));
    bencher.counter(BytesCount::new(body.len())).bench_local(|| Route::parse(black_box(body.as_bytes())));
}
