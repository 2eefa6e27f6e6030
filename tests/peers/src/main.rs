//! The same work done by fusee's wire layer and by the public codec crate `rocketmq-protocol`, in turn, in one run; the
//! best of many rounds each, because what disturbs a round only makes it longer.
//!
//! Both start from a typed request that is made anew each time, and both end in typed values of what a client needs.

use std::hint::black_box;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use cheetah_string::CheetahString;
use fusee_core::ids::{BrokerName, Group, Topic};
use fusee_core::time::UnixMillis;
use fusee_core::wire::{Dialect, Framer, Header, Request, Route, Rpc, SendMessage, Text};
use rocketmq_protocol::RemotingCommand;
use rocketmq_protocol::protocol::header::message_operation_header::send_message_request_header_v2::SendMessageRequestHeaderV2;
use rocketmq_protocol::protocol::header::message_operation_header::send_message_response_header::SendMessageResponseHeader;
use rocketmq_protocol::protocol::route::topic_route_data::TopicRouteData;
use rocketmq_protocol::protocol::{RemotingDeserializable, SerializeType};

const PROPERTIES: &str = "KEYS\u{1}key-0\u{2}UNIQ_KEY\u{1}FD00000000000000000000000000000261014E0E2F2A695F51840000\u{2}WAIT\u{1}true\u{2}TAGS\u{1}TagA\u{2}";
const REPLY: &str = r#"{"code":0,"extFields":{"queueId":"3","transactionId":"FD00000000000000000000000000000261014E0E2F2A695F51840000","msgId":"7F00000100007B0D0000000000001E0D","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"0"},"flag":1,"language":"JAVA","opaque":5,"serializeTypeCurrentRPC":"JSON","version":513}"#;

/// The shortest time of one call, in nanoseconds, of `a` and of `b`, taken in turn.
fn in_turn(calls: u32, mut a: impl FnMut(), mut b: impl FnMut()) -> [f64; 2] {
    let mut best = [f64::MAX; 2];
    for _ in 0..400 {
        let work: [&mut dyn FnMut(); 2] = [&mut a, &mut b];
        for (best, work) in best.iter_mut().zip(work) {
            let begin = Instant::now();
            for _ in 0..calls {
                work();
            }
            *best = best.min(begin.elapsed().as_nanos() as f64 / f64::from(calls));
        }
    }
    best
}

fn row(name: &str, [ours, theirs]: [f64; 2]) {
    println!("| {name} | {ours:.0} | {theirs:.0} | {:.1} |", theirs / ours);
}

fn ours() -> SendMessage {
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
}

fn theirs() -> SendMessageRequestHeaderV2 {
    SendMessageRequestHeaderV2 {
        a: CheetahString::from("PG_basic"),
        b: CheetahString::from("CapBasic"),
        c: CheetahString::from_static_str("TBW102"),
        d: 4,
        e: 3,
        f: 0,
        g: 1_795_259_054_468,
        h: 0,
        i: Some(CheetahString::from_static_str(PROPERTIES)),
        j: Some(0),
        k: Some(false),
        l: None,
        m: Some(false),
        n: Some(CheetahString::from("broker-a")),
        topic_request_header: None,
    }
}

fn send(dialect: Dialect) -> [f64; 2] {
    let (request, header) = (ours(), theirs());
    let (mut out, mut other) = (BytesMut::with_capacity(4096), BytesMut::with_capacity(4096));
    let format = if dialect == Dialect::Json { SerializeType::JSON } else { SerializeType::ROCKETMQ };
    in_turn(
        500,
        || {
            out.clear();
            let request = Request::from(request.clone());
            assert!(request.encode_head(dialect, 5, false, &mut out).is_ok());
            black_box(&out);
        },
        || {
            other.clear();
            let command = RemotingCommand::create_request_command(310, header.clone());
            let mut command = command.set_opaque(5).set_serialize_type(format).set_body(Bytes::from_static(b"payload"));
            assert!(command.try_fast_header_encode(&mut other).is_ok());
            black_box(&other);
        },
    )
}

fn reply(dialect: Dialect) -> [f64; 2] {
    let header = Header::decode(Dialect::Json, Bytes::from_static(REPLY.as_bytes())).expect("a header");
    let mut frame = BytesMut::new();
    assert_eq!(header.encode(dialect, 0, &mut frame), Ok(dialect));
    let frame = frame.freeze();
    let mut framer = Framer::default();
    in_turn(
        500,
        || {
            framer.spare(frame.len()).extend_from_slice(&frame);
            let reply = framer.next_frame().expect("a frame").expect("whole");
            black_box(SendMessage::reply(&reply).expect("a receipt"));
        },
        || {
            let mut bytes = BytesMut::from(&frame[..]);
            let reply = RemotingCommand::decode(&mut bytes).expect("a frame").expect("whole");
            let receipt = reply.decode_command_custom_header_fast::<SendMessageResponseHeader>();
            black_box(receipt.expect("a receipt"));
        },
    )
}

fn route() -> [f64; 2] {
    let brokers = (0..100).map(|at| format!(r#"{{"brokerAddrs":{{"0":"10.0.0.{at}:10911","1":"10.0.1.{at}:10911"}},"brokerName":"broker-{at}","cluster":"DefaultCluster","enableActingMaster":false}}"#));
    let queues = (0..100).map(|at| format!(r#"{{"brokerName":"broker-{at}","perm":6,"readQueueNums":10,"topicSysFlag":0,"writeQueueNums":10}}"#));
    let (brokers, queues) = (brokers.collect::<Vec<_>>().join(","), queues.collect::<Vec<_>>().join(","));
    let body = format!(r#"{{"brokerDatas":[{brokers}],"filterServerTable":{{}},"queueDatas":[{queues}]}}"#);
    in_turn(
        5,
        || {
            black_box(Route::parse(body.as_bytes()).expect("a route"));
        },
        || {
            black_box(TopicRouteData::decode(body.as_bytes()).expect("a route"));
        },
    )
}

fn main() {
    println!("| work | fusee, ns | rocketmq-protocol 1.0, ns | ratio |\n|---|---:|---:|---:|");
    row("send request to header bytes, binary", send(Dialect::Binary));
    row("send request to header bytes, JSON", send(Dialect::Json));
    row("frame to receipt of a send, binary", reply(Dialect::Binary));
    row("frame to receipt of a send, JSON", reply(Dialect::Json));
    row("route of 1,000 queues on 100 brokers", route());
}
