//! Recorded conversations of the stock Java client with real servers, replayed as client traffic on the model: the
//! same codes, remarks, fields and messages, except times and ids.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fusee_sim::Line;
use fusee_sim::codec::message::Stored;
use fusee_sim::codec::{Command, decode, properties, split};
use fusee_sim::model::broker::Store;
use fusee_sim::model::{Broker, BrokerConfig, Conn, NameServer, Output};
use serde_json::Value;

/// What the model does not know yet, and so cannot replay. Each comes in with the work that needs it.
const LATER: [(&str, &str); 12] = [
    ("admin-callbacks", "admin queries and relayed callbacks (202, 203, 208, 223, 307, 309)"),
    ("pop-consume", "pop (200050, 200051, 200053), assignments (400, 401)"),
    ("producer-delay", "delay levels"),
    ("producer-timer", "timer messages"),
    ("push-orderly", "queue locks (41, 42)"),
    ("push-retry-dlq", "send-back (36)"),
    ("query-message", "the index's own position in the reply of 12"),
    ("recall", "timer messages, recall (370)"),
    ("request-reply", "replies (325, 326)"),
    ("reset-offset", "reset by the broker (222)"),
    ("sql92-filter", "SQL92 filters"),
    ("transaction", "half messages, 37, 39"),
];

/// Conversations in which the real broker did what the model will not.
const DIFFERENT: [(&str, &str); 1] =
    [("4.9.4/message-trace", "two sends under way at once were stored in the order they were not sent in")];

fn captures() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("this crate's directory");
    manifest.join("../../tests/captures")
}

#[test]
fn recorded_conversations_get_the_recorded_answers() {
    let (mut replayed, mut asked, mut differences) = (0, 0, Vec::new());
    let mut later = BTreeSet::new();
    for (directory, line) in [("4.9.4", Line::V4_9), ("5.5.0", Line::V5)] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(captures().join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            if LATER.iter().any(|(listed, _)| *listed == name) {
                later.insert(name);
                continue;
            }
            // When the real broker looked at its holds, every five seconds, is not in the recording: any time will do.
            let text = std::fs::read_to_string(&file).unwrap();
            let replay = |phase: u64| {
                let mut replay =
                    Replay::new(&text, line, name == "errors", Duration::from_millis(500 * phase));
                replay.run();
                replay
            };
            let replay = (0..10).map(replay).min_by_key(|replay| replay.differences.len()).unwrap();
            replayed += 1;
            asked += replay.compared;
            let name = format!("{directory}/{name}");
            if DIFFERENT.iter().any(|(known, _)| *known == name) {
                assert_ne!(replay.differences.len(), 0, "{name} differs no more");
                continue;
            }
            differences.extend(replay.differences.into_iter().map(|text| format!("{name}: {text}")));
        }
    }
    assert_eq!(later.len(), LATER.len(), "a listed conversation is not there");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(replayed >= 17 && asked > 300, "{replayed} conversations, {asked} answers");
}

struct Replay {
    lines: Vec<Value>,
    /// How long the servers have run when the conversation begins.
    phase: Duration,
    names: NameServer,
    broker: Broker,
    conns: BTreeMap<String, Conn>,
    /// What was asked on a connection under a number, and what the real server answered.
    recorded: BTreeMap<(Conn, i32), (i32, Command<'static>)>,
    answered: BTreeSet<(Conn, i32)>,
    /// Asked while a heartbeat of the same connection was under way: a real broker works on both at once, and whether
    /// the pull finds the new subscription is luck.
    racing: BTreeSet<(Conn, i32)>,
    compared: usize,
    differences: Vec<String>,
}

impl Replay {
    fn new(text: &str, line: Line, strict: bool, phase: Duration) -> Self {
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let marker = "\"brokerAddrs\":{\"0\":\"";
        let address = lines.iter().find_map(|line| {
            let text = String::from_utf8_lossy(&bytes_of(line)).into_owned();
            let (_, rest) = text.split_once(marker)?;
            rest.split_once('"')?.0.parse::<SocketAddr>().ok()
        });
        let mut config = BrokerConfig::new("broker-a", address.expect("a route in every conversation"));
        config.line = line;
        config.auto_create_topics = !strict;
        config.auto_create_groups = !strict;
        config.unix_at_zero =
            lines.iter().find_map(born).unwrap_or(0) - i64::try_from(phase.as_millis()).unwrap();
        let mut replay = Self {
            lines,
            phase,
            names: NameServer::start(Duration::ZERO, line, false),
            broker: Broker::start(Duration::ZERO, config, Store::default()),
            racing: BTreeSet::new(),
            conns: BTreeMap::new(),
            recorded: BTreeMap::new(),
            answered: BTreeSet::new(),
            compared: 0,
            differences: Vec::new(),
        };
        replay.drain(Duration::ZERO);
        replay.index();
        replay
    }

    fn index(&mut self) {
        let (mut asked, mut heartbeats) = (BTreeMap::new(), BTreeSet::new());
        for line in &self.lines {
            let Some(name) = line["conn"].as_str() else { continue };
            let fresh = Conn(u64::try_from(self.conns.len()).unwrap());
            let conn = *self.conns.entry(name.to_owned()).or_insert(fresh);
            if line.get("header").is_none() {
                continue;
            }
            let command = parse(&bytes_of(line));
            let key = (conn, command.opaque.unwrap());
            if command.is_response() {
                heartbeats.remove(&key);
                if let Some(code) = asked.get(&key) {
                    self.recorded.insert(key, (*code, command));
                }
            } else if line["dir"] == "c2s" {
                asked.insert(key, command.code);
                if command.code == 34 {
                    heartbeats.insert(key);
                } else if heartbeats.iter().any(|(other, _)| *other == conn) {
                    self.racing.insert(key);
                }
            }
        }
    }

