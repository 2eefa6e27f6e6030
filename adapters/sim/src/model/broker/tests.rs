use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::codec::message::Stored;
use crate::codec::{Dialect, Fields, decode, encode, split};

const AT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_911);

/// A broker with one client connected, and what came back, by the request's number.
struct Bench {
    broker: Broker,
    now: Duration,
    opaque: i32,
    replies: BTreeMap<i32, Command<'static>>,
    pushed: Vec<Command<'static>>,
    closed: Vec<Conn>,
}

const CLIENT: Conn = Conn(1);

impl Bench {
    fn new(change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let mut config = BrokerConfig::new("broker-a", AT);
        change(&mut config);
        let mut bench = Self {
            broker: Broker::start(Duration::ZERO, config, Store::default()),
            now: Duration::ZERO,
            opaque: 0,
            replies: BTreeMap::new(),
            pushed: Vec::new(),
            closed: Vec::new(),
        };
        bench.connect(CLIENT);
        bench
    }

    fn line(line: Line) -> Self {
        Self::new(|config| config.line = line)
    }

    fn connect(&mut self, conn: Conn) {
        self.broker.connected(self.now, conn, "127.0.0.1:50000".parse().unwrap());
        self.drain();
    }

    fn ask_on(&mut self, conn: Conn, code: i32, fields: &[(&str, &str)], body: &[u8]) -> i32 {
        self.opaque += 1;
        let fields = fields.iter().map(|(k, v)| ((*k).to_owned().into(), (*v).to_owned().into())).collect();
        let command = Command {
            code,
            language: Some(12),
            version: 479,
            opaque: Some(self.opaque),
            fields: Some(Fields(fields)),
            body: Bytes::copy_from_slice(body),
            ..Command::default()
        };
        let mut bytes = Vec::new();
        encode(&command, Dialect::Json, &mut bytes);
        self.broker.received(self.now, conn, &bytes);
        self.drain();
        self.opaque
    }

    fn ask(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Command<'static> {
        let opaque = self.ask_on(CLIENT, code, fields, body);
        self.replies.remove(&opaque).expect("an answer")
    }

    fn send(&mut self, topic: &str, queue: &str, properties: &str) -> Command<'static> {
        self.ask(310, &send_fields(topic, queue, properties), b"hello")
    }

    fn pull(&mut self, queue: &str, from: &str, flags: &str) -> i32 {
        self.ask_on(CLIENT, 11, &pull_fields("T", queue, from, flags, "*"), b"")
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.broker.deadline() <= until {
            self.now = self.now.max(self.broker.deadline());
            self.broker.tick(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll() {
            match output {
                Output::Send(_, bytes) => {
                    let frame = split(&mut BytesMut::from(&*bytes)).unwrap().unwrap();
                    let command = decode(&frame).unwrap().1.into_owned();
                    if command.is_response() {
                        let twice = self.replies.insert(command.opaque.unwrap(), command);
                        assert_eq!(twice, None, "answered twice");
                    } else {
                        self.pushed.push(command);
                    }
                }
                Output::Close(conn) => self.closed.push(conn),
                Output::Register(_) | Output::Event(_) => {}
            }
        }
    }
}

fn send_fields<'a>(topic: &'a str, queue: &'a str, properties: &'a str) -> [(&'a str, &'a str); 12] {
    [
        ("a", "pg"),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", queue),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", properties),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
    ]
}

fn pull_fields<'a>(
    topic: &'a str,
    queue: &'a str,
    from: &'a str,
    flags: &'a str,
    tags: &'a str,
) -> [(&'a str, &'a str); 10] {
    [
        ("consumerGroup", "cg"),
        ("topic", topic),
        ("queueId", queue),
        ("queueOffset", from),
        ("maxMsgNums", "32"),
        ("sysFlag", flags),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "15000"),
        ("subscription", tags),
        ("subVersion", "0"),
    ]
}

