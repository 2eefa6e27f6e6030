//! The same work done by fusee's wire layer and by the public codec crate `rocketmq-protocol`, in turn, in one run; the
//! best of many rounds each, because what disturbs a round only makes it longer.
//!
//! Law: both start from the same bytes or the same typed request, and both end in typed values of what a client needs;
//! where one does more on the way, the table's README says so.

#[path = "../../../core/benches/samples/commands.rs"]
mod commands;
#[path = "../../../core/benches/samples/stored.rs"]
mod stored;

use std::hint::black_box;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use cheetah_string::CheetahString;
use fusee_core::wire::{Dialect, Framer, Request, Route, Rpc, SendMessage, messages};
use rocketmq_protocol::RemotingCommand;
use rocketmq_protocol::protocol::SerializeType;
use rocketmq_protocol::protocol::body::message_codec::decode_message_frame;
use rocketmq_protocol::protocol::header::message_operation_header::send_message_request_header_v2::SendMessageRequestHeaderV2;
use rocketmq_protocol::protocol::header::message_operation_header::send_message_response_header::SendMessageResponseHeader;
use rocketmq_protocol::protocol::route::topic_route_data::TopicRouteData;

/// The shortest time of one call, in nanoseconds, of `ours` and of `theirs`, taken in turn.
fn in_turn(calls: u32, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> [f64; 2] {
    let mut best = [f64::MAX; 2];
    for _ in 0..400 {
        let work: [&mut dyn FnMut(); 2] = [&mut ours, &mut theirs];
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

/// The send of [`commands::send`] in their types.
fn their_send() -> SendMessageRequestHeaderV2 {
    SendMessageRequestHeaderV2 {
        a: CheetahString::from("PG_basic"),
        b: CheetahString::from("CapBasic"),
        c: CheetahString::from_static_str("TBW102"),
        d: 4,
        e: 3,
        f: 0,
        g: 1_795_259_054_468,
        h: 0,
        i: Some(CheetahString::from_static_str(stored::PROPERTIES)),
        j: Some(0),
        k: Some(false),
        l: None,
        m: Some(false),
        n: Some(CheetahString::from("broker-a")),
        topic_request_header: None,
    }
}

fn their_format(dialect: Dialect) -> SerializeType {
    match dialect {
        Dialect::Json => SerializeType::JSON,
        Dialect::Binary => SerializeType::ROCKETMQ,
    }
}

/// From a typed request made anew, as every send makes one, to the bytes before its body.
fn send(dialect: Dialect) -> [f64; 2] {
    let (request, header) = (commands::send(), their_send());
    let (mut out, mut other) = (BytesMut::with_capacity(4096), BytesMut::with_capacity(4096));
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
            let command = command.set_opaque(5).set_serialize_type(their_format(dialect));
            let mut command = command.set_body(Bytes::from_static(b"payload"));
            assert!(command.try_fast_header_encode(&mut other).is_ok());
            black_box(&other);
        },
    )
}

/// The same for a request that stands ready.
fn send_again(dialect: Dialect) -> [f64; 2] {
    let request = Request::from(commands::send());
    let command = RemotingCommand::create_request_command(310, their_send());
    let command = command.set_opaque(5).set_serialize_type(their_format(dialect));
    let mut command = command.set_body(Bytes::from_static(b"payload"));
    let (mut out, mut other) = (BytesMut::with_capacity(4096), BytesMut::with_capacity(4096));
    in_turn(
        500,
        || {
            out.clear();
            assert!(request.encode_head(dialect, 5, false, &mut out).is_ok());
            black_box(&out);
        },
        || {
            other.clear();
            assert!(command.try_fast_header_encode(&mut other).is_ok());
            black_box(&other);
        },
    )
}

/// From received bytes to the receipt of a send.
fn reply(dialect: Dialect) -> [f64; 2] {
    let frame = commands::reply(dialect);
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

/// From the body of a pull to messages, of each the body's length and the client's id read.
fn pull(body: usize) -> [f64; 2] {
    let body = stored::pull(body, |_| 0);
    let each = in_turn(
        50,
        || {
            for message in messages(body.clone()) {
                let message = message.expect("a whole message");
                black_box((message.body.len(), message.unique_id()));
                black_box(&message);
            }
        },
        || {
            let mut rest = body.clone();
            while !rest.is_empty() {
                let message = decode_message_frame(&mut rest).expect("a whole message");
                black_box((message.body.len(), message.properties.get("UNIQ_KEY")));
                black_box(&message);
            }
        },
    );
    each.map(|all| all / stored::MESSAGES as f64)
}

fn route() -> [f64; 2] {
    let body = commands::route();
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
    row("new send request to header bytes, binary", send(Dialect::Binary));
    row("new send request to header bytes, JSON", send(Dialect::Json));
    row("ready send request to header bytes, binary", send_again(Dialect::Binary));
    row("ready send request to header bytes, JSON", send_again(Dialect::Json));
    row("received bytes to receipt of a send, binary", reply(Dialect::Binary));
    row("received bytes to receipt of a send, JSON", reply(Dialect::Json));
    row("a message of a pull of 32 by 1 KiB", pull(1024));
    row("a message of a pull of 32 by 16 KiB", pull(16 * 1024));
    row("route of 1,000 queues on 100 brokers", route());
}