    fn run(&mut self) {
        let mut end = self.phase;
        for line in std::mem::take(&mut self.lines) {
            let now = self.phase + Duration::from_millis(line["t_ms"].as_u64().unwrap());
            end = end.max(now);
            self.tick(now);
            let name = line["conn"].as_str().unwrap();
            let (conn, to_names) = (self.conns[name], name.starts_with("ns"));
            let client = line["dir"] == "c2s";
            match line.get("event").and_then(Value::as_str) {
                Some("open") => {
                    // The host the real server saw is in the conversation only as text in remarks.
                    let peer = "127.0.0.1:40000".parse().unwrap();
                    if to_names {
                        self.names.connected(now, conn, peer)
                    } else {
                        self.broker.connected(now, conn, peer)
                    }
                }
                Some(_) if client => {
                    if to_names {
                        self.names.closed(conn)
                    } else {
                        self.broker.closed(now, conn)
                    }
                }
                Some(_) => {}
                None if client => {
                    let bytes = bytes_of(&line);
                    if to_names {
                        self.names.received(now, conn, &bytes)
                    } else {
                        self.broker.received(now, conn, &bytes)
                    }
                }
                None => {}
            }
            self.drain(now);
        }
        self.tick(end + Duration::from_secs(40));
        for (key, (asked, real)) in &self.recorded {
            let raced = real.code == 25 && self.racing.contains(key);
            if !raced && !self.answered.contains(key) {
                self.differences
                    .push(format!("{asked} was answered with {} by the real server, here not", real.code));
            }
        }
    }

    fn tick(&mut self, until: Duration) {
        loop {
            let at = self.names.deadline().min(self.broker.deadline());
            if at > until {
                return;
            }
            self.names.tick(at);
            self.broker.tick(at);
            self.drain(at);
        }
    }

    fn drain(&mut self, now: Duration) {
        while let Some(output) = self.broker.poll().or_else(|| self.names.poll()) {
            match output {
                Output::Send(conn, bytes) => {
                    let command = parse(&bytes);
                    if command.is_response() {
                        self.compare(conn, &command);
                    }
                }
                Output::Register(registration) => self.names.register(now, &registration),
                Output::Close(conn) => self.differences.push(format!("closed {conn:?}")),
                Output::Event(_) => {}
            }
        }
    }

    fn compare(&mut self, conn: Conn, ours: &Command<'_>) {
        let key = (conn, ours.opaque.unwrap());
        let Some((asked, real)) = self.recorded.get(&key) else { return };
        if !self.answered.insert(key) {
            self.differences.push(format!("{asked} answered twice"));
            return;
        }
        if self.racing.contains(&key) && real.code == 25 {
            return;
        }
        self.compared += 1;
        let (ours, real) = (view(*asked, ours), view(*asked, real));
        if ours != real {
            self.differences.push(format!("{asked}\n  real {real}\n  here {ours}"));
        }
    }
}

/// What must be equal of an answer, as text.
fn view(asked: i32, command: &Command<'_>) -> String {
    let ids = ["msgId", "transactionId", "timestamp", "indexLastUpdateTimestamp", "indexLastUpdatePhyoffset"];
    let fields: BTreeMap<&str, &str> = command
        .fields
        .iter()
        .flat_map(|fields| &fields.0)
        .filter(|(name, _)| !ids.contains(&&**name))
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let remark = command.remark.as_deref().unwrap_or_default();
    // The peer's port is an id too.
    let remark = remark.split("127.0.0.1:").next().unwrap_or_default();
    let body = match asked {
        11 | 361 | 12 | 33 => messages(command.body.clone()),
        _ if command.body.is_empty() => String::new(),
        _ => serde_json::from_slice::<Value>(&command.body)
            .map_or_else(|_| "?".to_owned(), |json| json.to_string()),
    };
    format!("{} {remark:?} {fields:?} {body}", command.code)
}

fn messages(mut body: Bytes) -> String {
    let mut all = Vec::new();
    while !body.is_empty() {
        let Some(message) = Stored::decode(&mut body) else { return "does not decode".to_owned() };
        let properties: BTreeMap<&str, &str> = properties::entries(&message.properties).collect();
        all.push(format!(
            "{}/{}@{} flag {} sys {} times {} body {:?} properties {properties:?} size {}",
            message.topic,
            message.queue,
            message.queue_offset,
            message.flag,
            message.sys_flag,
            message.reconsume_times,
            message.body,
            message.properties.len(),
        ));
    }
    all.join("\n       ")
}

/// The Unix time at the conversation's zero, from a message that was made and sent at once.
fn born(line: &Value) -> Option<i64> {
    let born: i64 = line["header"]["extFields"]["g"].as_str()?.parse().ok()?;
    Some(born - line["t_ms"].as_i64()?)
}

fn bytes_of(line: &Value) -> Vec<u8> {
    let hex = line["hex"].as_str().unwrap_or_default();
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn parse(bytes: &[u8]) -> Command<'static> {
    let frame = split(&mut BytesMut::from(bytes)).unwrap().expect("one whole frame");
    decode(&frame).unwrap().1.into_owned()
}