fn remark(command: &Command<'_>) -> String {
    command.remark.as_deref().unwrap_or_default().to_owned()
}

#[test]
fn sends_make_topics_and_offsets() {
    let mut bench = Bench::line(Line::V5);
    for (queue, offset) in [("0", "0"), ("0", "1"), ("3", "0")] {
        let reply = bench.send("T", queue, "UNIQ_KEY\u{1}k\u{2}");
        assert_eq!(
            (reply.code, reply.field("queueId"), reply.field("queueOffset")),
            (0, Some(queue), Some(offset))
        );
        assert_eq!(reply.field("transactionId"), Some("k"));
    }
    assert_eq!(bench.broker.store().topics["T"], TopicConfig::new(4));
    let reply = bench.send("T", "4", "");
    assert_eq!(reply.code, 29);
    assert_eq!(
        remark(&reply),
        "request queueId[4] is illegal, TopicConfig [topicName=T, readQueueNums=4, writeQueueNums=4, perm=RW-, \
         topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}] Producer: 127.0.0.1:50000"
    );
    assert_eq!(bench.broker.store().log.len("T"), 3);
}

#[test]
fn both_lines_refuse_in_their_own_words() {
    let long = "x".repeat(128);
    for (line, name, queue) in [(Line::V4_9, 1, 1), (Line::V5, 29, 29)] {
        let mut bench = Bench::line(line);
        for (topic, code) in [(" ", name), ("a b", name), (&*long, name), ("SCHEDULE_TOPIC_XXXX", 16)] {
            assert_eq!(bench.send(topic, "0", "").code, code, "{line:?} {topic}");
        }
        assert_eq!(bench.send("T", "0", "").code, 0);
        assert_eq!(bench.send("T", "99", "").code, queue);
    }
    let mut strict = Bench::new(|config| {
        config.auto_create_topics = false;
        config.auto_create_groups = false;
    });
    assert_eq!(strict.send("T", "0", "").code, 17);
    assert_eq!(strict.send("%RETRY%g", "0", "").code, 26);
    strict.broker.create_topic("T", TopicConfig::new(2));
    let opaque = strict.pull("0", "0", "4");
    assert_eq!(strict.replies[&opaque].code, 26);
    assert_eq!(
        strict
            .ask(15, &[("consumerGroup", "cg"), ("topic", "T"), ("queueId", "0"), ("commitOffset", "1")], b"")
            .code,
        26
    );
    let unknown = strict.ask(9999, &[], b"");
    assert_eq!((unknown.code, &*remark(&unknown)), (3, " request type 9999 not supported"));
}

#[test]
fn sizes_are_measured_as_java_does() {
    for (line, longest) in [(Line::V4_9, 32_745), (Line::V5, 32_705)] {
        let mut bench = Bench::line(line);
        // A trailing separator counts where the broker writes one.
        let fits = longest - "UNIQ_KEY\u{1}k\u{2}".len() - "p\u{1}\u{2}".len();
        let properties = |length: usize| format!("UNIQ_KEY\u{1}k\u{2}p\u{1}{}\u{2}", "v".repeat(length));
        assert_eq!(bench.send("T", "0", &properties(fits)).code, 0, "{line:?}");
        assert_eq!(bench.send("T", "0", &properties(fits + 1)).code, 13, "{line:?}");
        let body = vec![0; 4 * 1024 * 1024 + 1];
        assert_eq!(bench.ask(310, &send_fields("T", "0", ""), &body).code, 13);
        assert_eq!(bench.ask(310, &send_fields("T", "0", ""), &body[1..]).code, 0);
        let empty = bench.ask(310, &send_fields("T", "0", ""), b"").code;
        assert_eq!(empty, if line == Line::V4_9 { 0 } else { 1 });
    }
}

