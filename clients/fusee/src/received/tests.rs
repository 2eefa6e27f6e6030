//! Replies as brokers make them, whole and damaged.

use bytes::{BufMut, BytesMut};
use fusee_core::ids::{BrokerName, Topic};
use fusee_core::wire::message::flags;
use fusee_core::wire::{Properties, Text};
use fusee_engine::codec::body_crc;

use super::*;

fn queue() -> Queue {
    let topic = Topic::new("orders").expect("a topic");
    Queue { topic, broker: BrokerName::new("broker-a").expect("a name"), queue: 3 }
}

fn stored(offset: i64, body: &[u8]) -> StoredMessage {
    let host = Host { ip: [127, 0, 0, 1].into(), port: 10911 };
    StoredMessage {
        topic: "orders".into(),
        queue: 3,
        queue_offset: offset,
        physical_offset: 1000 + offset,
        flag: 7,
        sys_flag: 0,
        born: UnixMillis(1),
        born_host: host,
        stored: UnixMillis(1000 + offset),
        store_host: host,
        reconsume_times: 0,
        prepared_offset: 0,
        body: Bytes::copy_from_slice(body),
        properties: Properties::new(Text::from(
            "UNIQ_KEY\u{1}ID\u{2}TAGS\u{1}a\u{2}KEYS\u{1}k1 k2\u{2}x\u{1}y\u{2}",
        )),
        crc: body_crc(body),
    }
}

fn pulled(from: i64, messages: &[StoredMessage]) -> Pulled {
    let mut body = BytesMut::new();
    for message in messages {
        message.encode(&mut body);
    }
    let body = body.freeze();
    Pulled { queue: queue(), from, next: 100, min: 0, max: 100, offset_delta: 0, not_before: None, body }
}

fn offsets(decoded: &Decoded) -> Vec<i64> {
    decoded.messages.iter().map(Received::offset).collect()
}

