//! Frames, headers, bodies.

use bytes::{Bytes, BytesMut};
use fusee_core::wire::message::Compression;
use fusee_core::wire::rpc::pop::PopMessage;
use fusee_core::wire::rpc::running::ConsumedDirectly;
use fusee_core::wire::{
    Damaged, Dialect, Fields, Frame, FrameError, Framer, GetRoute, Header, Kind, Language, PullMessage,
    Pushed, Request, RequestCode, Rpc, SendMessage, Text, batch as batches, body, message,
};
use fusee_engine::codec::{Codecs, InflateError};
use fusee_sim::codec as independent;

/// See `targets/frames.rs`.
pub fn frames(bytes: &[u8]) {
    let (whole, error, pending) = read(bytes, bytes.len().max(1));
    if error.is_none() {
        let taken: usize = whole.iter().map(|(_, size)| size).sum();
        assert_eq!(taken + pending, bytes.len(), "every byte is in a frame or waits");
    }
    let seed =
        bytes.iter().fold(7_usize, |seed, &byte| seed.wrapping_mul(31).wrapping_add(usize::from(byte)));
    for piece in [1, 3, seed % 61 + 1, seed % 997 + 1] {
        let (frames, cut_error, cut_pending) = read(bytes, piece);
        assert_eq!(frames, whole, "in pieces of {piece}");
        assert_eq!(cut_error, error, "in pieces of {piece}");
        assert!(error.is_some() || cut_pending == pending);
    }
}

type Read = (Vec<(Frame, usize)>, Option<FrameError>, usize);

fn read(bytes: &[u8], piece: usize) -> Read {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        let buffer = framer.spare(piece.len());
        assert!(buffer.capacity() <= 4 * (bytes.len() + 4096), "room follows what came");
        buffer.extend_from_slice(piece);
        loop {
            let before = framer.pending();
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push((frame, before - framer.pending())),
                Ok(None) => break,
                Err(error) => return (frames, Some(error), 0),
            }
        }
    }
    let pending = framer.pending();
    (frames, None, pending)
}

/// See `targets/header_json.rs`.
pub fn header_json(bytes: &[u8]) {
    if let Ok(header) = Header::decode(Dialect::Json, Bytes::copy_from_slice(bytes)) {
        survives(&header, &Bytes::new());
    }
}

/// See `targets/header_binary.rs`.
pub fn header_binary(bytes: &[u8]) {
    if let Ok(header) = Header::decode(Dialect::Binary, Bytes::copy_from_slice(bytes)) {
        survives(&header, &Bytes::new());
    }
}

/// A header means the same after a journey in either encoding, to us and to a decoder that shares no code with ours.
fn survives(header: &Header, body: &Bytes) {
    for dialect in [Dialect::Json, Dialect::Binary] {
        let mut out = BytesMut::new();
        // A header at the bound of what is read can be past it when it is escaped.
        let Ok(used) = header.encode(dialect, body.len(), &mut out) else { continue };
        out.extend_from_slice(body);
        let (frames, error, _) = read(&out, out.len());
        assert_eq!(error, None, "{header:?}");
        let [(frame, _)] = &frames[..] else { panic!("one frame") };
        let known = header.language.name().is_some();
        let expected = Header {
            language: if known { header.language } else { frame.header.language },
            ..header.clone()
        };
        assert_eq!(frame.header, expected, "{used:?}");
        assert_eq!(frame.body, *body);
        agrees(header, body, &mut out);
    }
}

fn agrees(header: &Header, body: &Bytes, out: &mut BytesMut) {
    let frame = independent::split(out).expect("a length").expect("a whole frame");
    let (_, command) = independent::decode(&frame).expect("a header that a server takes");
    assert_eq!((command.code, command.opaque), (header.code, Some(header.opaque)));
    assert_eq!(command.version, header.version);
    assert_eq!(command.flag, header.kind.flag());
    assert_eq!(command.remark.as_deref(), header.remark.as_deref());
    assert_eq!(command.body, *body);
    for (key, value) in header.fields.iter() {
        assert_eq!(command.field(key), Some(value), "{key}");
    }
    let count = command.fields.as_ref().map_or(0, |fields| fields.0.len());
    assert_eq!(count, header.fields.iter().count());
}