#[test]
fn pulls_answer_for_every_place() {
    let mut bench = Bench::line(Line::V5);
    bench.send("T", "0", "TAGS\u{1}A\u{2}");
    for (queue, from, code, next, said) in [
        ("0", "0", 0, "1", "FOUND"),
        ("0", "1", 19, "1", "OFFSET_OVERFLOW_ONE"),
        ("0", "5", 21, "1", "OFFSET_OVERFLOW_BADLY"),
        ("0", "-1", 21, "0", "OFFSET_TOO_SMALL"),
        ("1", "0", 19, "0", "NO_MESSAGE_IN_QUEUE"),
        ("1", "7", 21, "0", "NO_MESSAGE_IN_QUEUE"),
    ] {
        let opaque = bench.pull(queue, from, "4");
        let reply = &bench.replies[&opaque];
        assert_eq!((reply.code, reply.field("nextBeginOffset"), &*remark(reply)), (code, Some(next), said));
    }
    let opaque = bench.pull("9", "0", "4");
    assert_eq!(bench.replies[&opaque].code, 29);
    let opaque = bench.ask_on(CLIENT, 11, &pull_fields("T", "0", "0", "4", "B"), b"");
    assert_eq!(
        (bench.replies[&opaque].code, bench.replies[&opaque].field("nextBeginOffset")),
        (20, Some("1"))
    );
    for (line, code) in [(Line::V4_9, 3), (Line::V5, 0)] {
        let mut bench = Bench::line(line);
        bench.send("T", "0", "");
        assert_eq!(bench.ask(361, &pull_fields("T", "0", "0", "20", "*"), b"").code, code, "{line:?}");
    }
}

#[test]
fn a_held_pull_wakes_on_a_message_and_ends_on_a_five_second_step() {
    let mut bench = Bench::line(Line::V5);
    bench.send("T", "0", "");
    bench.pass(Duration::from_secs(2));
    let held = bench.pull("0", "1", "6");
    assert!(!bench.replies.contains_key(&held));
    bench.send("T", "0", "");
    let reply = &bench.replies[&held];
    assert_eq!(reply.code, 0);
    let message = Stored::decode(&mut reply.body.clone()).unwrap();
    assert_eq!((message.queue_offset, &*message.body), (1, &b"hello"[..]));

    let held = bench.pull("0", "2", "6");
    bench.pass(Duration::from_millis(17_999));
    assert!(!bench.replies.contains_key(&held), "15 seconds from 2 s on are over, but nobody looked");
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.replies[&held].code, 19);

    let held = bench.ask_on(CLIENT, 11, &pull_fields("T", "0", "2", "6", "A"), b"");
    bench.send("T", "0", "TAGS\u{1}B\u{2}");
    assert!(!bench.replies.contains_key(&held), "not its tag");
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.replies[&held].code, 20);
}

#[test]
fn offsets_are_taken_as_they_come() {
    for (line, empty) in [(Line::V4_9, 0), (Line::V5, 22)] {
        let mut bench = Bench::line(line);
        bench.send("T", "0", "");
        let query = |bench: &mut Bench, queue: &str| {
            let reply = bench.ask(14, &[("consumerGroup", "cg"), ("topic", "T"), ("queueId", queue)], b"");
            (reply.code, reply.field("offset").map(str::to_owned))
        };
        bench.pull("0", "0", "4");
        assert_eq!(query(&mut bench, "0"), (0, Some("0".to_owned())));
        assert_eq!(query(&mut bench, "1").0, empty, "{line:?}");
        for offset in ["100", "7", "-1"] {
            let fields =
                [("consumerGroup", "cg"), ("topic", "T"), ("queueId", "1"), ("commitOffset", offset)];
            assert_eq!(bench.ask(15, &fields, b"").code, 0);
            if offset != "-1" {
                assert_eq!(query(&mut bench, "1"), (0, Some(offset.to_owned())));
            }
        }
        assert_eq!(query(&mut bench, "1").0, empty, "-1 erases");
        for (code, offset) in [(30, "1"), (31, "0")] {
            assert_eq!(
                bench.ask(code, &[("topic", "T"), ("queueId", "0")], b"").field("offset"),
                Some(offset)
            );
            assert_eq!(
                bench.ask(code, &[("topic", "gone"), ("queueId", "9")], b"").field("offset"),
                Some("0")
            );
        }
    }
}

