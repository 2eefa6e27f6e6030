//! Laws of the wire layer over random values, from fixed seeds that are printed.
//!
//! `PROPTEST_RNG_SEED` chooses other seeds and `PROPTEST_CASES` other counts; a failure prints the smallest value that
//! it found.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use fusee_core::ids::{BrokerName, Queue, Topic};
use fusee_core::time::UnixMillis;
use fusee_core::wire::ids::Host;
use fusee_core::wire::message::{StoredMessage, messages};
use fusee_core::wire::rpc::Rpc;
use fusee_core::wire::rpc::pushed::{consumer_status, reset_offsets};
use fusee_core::wire::rpc::running::{GetMemberOffsets, QueueInfo, RunningInfo};
use fusee_core::wire::{
    Dialect, Fields, Frame, Framer, Header, Kind, Language, Properties, PropertyText, Request, RequestCode,
    Text, batch,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// Holds a law over random values.
fn holds<S: Strategy>(name: &str, strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: std::fmt::Debug,
{
    let mut config = ProptestConfig::default();
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(7);
    }
    config.failure_persistence = None;
    let about = format!("{name}: {} cases from seed {}", config.cases, config.rng_seed);
    TestRunner::new(config).run(strategy, law).unwrap_or_else(|error| panic!("{about}: {error}"));
}

/// Text with everything that an encoding might stumble over.
fn text(most: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        8 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\0', '\u{1f}'),
        1 => any::<char>(),
        1 => Just('"'),
        1 => Just('\\'),
    ];
    vec(character, 0..=most).prop_map(|characters| characters.into_iter().collect())
}

