use super::message::{Stored, batch, crc32, offset_id};
use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn read(bytes: &[u8]) -> Result<(Dialect, Command<'static>), Broken> {
    let mut buffer = BytesMut::from(bytes);
    let frame = split(&mut buffer)?.expect("a whole frame");
    assert!(buffer.is_empty());
    let (dialect, command) = decode(&frame)?;
    Ok((dialect, command.into_owned()))
}

#[test]
fn javas_own_frames_are_read() {
    let (dialect, route) = read(&hex(
        "000000a7 000000a3 7b22636f6465223a3130352c226578744669656c6473223a7b22746f706963223a22546f70696354657374222c\
         226163636570745374616e646172644a736f6e4f6e6c79223a2274727565227d2c22666c6167223a302c226c616e6775616765223a22\
         52555354222c226f7061717565223a312c2273657269616c697a655479706543757272656e74525043223a224a534f4e222c22766572\
         73696f6e223a3437397d",
    ))
    .unwrap();
    assert_eq!((dialect, route.code, route.language, route.version), (Dialect::Json, 105, Some(12), 479));
    assert_eq!(route.field("topic"), Some("TopicTest"));
    assert_eq!(route.opaque, Some(1));

    let query = hex(
        "00000047 01000043 000e 0c 01df 00000002 00000000 00000000 0000002e 000d 636f6e73756d657247726f7570 00000001 \
         67 0005 746f706963 00000001 74 0007 71756575654964 00000001 33",
    );
    let (dialect, command) = read(&query).unwrap();
    assert_eq!((dialect, command.code, command.opaque), (Dialect::Binary, 14, Some(2)));
    assert_eq!(command.field("consumerGroup"), Some("g"));
    let mut again = Vec::new();
    encode(&command, Dialect::Binary, &mut again);
    assert_eq!(again, query);

    let (_, empty) = read(&hex(
        "00000024 01000020 000e 0c 01df 00000002 00000000 00000000 0000000b 0005 746f706963 00000000",
    ))
    .unwrap();
    assert_eq!(empty.field("topic"), None, "an empty value is absent in the binary header");
}

#[test]
fn what_a_server_closes_for_is_broken() {
    let json = |header: &str| {
        let mut frame = Vec::new();
        frame.extend_from_slice(&u32::try_from(header.len() + 4).unwrap().to_be_bytes());
        frame.extend_from_slice(&u32::try_from(header.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(header.as_bytes());
        read(&frame).map(|(_, command)| command)
    };
    for bad in [
        "",
        "null",
        "[]",
        "5",
        "{code:11}",
        "{\"code\":11,,}",
        "{\"language\":99}",
        "{\"extFields\":3}",
        "{\"opaque\":2147483648}",
        "{\"code\":11} x",
    ] {
        assert_eq!(json(bad), Err(Broken::Json), "{bad}");
    }
    let odd = json(
        "{\"code\":\"11\",\"language\":\"FOO\",\"opaque\":null,\"extFields\":{\"a\":5,\"b\":null,\"c\":true}}",
    );
    let odd = odd.unwrap();
    assert_eq!((odd.code, odd.language, odd.opaque), (11, None, None));
    assert_eq!((odd.field("a"), odd.field("b"), odd.field("c")), (Some("5"), None, Some("true")));
    assert_eq!(json("{\"code\":1}").unwrap().opaque, None);

    for (bytes, broken) in [
        ("00000000", Broken::Length(0)),
        ("00000003 000000", Broken::Length(3)),
        ("ffffffff", Broken::Length(-1)),
        ("00fffffd", Broken::Length(0x00FF_FFFD)),
    ] {
        assert_eq!(split(&mut BytesMut::from(&*hex(bytes))), Err(broken));
    }
    assert_eq!(read(&hex("00000004 02000000")).unwrap_err(), Broken::Type(2));
    assert_eq!(read(&hex("00000004 00000001")).unwrap_err(), Broken::HeaderLength(1, 0));
}

#[test]
fn frames_are_the_same_however_the_bytes_arrive() {
    let mut stream = Vec::new();
    for opaque in 0..3 {
        let command =
            Command { code: 34, opaque: Some(opaque), body: Bytes::from_static(b"{}"), ..Command::default() };
        encode(&command, Dialect::Json, &mut stream);
    }
    let mut buffer = BytesMut::new();
    let mut seen = Vec::new();
    for byte in stream {
        buffer.extend_from_slice(&[byte]);
        while let Some(frame) = split(&mut buffer).unwrap() {
            seen.push(decode(&frame).unwrap().1.opaque);
        }
    }
    assert_eq!(seen, [Some(0), Some(1), Some(2)]);
}

#[test]
fn stored_messages_are_laid_out_as_java_does() {
    let vector = hex(
        "0000009d daa320a7 3610a686 00000003 00000000 000000000000002a 00000000075bcd15 00000000 0000018bcfe56800 \
         c0a8010a 0000d431 0000018bcfe56805 0a010203 00002a9f 00000000 0000000000000000 00000005 68656c6c6f 09 \
         546f70696354657374 0034 54414753 01 54616741 02 554e49515f4b4559 01 \
         4330413830313041333033393030303030303030303030303030304130303031 02",
    );
    let mut bytes = Bytes::from(vector.clone());
    let message = Stored::decode(&mut bytes).unwrap();
    assert!(bytes.is_empty());
    assert_eq!((message.queue, message.queue_offset, message.physical_offset), (3, 42, 123_456_789));
    assert_eq!(message.born_host.to_string(), "192.168.1.10:54321");
    assert_eq!(properties::property(&message.properties, "TAGS"), Some("TagA"));
    assert_eq!(offset_id(message.store_host, message.physical_offset), "0A01020300002A9F00000000075BCD15");
    let mut again = Vec::new();
    message.encode(&mut again);
    assert_eq!(again, vector);
    for cut in 0..vector.len() {
        assert_eq!(Stored::decode(&mut Bytes::copy_from_slice(&vector[..cut])), None, "cut at {cut}");
    }
    assert_eq!(crc32(b"hello"), 0x3610_A686);
}

#[test]
fn batches_are_split_as_java_does() {
    let body = hex(
        "0000002e 00000000 00000000 00000007 00000005 68656c6c6f 0013 544147530141 02 554e49515f4b4559015531 02 \
         00000018 00000000 00000000 00000000 00000002 6869 0000",
    );
    let entries = batch(Bytes::from(body.clone())).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[0].flag, &*entries[0].body), (7, &b"hello"[..]));
    assert_eq!(properties::property(&entries[0].properties, "UNIQ_KEY"), Some("U1"));
    assert_eq!((&*entries[1].body, &*entries[1].properties), (&b"hi"[..], ""));
    assert_eq!(batch(Bytes::from(body[..30].to_vec())), None);
}

#[test]
fn property_strings_follow_javas_reader() {
    let text = "KEYS\u{1}k1\u{2}TAGS\u{1}TagA\u{2}EMPTY\u{1}\u{2}\u{1}v\u{2}bare\u{2}X\u{1}a\u{1}b";
    let read: Vec<_> = properties::entries(text).collect();
    assert_eq!(read, [("KEYS", "k1"), ("TAGS", "TagA"), ("X", "a\u{1}b")]);
    assert_eq!(properties::join([("A", "1"), ("B", "2")], true), "A\u{1}1\u{2}B\u{1}2\u{2}");
    assert_eq!(properties::join([("A", "1")], false), "A\u{1}1");
}