#[test]
fn search_by_time_differs_between_the_lines() {
    for (line, [early, between, late, after]) in
        [(Line::V4_9, ["0", "0", "1", "1"]), (Line::V5, ["1", "1", "1", "2"])]
    {
        let mut bench = Bench::line(line);
        bench.send("T", "0", "");
        bench.pass(Duration::from_secs(2));
        bench.send("T", "0", "");
        let mut search = |unix: i64| {
            let reply =
                bench.ask(29, &[("topic", "T"), ("queueId", "0"), ("timestamp", &unix.to_string())], b"");
            reply.field("offset").map(str::to_owned)
        };
        assert_eq!(search(1_700_000_000_000).as_deref(), Some("0"), "{line:?}");
        assert_eq!(search(1_700_000_000_999).as_deref(), Some(early), "{line:?}");
        assert_eq!(search(1_700_000_001_000).as_deref(), Some(between), "{line:?}");
        assert_eq!(search(1_700_000_001_001).as_deref(), Some(late), "{line:?}");
        assert_eq!(search(1_700_000_009_000).as_deref(), Some(after), "{line:?}");
        assert_eq!(search(0).as_deref(), Some("0"), "{line:?}");
    }
}

fn heartbeat(client: &str, group: &str, version: i64) -> Vec<u8> {
    format!(
        "{{\"clientID\":\"{client}\",\"consumerDataSet\":[{{\"consumeFromWhere\":\"CONSUME_FROM_LAST_OFFSET\",\
         \"consumeType\":\"CONSUME_PASSIVELY\",\"groupName\":\"{group}\",\"messageModel\":\"CLUSTERING\",\
         \"subscriptionDataSet\":[{{\"classFilterMode\":false,\"codeSet\":[65],\"expressionType\":\"TAG\",\"subString\":\
         \"A\",\"subVersion\":{version},\"tagsSet\":[\"A\"],\"topic\":\"T\"}}],\"unitMode\":false}}],\
         \"producerDataSet\":[{{\"groupName\":\"pg\"}}]}}"
    )
    .into_bytes()
}

#[test]
fn members_join_leave_and_are_told() {
    let mut bench = Bench::line(Line::V5);
    bench.connect(Conn(2));
    bench.ask(34, &[], &heartbeat("c1", "cg", 5));
    assert_eq!(bench.pushed.len(), 1, "the one that joined is told too");
    bench.ask(34, &[], &heartbeat("c1", "cg", 6));
    assert_eq!(bench.pushed.len(), 1, "a repeated heartbeat changes nothing");
    bench.ask_on(Conn(2), 34, &[], &heartbeat("c2", "cg", 6));
    assert_eq!(bench.pushed.len(), 3);
    assert!(
        bench
            .pushed
            .iter()
            .all(|push| push.code == 40 && push.is_oneway() && push.field("consumerGroup") == Some("cg"))
    );
    let list = bench.ask(38, &[("consumerGroup", "cg")], b"");
    assert_eq!(list.body, Bytes::from_static(b"{\"consumerIdList\":[\"c1\",\"c2\"]}"));
    assert!(bench.broker.store().topics.contains_key("%RETRY%cg"));

    bench.broker.closed(bench.now, Conn(2));
    bench.drain();
    assert_eq!(bench.pushed.len(), 4, "the one that stays is told");
    assert_eq!(bench.ask(35, &[("clientID", "somebody"), ("consumerGroup", "cg")], b"").code, 0);
    let none = bench.ask(38, &[("consumerGroup", "cg")], b"");
    assert_eq!((none.code, &*remark(&none)), (1, "no consumer for this group, cg"));
}