fn header() -> impl Strategy<Value = Header> {
    let kind = prop_oneof![Just(Kind::Request), Just(Kind::Oneway), Just(Kind::Response)];
    let key = text(24).prop_filter("a key", |key| !key.is_empty() && key.len() <= 128);
    let fields = btree_map(key, text(200), 0..24);
    let remark = proptest::option::of(text(60));
    let number = || prop_oneof![0..600_i32, any::<i32>()];
    (kind, number(), 0..12_u8, number(), any::<i32>(), remark, fields).prop_map(
        |(kind, code, language, version, opaque, remark, fields)| Header {
            kind,
            code,
            language: Language(language),
            version,
            opaque,
            remark: remark.map(Text::from),
            fields: Fields::from_pairs(fields.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
        },
    )
}

fn split(bytes: &[u8], cuts: &BTreeSet<usize>) -> (Vec<Frame>, usize) {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    let mut begin = 0;
    for end in cuts.iter().copied().filter(|&cut| cut < bytes.len()).chain([bytes.len()]) {
        framer.spare(1).extend_from_slice(&bytes[begin..end]);
        begin = end;
        while let Some(frame) = framer.next_frame().expect("whole frames") {
            frames.push(frame);
        }
    }
    (frames, framer.pending())
}

#[test]
fn framing_is_the_same_for_every_cutting() {
    let session = vec((header(), any::<bool>(), vec(any::<u8>(), 0..300)), 1..6);
    let cuts = proptest::collection::btree_set(0_usize..6_000, 0..40);
    holds("framing", &(session, cuts), |(session, cuts)| {
        let mut bytes = BytesMut::new();
        for (header, binary, body) in &session {
            let dialect = if *binary { Dialect::Binary } else { Dialect::Json };
            header.encode(dialect, body.len(), &mut bytes).expect("a small frame");
            bytes.extend_from_slice(body);
        }
        let whole = split(&bytes, &BTreeSet::new());
        prop_assert_eq!((whole.0.len(), whole.1), (session.len(), 0));
        prop_assert_eq!(&split(&bytes, &cuts), &whole);
        for ((header, _, body), frame) in session.iter().zip(&whole.0) {
            prop_assert_eq!((header.opaque, &body[..]), (frame.header.opaque, &frame.body[..]));
        }
        Ok(())
    });
}

#[test]
fn both_encodings_give_equal_commands() {
    holds("headers", &header(), |header| {
        for dialect in [Dialect::Json, Dialect::Binary] {
            let mut out = BytesMut::new();
            let used = header.encode(dialect, 0, &mut out).expect("a small header");
            let read = Header::decode(used, out.split_off(8).freeze());
            prop_assert_eq!(read.as_ref(), Ok(&header), "{:?} as {:?}", dialect, used);
            // An empty value or a large number has no binary form and is written as JSON; all else has one.
            let narrow = i16::try_from(header.code).is_ok() && i16::try_from(header.version).is_ok();
            let empty = header.fields.iter().any(|(_, value)| value.is_empty())
                || header.remark.as_ref().is_some_and(Text::is_empty);
            prop_assert!(dialect == Dialect::Json || (used == Dialect::Binary) == (narrow && !empty));
        }
        Ok(())
    });
}

const NAMES: &[&str] = &[
    "a",
    "b",
    "n",
    "bname",
    "brokerName",
    "clientID",
    "clientId",
    "clientAddr",
    "consumerGroup",
    "group",
    "groupName",
    "producerGroup",
    "topic",
    "compareGroup",
    "destGroup",
    "srcGroup",
];
const TEXTS: &[&str] = &[
    "attemptId",
    "attributes",
    "clusterName",
    "cluster",
    "exp",
    "expType",
    "expressionType",
    "indexType",
    "lastKey",
    "msgId",
    "offsetMsgId",
    "originMsgId",
    "originTopic",
    "subscription",
    "transactionId",
    "c",
    "defaultTopic",
    "extraInfo",
    "i",
    "key",
    "recallHandle",
    "dataVersion",
    "filter",
    "filterGroups",
    "namespace",
    "policyType",
    "resource",
    "resourceFilter",
    "statsKey",
    "statsName",
    "subject",
    "subjectFilter",
    "username",
    "value",
];
const FLAGS: &[&str] = &[
    "order",
    "setZeroIfNotFound",
    "suspend",
    "cleanOffset",
    "fromTransactionCheck",
    "force",
    "isForce",
    "isOrder",
    "jstackEnable",
    "offline",
    "readable",
    "k",
    "m",
    "unitMode",
];
const NUMBERS: &[&str] = &[
    "l",
    "maxReconsumeTimes",
    "queueId",
    "topicSysFlag",
    "offset",
    "count",
    "d",
    "delayLevel",
    "e",
    "f",
    "flag",
    "h",
    "groupSeq",
    "index",
    "initMode",
    "j",
    "maxGroupNum",
    "maxMsgNums",
    "maxNum",
    "maxTopicNum",
    "perm",
    "readQueueNums",
    "sysFlag",
    "topicSeq",
    "writeQueueNums",
    "commitLogOffset",
    "commitOffset",
    "invisibleTime",
    "pollTime",
    "popTime",
    "queueOffset",
    "subVersion",
    "suspendTimeoutMillis",
    "tranStateTableOffset",
    "beginTimestamp",
    "bornTime",
    "bornTimestamp",
    "endTimestamp",
    "g",
    "timestamp",
    "maxMsgBytes",
];

/// Fields by every name that a request knows, each of its type.
fn every_field() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let fields = |keys: &'static [&'static str], value: BoxedStrategy<String>| {
        vec(value, keys.len()).prop_map(move |values| keys.iter().copied().zip(values).collect::<Vec<_>>())
    };
    let number = prop_oneof![0..10_i32, any::<i32>()].prop_map(|number| number.to_string());
    let parts = (
        fields(NAMES, "[a-zA-Z0-9_-]{1,30}".boxed()),
        fields(TEXTS, text(40).boxed()),
        fields(FLAGS, any::<bool>().prop_map(|flag| flag.to_string()).boxed()),
        fields(NUMBERS, number.boxed()),
        proptest::sample::select(vec!["0", "8", "12"]),
        proptest::sample::select(vec!["SINGLE_TAG", "MULTI_TAG"]),
    );
    parts.prop_map(|(names, texts, flags, numbers, verdict, tags)| {
        let chosen = [("commitOrRollback", verdict.to_owned()), ("topicFilterType", tags.to_owned())];
        names.into_iter().chain(texts).chain(flags).chain(numbers).chain(chosen).collect()
    })
}