/// See `targets/encoder.rs`. The bytes are numbers and lengths of texts, then the texts.
pub fn encoder(bytes: &[u8]) {
    let Some((&[code, opaque, kind, version, count], mut rest)) = bytes.split_first_chunk::<5>() else {
        return;
    };
    let mut take = |most: usize| {
        let length =
            rest.first().map_or(0, |&length| usize::from(length)).min(most).min(rest.len().saturating_sub(1));
        let (text, after) =
            rest.get(1..).unwrap_or_default().split_at(length.min(rest.len().saturating_sub(1)));
        rest = after;
        String::from_utf8_lossy(text).into_owned()
    };
    let remark = take(200);
    let pairs =
        (0..count % 24).map(|_| (take(40), take(255))).filter(|(key, _)| !key.is_empty()).collect::<Vec<_>>();
    let mut unique = std::collections::BTreeMap::new();
    unique.extend(pairs);
    let header = Header {
        kind: Kind::of(i32::from(kind)),
        code: i32::from(code).wrapping_mul(0x0101_0101),
        language: Language::RUST,
        version: i32::from(version),
        opaque: i32::from(opaque).wrapping_mul(-0x0101_0101),
        remark: (!remark.is_empty()).then(|| Text::from(remark)),
        fields: Fields::from_pairs(unique.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
    };
    survives(&header, &Bytes::copy_from_slice(rest));
}

/// Walks the pieces of a body, whole or damaged, and hands out each whole one with the bytes it was read from.
fn covers<T>(
    whole: &Bytes,
    pieces: impl Iterator<Item = Result<T, Damaged>>,
    mut each: impl FnMut(T, Bytes),
) {
    let mut at = 0;
    let mut lost = false;
    for piece in pieces {
        assert!(!lost, "nothing comes after the rest is lost");
        match piece {
            Ok(piece) => {
                let size =
                    whole[at..].first_chunk::<4>().map(|size| i32::from_be_bytes(*size)).expect("a size");
                let end = at + usize::try_from(size).expect("a size above zero");
                each(piece, whole.slice(at..end));
                at = end;
            }
            Err(damaged) => {
                assert_eq!(damaged.at, at);
                assert_eq!(damaged.bytes, whole[at..at + damaged.bytes.len()]);
                at += damaged.bytes.len();
                lost = damaged.rest_lost;
            }
        }
    }
    assert_eq!(at, whole.len(), "no byte is skipped");
}

/// See `targets/messages.rs`.
pub fn messages(bytes: &[u8]) {
    let whole = Bytes::copy_from_slice(bytes);
    covers(&whole, message::messages(whole.clone()), |read, piece| {
        let mut out = BytesMut::new();
        read.encode(&mut out);
        let again = message::messages(out.freeze()).next().expect("a message").expect("a whole message");
        assert_eq!(again, read);
        let mut rest = piece;
        // The independent decoder is as strict as Java; what both take must be the same.
        if let Some(theirs) = independent::message::Stored::decode(&mut rest) {
            assert_eq!(theirs.queue_offset, read.queue_offset);
            assert_eq!(theirs.body, read.body);
        }
    });
}

/// See `targets/batch.rs`.
pub fn batch(bytes: &[u8]) {
    let whole = Bytes::copy_from_slice(bytes);
    let mut entries = Vec::new();
    covers(&whole, batches::entries(whole.clone()), |entry, _| entries.push(entry));
    let mut out = BytesMut::new();
    for entry in &entries {
        batches::put_entry(entry.flag, &entry.body, entry.properties.encoded(), &mut out)
            .expect("it was read");
    }
    let again = batches::entries(out.freeze()).collect::<Result<Vec<_>, _>>().expect("what was written");
    assert_eq!(again, entries);
    for outer in message::messages(whole).filter_map(Result::ok) {
        let inner = batches::unwrap(&outer, outer.body.clone());
        for (index, inner) in (0_i64..).zip(inner) {
            let Ok(inner) = inner else { continue };
            assert_eq!(inner.queue_offset, outer.queue_offset.saturating_add(index));
        }
    }
}

/// See `targets/bodies.rs`.
pub fn bodies(bytes: &[u8]) {
    const NODES: usize = 4096;
    if let Ok(standard) = body::standard(bytes, NODES) {
        assert!(standard.len() <= 2 * bytes.len() + 2, "{} from {}", standard.len(), bytes.len());
        let again = body::standard(&standard, NODES).expect("what is standard");
        assert_eq!(again, standard, "standard means standard");
    }
    let frame = reply(bytes);
    let understood = RequestCode::ALL.iter().filter_map(|code| Request::check_reply(code.0, &frame));
    assert!(understood.count() > 90, "every type was asked");
    if let Ok(told) = ConsumedDirectly::parse(bytes) {
        assert_eq!(ConsumedDirectly::parse(&told.body()).as_ref(), Ok(&told), "it reads back");
    }
    if let Ok(route) = GetRoute::reply(&frame) {
        let queues: i64 = route.queues.iter().map(|queue| i64::from(queue.read.max(queue.write))).sum();
        assert!(queues <= 65_536 && route.brokers.len() <= 1_024);
    }
}

fn reply(body: &[u8]) -> Frame {
    let header = Header {
        kind: Kind::Response,
        code: 0,
        language: Language::JAVA,
        version: 513,
        opaque: 1,
        remark: None,
        fields: Fields::default(),
    };
    Frame { header, body: Bytes::copy_from_slice(body) }
}

/// See `targets/inflate.rs`. The first byte chooses the codec.
pub fn inflate(bytes: &[u8]) {
    const LIMIT: usize = 64 * 1024;
    let Some((&kind, body)) = bytes.split_first() else { return };
    let kind = [Compression::Zlib, Compression::Lz4, Compression::Zstd][usize::from(kind % 3)];
    let mut codecs = Codecs::default();
    let first = codecs.inflate(kind, body, LIMIT);
    match &first {
        Ok(plain) => {
            assert!(plain.len() <= LIMIT);
            if !plain.is_empty() {
                let limit = plain.len() - 1;
                assert!(matches!(codecs.inflate(kind, body, limit), Err(InflateError::TooLarge { .. })));
            }
        }
        Err(InflateError::TooLarge { limit }) => assert_eq!(*limit, LIMIT),
        Err(InflateError::Damaged(_)) => {}
    }
    assert_eq!(codecs.inflate(kind, body, LIMIT), first, "what came before leaves no trace");
    let small = codecs.deflate(body, 1);
    assert_eq!(codecs.inflate(Compression::Zlib, &small, body.len()).as_deref(), Ok(body));
}

/// See `targets/pushed.rs`.
pub fn pushed(bytes: &[u8]) {
    let (frames, _, _) = read(bytes, bytes.len().max(1));
    for (frame, _) in frames {
        let pushed = Pushed::read(&frame);
        let known = [39, 40, 220, 221, 307, 309, 326].contains(&frame.header.code);
        assert!(known || matches!(pushed, Ok(Pushed::Unknown(_))), "what is not known is no error");
        if let Ok(request) = Request::read(&frame) {
            assert_eq!(Request::read(&written(&request)).as_ref(), Ok(&request), "it reads back");
        }
        let _: [bool; 3] = [
            SendMessage::reply(&frame).is_ok(),
            PullMessage::reply(&frame).is_ok(),
            PopMessage::reply(&frame).is_ok(),
        ];
    }
}

fn written(request: &Request) -> Frame {
    let mut out = BytesMut::new();
    request.encode(Dialect::Json, 1, false, &mut out).expect("it came in a frame");
    let (frames, error, _) = read(&out, out.len());
    assert_eq!(error, None);
    frames.into_iter().next().expect("a frame").0
}
