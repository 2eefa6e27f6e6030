//! What the wire layer costs: the send header and the reply header of a recorded conversation, a pull of 32 messages
//! of 1 KiB, a route of 1,000 queues.
//!
//! Targets: send header encode and reply header decode at most 100 ns binary, 250 ns JSON; a message of a pull at most
//! 100 ns; the route at most 1 ms.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use fusee_core::ids::{BrokerName, Group, Topic};
use fusee_core::time::UnixMillis;
use fusee_core::wire::ids::Host;
use fusee_core::wire::message::{StoredMessage, messages};
use fusee_core::wire::{
    Dialect, Frame, Framer, Header, Properties, PropertyText, Request, Route, Rpc, SendMessage, Text,
    UniqueIds,
};

fn main() {
    divan::main();
}

const DIALECTS: [Dialect; 2] = [Dialect::Json, Dialect::Binary];
const PROPERTIES: &str = "KEYS\u{1}key-0\u{2}UNIQ_KEY\u{1}FD00000000000000000000000000000261014E0E2F2A695F51840000\u{2}WAIT\u{1}true\u{2}TAGS\u{1}TagA\u{2}";
const REPLY: &str = r#"{"code":0,"extFields":{"queueId":"3","transactionId":"FD00000000000000000000000000000261014E0E2F2A695F51840000","msgId":"7F00000100007B0D0000000000001E0D","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"0"},"flag":1,"language":"JAVA","opaque":5,"serializeTypeCurrentRPC":"JSON","version":513}"#;

fn send() -> Request {
    SendMessage {
        group: Group::new("PG_basic").expect("a group"),
        topic: Topic::new("CapBasic").expect("a topic"),
        default_topic: Text::from("TBW102"),
        default_queues: 4,
        queue: 3,
        sys_flag: 0,
        born: UnixMillis(1_795_259_054_468),
        flag: 0,
        properties: Text::from(PROPERTIES),
        reconsume_times: 0,
        unit_mode: false,
        max_reconsume: None,
        batch: false,
        broker: BrokerName::new("broker-a").expect("a name"),
        body: Bytes::from_static(b"payload"),
    }
    .into()
}

#[divan::bench(args = DIALECTS, sample_size = 500)]
fn send_header_encode(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let request = send();
    let mut out = BytesMut::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        black_box(request.encode_head(dialect, 5, false, &mut out)).is_ok()
    });
}

fn reply_header(dialect: Dialect) -> Bytes {
    let header =
        Header::decode(Dialect::Json, Bytes::from_static(REPLY.as_bytes())).expect("a recorded header");
    let mut out = BytesMut::new();
    assert_eq!(header.encode(dialect, 0, &mut out), Ok(dialect));
    out.split_off(8).freeze()
}

#[divan::bench(args = DIALECTS, sample_size = 500)]
fn reply_header_decode(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let header = reply_header(dialect);
    bencher.with_inputs(|| header.clone()).bench_local_values(|header| Header::decode(dialect, header));
}

/// The header and what the machine makes of it: the receipt.
#[divan::bench(args = DIALECTS, sample_size = 500)]
fn reply_read(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let header = Header::decode(dialect, reply_header(dialect)).expect("a header");
    let frame = Frame { header, body: Bytes::new() };
    bencher.bench_local(|| SendMessage::reply(black_box(&frame)));
}

/// A read of 32 replies at once, cut and decoded.
#[divan::bench(args = DIALECTS, sample_size = 500)]
fn frames(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let header = Header::decode(dialect, reply_header(dialect)).expect("a header");
    let mut session = BytesMut::new();
    for _ in 0..32 {
        header.encode(dialect, 0, &mut session).expect("a small header");
    }
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

fn stored(body: usize) -> StoredMessage {
    let host = Host { ip: "127.0.0.1".parse().expect("an address"), port: 10_911 };
    StoredMessage {
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
        body: Bytes::from(vec![b'x'; body]),
        properties: Properties::new(Text::from(PROPERTIES)),
        crc: 0,
    }
}

#[divan::bench(sample_size = 50)]
fn pull_of_32_by_1_kib(bencher: Bencher<'_, '_>) {
    let mut body = BytesMut::new();
    for _ in 0..32 {
        stored(1024).encode(&mut body);
    }
    let body = body.freeze();
    bencher.counter(ItemsCount::new(32_usize)).bench_local(|| {
        for message in messages(body.clone()) {
            black_box(&message).as_ref().expect("a whole message");
        }
    });
}

#[divan::bench(sample_size = 50)]
fn route_of_1000_queues_on_100_brokers(bencher: Bencher<'_, '_>) {
    let brokers = (0..100)
        .map(|at| format!(r#"{{"brokerAddrs":{{"0":"10.0.0.{at}:10911","1":"10.0.1.{at}:10911"}},"brokerName":"broker-{at}","cluster":"DefaultCluster","enableActingMaster":false}}"#))
        .collect::<Vec<_>>()
        .join(",");
    let queues = (0..100)
        .map(|at| format!(r#"{{"brokerName":"broker-{at}","perm":6,"readQueueNums":10,"topicSysFlag":0,"writeQueueNums":10}}"#))
        .collect::<Vec<_>>()
        .join(",");
    let body = format!(r#"{{"brokerDatas":[{brokers}],"filterServerTable":{{}},"queueDatas":[{queues}]}}"#);
    assert!(Route::parse(body.as_bytes()).is_ok_and(|route| route.queues.len() == 100));
    bencher.counter(BytesCount::new(body.len())).bench_local(|| Route::parse(black_box(body.as_bytes())));
}
