//! Random inputs from a seed: every property on broken copies of the corpus, and every request type on random fields.
//! The seed and the counts are printed; `FUSEE_SEED` repeats a run, `FUSEE_ROUNDS` makes it longer.

use std::path::Path;

use bytes::BytesMut;
use fusee_core::rng::Rng;
use fusee_core::wire::{Dialect, Fields, Frame, Framer, Header, Kind, Language, Request, RequestCode};
use fusee_fuzz::PROPERTIES;

fn seed() -> u64 {
    let seed = std::env::var("FUSEE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    println!("FUSEE_SEED={seed}");
    seed
}

#[test]
fn broken_copies_of_the_corpus_keep_every_property() {
    let mut rng = Rng::new(seed());
    let rounds = std::env::var("FUSEE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_u32);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, property) in PROPERTIES {
        let mut files = std::fs::read_dir(corpus.join(name))
            .unwrap_or_else(|error| panic!("the corpus of {name}: {error}"))
            .map(|entry| entry.expect("an entry").path())
            .collect::<Vec<_>>();
        files.sort();
        let mut runs = 0_u64;
        for path in files {
            let whole = std::fs::read(path).expect("an input");
            for _ in 0..rounds {
                let mut bytes = whole.clone();
                for _ in 0..=rng.below(3) {
                    mutate(&mut bytes, &mut rng);
                }
                property(&bytes);
                runs += 1;
            }
        }
        println!("{name}: {runs} runs");
    }
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(u32::try_from(bound).unwrap_or(u32::MAX))).unwrap_or(0)
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', 2];
    if bytes.is_empty() {
        bytes.push(EDGES[below(rng, 8)]);
        return;
    }
    let at = below(rng, bytes.len());
    match rng.below(5) {
        0 => bytes[at] = EDGES[below(rng, 8)],
        1 => bytes[at] ^= 1 << rng.below(8),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, EDGES[below(rng, 8)]),
        _ => {
            let end = at + below(rng, bytes.len() - at);
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// Every key that any request has.
const KEYS: [&str; 74] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "i",
    "j",
    "k",
    "l",
    "m",
    "n",
    "bname",
    "consumerGroup",
    "topic",
    "queueId",
    "queueOffset",
    "maxMsgNums",
    "sysFlag",
    "commitOffset",
    "suspendTimeoutMillis",
    "subscription",
    "subVersion",
    "expressionType",
    "maxMsgBytes",
    "timestamp",
    "boundaryType",
    "setZeroIfNotFound",
    "clientID",
    "producerGroup",
    "clientId",
    "jstackEnable",
    "offset",
    "group",
    "delayLevel",
    "originMsgId",
    "originTopic",
    "unitMode",
    "maxReconsumeTimes",
    "tranStateTableOffset",
    "commitLogOffset",
    "commitOrRollback",
    "fromTransactionCheck",
    "msgId",
    "transactionId",
    "key",
    "maxNum",
    "beginTimestamp",
    "endTimestamp",
    "indexType",
    "lastKey",
    "_UNIQUE_KEY_QUERY",
    "invisibleTime",
    "pollTime",
    "bornTime",
    "initMode",
    "expType",
    "exp",
    "order",
    "attemptId",
    "extraInfo",
    "suspend",
    "defaultTopic",
    "readQueueNums",
    "writeQueueNums",
    "perm",
    "topicFilterType",
    "groupName",
    "cleanOffset",
    "recallHandle",
    "isForce",
    "cluster",
];

#[test]
fn every_request_type_reads_back_in_both_encodings() {
    let mut rng = Rng::new(seed());
    let mut typed = 0;
    for code in RequestCode::ALL {
        let mut read = 0;
        for _ in 0..50 {
            let values = KEYS.map(|key| (key, value(key, &mut rng)));
            let pairs = values.iter().filter(|(_, value)| !value.is_empty());
            let fields = Fields::from_pairs(pairs.map(|(key, value)| (*key, value.as_str())));
            let Ok(request) = Request::read(&frame(code.0, fields)) else { continue };
            if let Request::Raw(_) = request {
                break;
            }
            read += 1;
            for dialect in [Dialect::Json, Dialect::Binary] {
                let mut out = BytesMut::new();
                let used = request.encode(dialect, 7, false, &mut out).expect("small fields");
                assert!(used == dialect || i16::try_from(request.code()).is_err(), "{request:?}");
                let mut framer = Framer::default();
                framer.spare(out.len()).extend_from_slice(&out);
                let again = framer.next_frame().expect("a frame").expect("a whole frame");
                assert_eq!(Request::read(&again).as_ref(), Ok(&request));
            }
        }
        typed += usize::from(read > 0);
    }
    println!("{typed} request types");
    assert!(typed >= 30, "{typed} types were read at all");
}

fn frame(code: i32, fields: Fields) -> Frame {
    let (kind, language) = (Kind::Request, Language::RUST);
    let header = Header { kind, code, language, version: 479, opaque: 7, remark: None, fields };
    Frame { header, body: bytes::Bytes::new() }
}

fn value(key: &str, rng: &mut Rng) -> String {
    const TEXTS: [&str; 6] = ["T", "TopicTest", "%RETRY%g", "broker-a", "x\u{1}y\u{2}", "中文\"\\"];
    const NAMES: [&str; 3] = ["TopicTest", "%RETRY%g", "broker-a"];
    let named = ["opic", "roup", "a", "b", "n", "bname", "client", "defaultTopic"];
    match key {
        "unitMode"
        | "order"
        | "suspend"
        | "isForce"
        | "cleanOffset"
        | "jstackEnable"
        | "fromTransactionCheck"
        | "k"
        | "m" => ["true", "false"][below(rng, 2)].to_owned(),
        "setZeroIfNotFound" | "_UNIQUE_KEY_QUERY" => ["true", "false", ""][below(rng, 3)].to_owned(),
        "boundaryType" => ["LOWER", "UPPER"][below(rng, 2)].to_owned(),
        "subscription" | "expressionType" | "c" | "i" | "msgId" | "transactionId" | "originMsgId"
        | "originTopic" | "key" | "indexType" | "lastKey" | "expType" | "exp" | "attemptId" | "extraInfo"
        | "topicFilterType" | "recallHandle" | "cluster" => TEXTS[below(rng, 6)].to_owned(),
        key if named.iter().any(|name| key.ends_with(name) || key.starts_with("client"))
            && key.len() != 1
            || ["a", "b", "n"].contains(&key) =>
        {
            NAMES[below(rng, 3)].to_owned()
        }
        _ => match rng.below(6) {
            0 => "0".to_owned(),
            1 => "-1".to_owned(),
            2 => i32::MAX.to_string(),
            _ => rng.below(100_000).to_string(),
        },
    }
}
