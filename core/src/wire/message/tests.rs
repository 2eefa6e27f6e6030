//! Stored messages: Java's bytes both ways, and what damage does.

use super::*;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Topic TopicTest, body hello, made by 192.168.1.10, stored by 10.1.2.3, as a broker lays it out.
const JAVA: &[u8] = b"\0\0\0\x9d\xda\xa3\x20\xa7\x36\x10\xa6\x86\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\x2a\
    \0\0\0\0\x07\x5b\xcd\x15\0\0\0\0\0\0\x01\x8b\xcf\xe5\x68\0\xc0\xa8\x01\x0a\0\0\xd4\x31\
    \0\0\x01\x8b\xcf\xe5\x68\x05\x0a\x01\x02\x03\0\0\x2a\x9f\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\x05hello\x09TopicTest\0\x34TAGS\x01TagA\x02UNIQ_KEY\x01C0A8010A3039000000000000000A0001\x02";

fn java() -> StoredMessage {
    messages(Bytes::from_static(JAVA)).next().expect("one message").expect("a whole message")
}

fn encoded(message: &StoredMessage) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    out.freeze()
}

#[test]
fn a_message_is_read_and_written_as_java_does() {
    let message = java();
    assert_eq!((message.topic.as_str(), &message.body[..], message.queue), ("TopicTest", &b"hello"[..], 3));
    assert_eq!((message.queue_offset, message.physical_offset), (42, 123_456_789));
    assert_eq!((message.born.0, message.stored.0), (1_700_000_000_000, 1_700_000_000_005));
    assert_eq!(message.born_host.to_string(), "192.168.1.10:54321");
    assert_eq!(message.offset_id().to_string(), "0A01020300002A9F00000000075BCD15");
    assert_eq!(message.unique_id(), Some("C0A8010A3039000000000000000A0001"));
    assert_eq!(message.crc, 0x3610_A686);
    assert_eq!(encoded(&message), JAVA);
}

#[test]
fn wide_hosts_and_long_topics_read_back() {
    let mut message = java();
    message.born_host = Host { ip: "2001:db8::1".parse().expect("an address"), port: 54_321 };
    message.store_host = Host { ip: "2001:db8::2".parse().expect("an address"), port: 10_911 };
    message.sys_flag = flags::BORN_HOST_V6 | flags::STORE_HOST_V6;
    assert_eq!(encoded(&message).len(), 181);
    message.topic = Text::from("%RETRY%".to_string() + &"g".repeat(200));
    let bytes = encoded(&message);
    assert_eq!(messages(bytes.clone()).collect::<Vec<_>>(), [Ok(message)]);
    assert_eq!(bytes[4..8], MAGIC_V2.to_be_bytes());
}

#[test]
fn messages_behind_each_other_keep_to_themselves() {
    let mut table = [java(), java(), java()];
    table[0].body = Bytes::from_static(b"a longer body");
    table[1].topic = Text::from("Another");
    table[2].properties = Properties::new(Text::from("KEYS\u{1}k\u{2}"));
    let body = Bytes::from(table.iter().map(encoded).collect::<Vec<_>>().concat());
    assert_eq!(messages(body).collect::<Vec<_>>(), table.map(Ok));
}

#[test]
fn a_damaged_message_costs_no_other() {
    let good = java();
    // What is broken where, and whether the size still leads to the next message.
    let table: [(usize, &[u8], bool); 7] = [
        (4, &[0xcb, 0xd4, 0x31, 0x94], false),
        (84, &[0, 0, 1, 0], false),
        (84, &[0xff, 0xff, 0xff, 0xff], false),
        (93, &[0xff], false),
        (103, &[0x7f, 0xff], false),
        (0, &[0, 0, 0, 90], true),
        (0, &[0x7f, 0xff, 0xff, 0xff], true),
    ];
    for (at, wrong, rest_lost) in table {
        let mut bytes = BytesMut::from(JAVA);
        bytes.extend_from_slice(JAVA);
        bytes[JAVA.len() + at..JAVA.len() + at + wrong.len()].copy_from_slice(wrong);
        bytes.extend_from_slice(JAVA);
        let read = messages(bytes.freeze()).collect::<Vec<_>>();
        assert_eq!(read[0].as_ref(), Ok(&good));
        let damaged = read[1].as_ref().expect_err("the damage");
        assert_eq!((damaged.at, damaged.rest_lost), (JAVA.len(), rest_lost), "{damaged}");
        if rest_lost {
            assert_eq!((read.len(), damaged.bytes.len()), (2, 2 * JAVA.len()));
        } else {
            assert_eq!((read.len(), read[2].as_ref()), (3, Ok(&good)), "{damaged}");
            assert_eq!(damaged.queue_offset, (at != 4).then_some(42));
        }
    }
}

#[test]
fn every_cut_is_one_damage() {
    for length in 1..JAVA.len() {
        let read = messages(Bytes::copy_from_slice(&JAVA[..length])).collect::<Vec<_>>();
        assert!(matches!(&read[..], [Err(damaged)] if damaged.rest_lost && damaged.bytes.len() == length));
    }
    assert_eq!(messages(Bytes::new()).next(), None);
}

#[test]
fn messages_are_bounded() {
    let body = Bytes::from(JAVA.repeat(limits::MESSAGES_PER_BODY + 2));
    let (mut whole, mut damaged) = (0, Vec::new());
    for message in messages(body) {
        message.map_or_else(|damage| damaged.push(damage), |_| whole += 1);
    }
    assert_eq!(whole, limits::MESSAGES_PER_BODY);
    assert!(matches!(&damaged[..], [one] if one.rest_lost && one.bytes.len() == 2 * JAVA.len()));
}

#[test]
fn compression_is_three_bits() {
    let of = |bits| Compression::of(bits | flags::COMPRESSED);
    assert_eq!(Compression::of(0x300), Ok(None));
    assert_eq!((of(0), of(0x300)), (Ok(Some(Compression::Zlib)), Ok(Some(Compression::Zlib))));
    assert_eq!((of(0x100), of(0x200)), (Ok(Some(Compression::Lz4)), Ok(Some(Compression::Zstd))));
    assert_eq!((of(0x400), of(0x700)), (Err(4), Err(7)));
    for kind in [Compression::Zlib, Compression::Lz4, Compression::Zstd] {
        assert_eq!(Compression::of(kind.flag()), Ok(Some(kind)));
    }
}