#[test]
fn a_message_shows_what_was_stored() {
    let decoded = Decoder::default().decode(pulled(0, &[stored(5, b"hello")]));
    assert!(decoded.damaged.is_empty());
    let message = &decoded.messages[0];
    assert_eq!(message.text().expect("text"), "hello");
    assert_eq!((message.topic(), message.queue(), message.offset()), ("orders", &queue(), 5));
    assert_eq!((message.id().as_str(), message.tag(), message.property("x")), ("ID", Some("a"), Some("y")));
    assert_eq!(message.keys().collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!((message.flag(), message.attempt()), (7, 1));
    assert_eq!(message.offset_id().to_string(), "7F00000100002A9F00000000000003ED");
    assert_eq!(message.stored(), SystemTime::UNIX_EPOCH + Duration::from_millis(1005));
    assert!(!format!("{message:?}").contains("hello"), "bodies stay out of logs");
}

#[test]
fn what_was_not_asked_for_is_left_out() {
    let reply = pulled(6, &[stored(5, b"a"), stored(6, b"b"), stored(7, b"c")]);
    assert_eq!(offsets(&Decoder::default().decode(reply.clone())), [6, 7]);
    let late = Pulled { not_before: Some(UnixMillis(1007)), ..reply.clone() };
    assert_eq!(offsets(&Decoder::default().decode(late)), [7]);
    let moved = Pulled { offset_delta: 10, ..reply };
    assert_eq!(offsets(&Decoder::default().decode(moved)), [15, 16, 17]);
}

#[test]
fn one_that_cannot_be_read_is_reported_and_costs_no_other() {
    let mut unknown = stored(6, b"b");
    unknown.sys_flag = flags::COMPRESSED | 0x700;
    let mut bomb = stored(7, b"no stream at all");
    bomb.sys_flag = Compression::Zlib.flag();
    let mut flipped = stored(8, b"d");
    flipped.crc ^= 1;
    let decoded =
        Decoder::default().decode(pulled(0, &[stored(5, b"a"), unknown, bomb, flipped, stored(9, b"e")]));
    assert_eq!(offsets(&decoded), [5, 9]);
    let damaged: Vec<_> = decoded.damaged.iter().map(|damaged| (damaged.offset, &damaged.queue)).collect();
    assert_eq!(damaged, [(6, &queue()), (7, &queue()), (8, &queue())]);

    let mut cut = pulled(5, &[stored(5, b"a"), stored(6, b"b")]);
    cut.body.truncate(cut.body.len() - 1);
    let decoded = Decoder::default().decode(cut);
    assert_eq!((offsets(&decoded), decoded.damaged.len()), (vec![5], 1));
}

#[test]
fn compressed_bodies_are_inflated_within_a_bound() {
    let mut codecs = Codecs::default();
    let plain = "the quick brown fox ".repeat(500);
    let mut message = stored(5, &codecs.deflate(plain.as_bytes(), 5));
    message.sys_flag = Compression::Zlib.flag();
    let mut bomb = stored(6, &codecs.deflate(&vec![0; limits::INFLATED_BODY_BYTES + 1], 5));
    bomb.sys_flag = Compression::Zlib.flag();
    let decoded = Decoder::default().decode(pulled(0, &[message, bomb]));
    assert_eq!(decoded.messages[0].text().expect("text"), plain);
    assert_eq!(decoded.damaged[0].offset, 6);
}

#[test]
fn an_inner_batch_is_opened() {
    let mut body = BytesMut::new();
    batch::put_entry(1, b"one", "TAGS\u{1}A\u{2}", &mut body).expect("a small entry");
    batch::put_entry(2, b"two", "", &mut body).expect("a small entry");
    let mut outer = stored(5, &body);
    outer.sys_flag = flags::NEED_UNWRAP | flags::INNER_BATCH;
    let decoded = Decoder::default().decode(pulled(6, &[outer]));
    assert_eq!(offsets(&decoded), [6], "the first was read before");
    assert_eq!(decoded.messages[0].text().expect("text"), "two");
}

#[test]
fn a_reply_of_bombs_is_bounded_as_a_whole() {
    const LARGE: usize = limits::INFLATED_BODY_BYTES;
    let large = Codecs::default().deflate(&vec![0; LARGE], 5);
    let fit = limits::INFLATED_REPLY_BYTES / LARGE;
    let mut replies = vec![stored(5, &large); fit + 2];
    for message in &mut replies {
        message.sys_flag = Compression::Zlib.flag();
    }
    replies.push(stored(6, b"plain"));
    let decoded = Decoder::default().decode(pulled(0, &replies));
    assert_eq!((decoded.messages.len(), decoded.damaged.len()), (fit + 1, 2));
    assert_eq!(decoded.messages[fit].text().expect("text"), "plain");
}

#[test]
fn a_reply_of_larger_bombs_is_given_up_after_some() {
    let bomb = Codecs::default().deflate(&vec![0; limits::INFLATED_BODY_BYTES + 1], 5);
    let tries = limits::INFLATED_REPLY_BYTES / limits::INFLATED_BODY_BYTES;
    let mut replies = vec![stored(5, &bomb); tries + 3];
    for message in &mut replies {
        message.sys_flag = Compression::Zlib.flag();
    }
    replies.push(stored(6, b"plain"));
    let decoded = Decoder::default().decode(pulled(0, &replies));
    assert_eq!(decoded.messages.len(), 1);
    let in_vain = decoded.damaged.iter().filter(|damaged| damaged.why.contains("in vain")).count();
    assert_eq!((decoded.damaged.len(), in_vain), (tries + 3, 3));
}

#[test]
fn a_reply_of_batches_is_bounded_as_a_whole() {
    let mut entries = BytesMut::new();
    for _ in 0..100_000 {
        batch::put_entry(0, b"", "", &mut entries).expect("a small entry");
    }
    let mut outer = stored(5, &Codecs::default().deflate(&entries, 5));
    outer.sys_flag = Compression::Zlib.flag() | flags::NEED_UNWRAP | flags::INNER_BATCH;
    let decoded = Decoder::default().decode(pulled(0, &[outer.clone(), outer.clone(), outer.clone(), outer]));
    assert_eq!((decoded.messages.len(), decoded.damaged.len()), (limits::REPLY_ENTRIES, 2));
}

#[test]
fn text_that_is_none_says_where() {
    let decoded = Decoder::default().decode(pulled(0, &[stored(5, b"ab\xFF")]));
    let error = decoded.messages[0].text().expect_err("no text");
    assert_eq!((&*error.id, error.valid_up_to), ("ID", 2));
}

#[test]
fn times_that_no_clock_can_show_are_no_panic() {
    for millis in [i64::MIN, -1, 0, i64::MAX] {
        let _shown = time(UnixMillis(millis));
    }
    let mut empty = BytesMut::new();
    empty.put_u8(1);
    let reply = Pulled { body: empty.freeze(), ..pulled(0, &[]) };
    assert_eq!(Decoder::default().decode(reply).damaged.len(), 1);
}