/// A body in which every request with a JSON body finds its members.
fn every_body() -> impl Strategy<Value = String> {
    let name = "[a-zA-Z0-9_-]{1,20}";
    (name, name, 0..100_i32, any::<bool>()).prop_map(|(name, other, number, flag)| {
        let queue = format!(r#"{{"brokerName":"{other}","queueId":{number},"topic":"{name}"}}"#);
        let entry = format!(
            r#"{{"classFilterMode":false,"codeSet":[{number}],"expressionType":"TAG","subString":"{other}","subVersion":{number},"tagsSet":["{other}"],"topic":"{name}"}}"#
        );
        let consumer = format!(
            r#"{{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{name}","messageModel":"CLUSTERING","subscriptionDataSet":[{entry}],"unitMode":{flag}}}"#
        );
        let topic = format!(
            r#"{{"attributes":{{"{other}":"{name}"}},"order":{flag},"perm":{number},"readQueueNums":{number},"topicFilterType":"MULTI_TAG","topicName":"{name}","topicSysFlag":{number},"writeQueueNums":{number}}}"#
        );
        let group = format!(
            r#""attributes":{{"{other}":"{name}"}},"brokerId":{number},"consumeEnable":{flag},"consumeTimeoutMinute":{number},"groupName":"{name}","groupRetryPolicy":{{"customizedRetryPolicy":{{"next":[{number}]}},"exponentialRetryPolicy":{{"initial":{number},"max":{number},"multiplier":{number}}},"type":"{other}"}},"groupSysFlag":{number},"retryMaxTimes":{number},"subscriptionDataSet":[{{"expression":"{other}","expressionType":"TAG","topic":"{name}","version":{number}}}]"#
        );
        let rule = format!(
            r#"{{"actions":["Pub","{other}"],"decision":"{other}","resource":"Topic:{name}","sourceIps":["{other}"]}}"#
        );
        let administered = format!(
            r#""topicConfigList":[{topic}],{group},"groupConfigList":[{{{group}}}],"queueDatas":[{{"brokerName":"{other}","perm":{number},"readQueueNums":{number},"topicSysFlag":{number},"writeQueueNums":{number}}}],"bname":"{other}","epoch":{number},"hostedQueues":{{{number}:[{{"bname":"{other}","endOffset":{number},"gen":{number},"logicOffset":{number},"queueId":{number},"startOffset":{number},"timeOfEnd":{number},"timeOfStart":{number}}}]}},"scope":"{other}","totalQueues":{number},"username":"{name}","password":"{other}","userType":"{other}","userStatus":"disable","subject":"User:{name}","policies":[{{"entries":[{rule}],"policyType":"Default"}}]"#
        );
        format!(
            r#"{{{administered},"acks":[],"brokerName":"{other}","clientID":"{name}","clientId":"{name}","consumerDataSet":[{consumer}],"consumerGroup":"{other}","group":"{other}","heartbeatFingerprint":{number},"messageModel":"CLUSTERING","mode":"POP","mqSet":[{queue}],"popShareQueueNum":{number},"producerDataSet":[{{"groupName":"{other}"}}],"strategyName":"AVG","subscriptionData":{entry},"topic":"{name}","withoutSub":{flag}}}"#
        )
    })
}

fn frame_of(request: &Request, dialect: Dialect) -> Frame {
    let mut out = BytesMut::new();
    request.encode(dialect, 3, false, &mut out).expect("a small request");
    let (mut frames, rest) = split(&out, &BTreeSet::new());
    assert_eq!((frames.len(), rest), (1, 0));
    frames.remove(0)
}

#[test]
fn every_request_reads_back_as_itself() {
    let seen = std::cell::RefCell::new(BTreeSet::new());
    holds("requests", &(every_field(), every_body()), |(fields, body)| {
        for code in RequestCode::ALL {
            let header = Header {
                kind: Kind::Request,
                code: code.0,
                language: Language::JAVA,
                version: 513,
                opaque: 3,
                remark: None,
                fields: Fields::from_pairs(fields.iter().map(|(key, value)| (*key, value.as_str()))),
            };
            let frame = Frame { header, body: Bytes::copy_from_slice(body.as_bytes()) };
            let request = match Request::read(&frame) {
                Ok(Request::Raw(_)) => continue,
                Ok(request) => request,
                // A body that is a batch is none here, and the like.
                Err(_) => continue,
            };
            for dialect in [Dialect::Json, Dialect::Binary] {
                let again = Request::read(&frame_of(&request, dialect));
                prop_assert_eq!(again.as_ref(), Ok(&request), "{:?} in {:?}", code, dialect);
            }
            seen.borrow_mut().insert(code.to_string());
        }
        Ok(())
    });
    let seen = seen.into_inner();
    assert!(seen.len() >= 94, "{} types were made: {seen:?}", seen.len());
}

fn queue() -> impl Strategy<Value = Queue> {
    ("[a-zA-Z0-9_%-]{1,100}", text(20), any::<i32>()).prop_filter_map("names", |(topic, broker, queue)| {
        Some(Queue { topic: Topic::new(&topic).ok()?, broker: BrokerName::new(&broker).ok()?, queue })
    })
}

/// Every queue once.
fn by_queue<V: std::fmt::Debug>(
    value: impl Strategy<Value = V>,
) -> impl Strategy<Value = BTreeMap<Queue, V>> {
    btree_map(queue(), value, 0..4)
}

#[test]
fn what_members_tell_reads_back() {
    let texts = || btree_map(text(12), text(12), 0..4);
    let numbers = any::<([i64; 9], [i32; 3], [bool; 2])>();
    let info = numbers.prop_map(|(longs, ints, truths)| QueueInfo {
        cached_msg_count: ints[0],
        cached_msg_max_offset: longs[0],
        cached_msg_min_offset: longs[1],
        cached_msg_size_in_mib: ints[1],
        commit_offset: longs[2],
        dropped: truths[0],
        last_consume_timestamp: longs[3],
        last_lock_timestamp: longs[4],
        last_pull_timestamp: longs[5],
        locked: truths[1],
        transaction_msg_count: ints[2],
        transaction_msg_max_offset: longs[6],
        transaction_msg_min_offset: longs[7],
        try_unlock_times: longs[8],
    });
    let members = (texts(), by_queue(info), by_queue(any::<i64>()), texts(), proptest::option::of(text(200)));
    holds("members", &members, |(properties, queues, offsets, application, stacks)| {
        let list = queues.into_iter().collect();
        let written = RunningInfo { properties, queues: list, application, stacks, ..RunningInfo::default() };
        let mut read = RunningInfo::parse(&written.body()).expect("what was written");
        read.queues.sort_by(|(one, _), (other, _)| one.cmp(other));
        prop_assert_eq!(read, written);

        let list = offsets.clone().into_iter().collect::<Vec<_>>();
        let member = consumer_status(&list);
        let table = std::str::from_utf8(&member).expect("text").split_once("\"messageQueueTable\":");
        let table = table.and_then(|(_, table)| table.strip_suffix('}')).expect("a table");
        let pushed = format!("{{\"offsetTable\":{table}}}");
        let read = reset_offsets(pushed.as_bytes()).expect("what brokers push");
        prop_assert_eq!(&read.into_iter().collect::<BTreeMap<_, _>>(), &offsets);
        let told = format!("{{\"consumerTable\":{{\"member\":{table}}},\"messageQueueTable\":{{}}}}");
        let read = GetMemberOffsets::reply(&reply(told.as_bytes())).expect("what brokers pass on");
        prop_assert_eq!(&read["member"].iter().cloned().collect::<BTreeMap<_, _>>(), &offsets);
        Ok(())
    });
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

fn host() -> impl Strategy<Value = Host> {
    (any::<std::net::IpAddr>(), 0..65_536_i32).prop_map(|(ip, port)| Host { ip, port })
}

fn stored() -> impl Strategy<Value = StoredMessage> {
    let numbers = (any::<[i32; 4]>(), any::<[i64; 5]>(), any::<u32>());
    let properties = btree_map("[a-zA-Z_]{1,12}", "[ -~]{1,40}", 0..8);
    let topic = "[a-zA-Z0-9_%-]{1,200}";
    (numbers, host(), host(), topic, properties, vec(any::<u8>(), 0..400)).prop_map(
        |((ints, longs, crc), born_host, store_host, topic, properties, body)| {
            let mut text = PropertyText::new();
            for (name, value) in &properties {
                text.put(name, value).expect("a property that survives");
            }
            let born_v6 = if born_host.ip.is_ipv6() { 0x10 } else { 0 };
            let store_v6 = if store_host.ip.is_ipv6() { 0x20 } else { 0 };
            StoredMessage {
                topic: Text::from(topic),
                queue: ints[0],
                queue_offset: longs[0],
                physical_offset: longs[1],
                flag: ints[1],
                sys_flag: (ints[2] & !0x30) | born_v6 | store_v6,
                born: UnixMillis(longs[2]),
                born_host,
                stored: UnixMillis(longs[3]),
                store_host,
                reconsume_times: ints[3],
                prepared_offset: longs[4],
                body: Bytes::from(body),
                properties: Properties::new(text.finish()),
                crc,
            }
        },
    )
}

#[test]
fn stored_messages_and_batches_read_back() {
    holds("messages", &vec(stored(), 1..5), |list| {
        let mut out = BytesMut::new();
        let mut entries = BytesMut::new();
        for message in &list {
            message.encode(&mut out);
            batch::put_entry(message.flag, &message.body, message.properties.encoded(), &mut entries)
                .expect("a small entry");
        }
        let read = messages(out.freeze()).collect::<Result<Vec<_>, _>>();
        prop_assert_eq!(read.as_ref(), Ok(&list));
        let entries = batch::entries(entries.freeze()).collect::<Result<Vec<_>, _>>().expect("whole entries");
        prop_assert_eq!(entries.len(), list.len());
        for (entry, message) in entries.iter().zip(&list) {
            prop_assert_eq!((entry.flag, &entry.body), (message.flag, &message.body));
            prop_assert_eq!(&entry.properties, &message.properties);
        }
        Ok(())
    });
}

#[test]
fn properties_survive_or_are_refused() {
    holds("properties", &vec((text(6), text(12)), 0..8), |pairs| {
        let mut written = PropertyText::new();
        let mut expected = BTreeMap::new();
        for (name, value) in &pairs {
            let survives =
                [name, value].iter().all(|text| !text.is_empty() && !text.contains(['\u{1}', '\u{2}']));
            prop_assert_eq!(written.put(name, value).is_ok(), survives, "{:?} {:?}", name, value);
            if survives {
                expected.insert(name.as_str(), value.as_str());
            }
        }
        let read = Properties::new(written.finish());
        prop_assert_eq!(read.iter().collect::<BTreeMap<_, _>>(), expected);
        Ok(())
    });
}