#[test]
fn subscriptions_of_heartbeats_rule_pulls_that_bring_none() {
    let mut bench = Bench::line(Line::V5);
    bench.send("T", "0", "TAGS\u{1}B\u{2}");
    let pull = |bench: &mut Bench, version: &str| {
        let mut fields = pull_fields("T", "0", "0", "0", "");
        fields[9].1 = version;
        bench.ask(11, &fields, b"").code
    };
    assert_eq!(pull(&mut bench, "5"), 24);
    bench.ask(34, &[], &heartbeat("c1", "cg", 5));
    assert_eq!(pull(&mut bench, "6"), 25);
    assert_eq!(pull(&mut bench, "5"), 20, "the heartbeat wants tag A");
    let text = String::from_utf8(heartbeat("c1", "cg", 7)).unwrap().replace("[65]", "[\"66\"]");
    assert_eq!(bench.ask(34, &[], text.as_bytes()).code, 0, "the Go client's hashes are text");
    assert_eq!(pull(&mut bench, "7"), 0, "and it wants tag B");
    assert_eq!(bench.ask(34, &[], b"{\"clientID\":\"c\",\"consumerDataSet\":null}").code, 1);
}

#[test]
fn silence_ends_membership_and_connection() {
    let mut bench = Bench::line(Line::V5);
    bench.ask(34, &[], &heartbeat("c1", "cg", 5));
    for _ in 0..13 {
        bench.pass(Duration::from_secs(10));
        if bench.closed.is_empty() {
            bench.ask(30, &[("topic", "T"), ("queueId", "0")], b"");
        }
    }
    assert_eq!(bench.closed, [CLIENT], "busy, but without heartbeats for 120 seconds");
    assert!((Duration::from_secs(120)..=Duration::from_secs(130)).contains(&bench.now));
}

#[test]
fn ordered_answers_come_once_and_store_or_not() {
    let mut bench = Bench::line(Line::V5);
    for (code, number, stored) in [
        (Code::SystemBusy, 2, 0),
        (Code::ServiceNotAvailable, 14, 0),
        (Code::FlushDiskTimeout, 10, 1),
        (Code::SlaveNotAvailable, 11, 2),
        (Code::SystemErrorDone, 1, 3),
        (Code::SystemError, 1, 3),
    ] {
        bench.broker.fail_next(Op::Send, code, 1);
        let reply = bench.send("T", "0", "");
        assert_eq!((reply.code, bench.broker.store().log.len("T")), (number, stored), "{code:?}");
        assert_eq!(reply.field("queueOffset").is_some(), (10..=12).contains(&number));
    }
    assert_eq!(bench.send("T", "0", "").code, 0);
    bench.broker.drain();
    assert_eq!(bench.send("T", "0", "").code, 1500);
}

#[test]
fn a_crash_keeps_what_is_durable() {
    let mut bench = Bench::line(Line::V5);
    bench.send("T", "0", "");
    bench.pull("0", "0", "4");
    let commit =
        |offset| [("consumerGroup", "cg"), ("topic", "T"), ("queueId", "0"), ("commitOffset", offset)];
    bench.ask(15, &commit("1"), b"");
    bench.pass(Duration::from_secs(6));
    bench.ask(15, &commit("2"), b"");
    bench.send("T", "0", "");
    let config = bench.broker.config.clone();
    let mut store = bench.broker.crash();
    assert_eq!(store.offset("cg", "T", 0), Some(2));
    store.lose_unflushed_offsets();
    assert_eq!(store.offset("cg", "T", 0), Some(1));
    assert_eq!(store.lose_messages_after(Duration::from_secs(3)), [(Arc::from("T"), 0, 1)]);
    let broker = Broker::start(Duration::from_secs(9), config, store);
    assert_eq!(broker.store().log.range("T", 0), (0, 1));
}
