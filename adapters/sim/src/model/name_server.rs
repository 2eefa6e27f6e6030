//! A name server (Java: `DefaultRequestProcessor`, `RouteInfoManager`).
//!
//! Laws: it knows what brokers told it and forgets a broker that is silent for 120 seconds or whose connection ends;
//! after a restart it knows nothing until they speak again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::broker::{Code, Op};
use super::connections::{Asker, Connections, Reply};
use super::topics::TopicConfig;
use super::{Conn, Line, Output, Registration};
use crate::codec::{self, Command};

/// A name server.
pub struct NameServer {
    line: Line,
    connections: Connections,
    brokers: BTreeMap<(String, i64), Known>,
    refusals: super::broker::Refusals,
    next_tick: Duration,
}

struct Known {
    cluster: String,
    address: String,
    topics: BTreeMap<Arc<str>, TopicConfig>,
    seen: Duration,
}

const TICK: Duration = Duration::from_secs(5);
/// Java's `DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`.
const EXPIRY: Duration = Duration::from_secs(120);

impl NameServer {
    /// A name server that comes up at `now`, knowing nothing.
    #[must_use]
    pub fn start(now: Duration, line: Line, observed: bool) -> Self {
        Self {
            line,
            connections: Connections::new(line, observed),
            brokers: BTreeMap::new(),
            refusals: super::broker::Refusals::default(),
            next_tick: now + TICK,
        }
    }

    /// A client connected from `peer`.
    pub fn connected(&mut self, now: Duration, conn: Conn, peer: SocketAddr) {
        self.connections.connected(now, conn, peer);
    }

    /// A connection ended.
    pub fn closed(&mut self, conn: Conn) {
        self.connections.closed(conn);
    }

    /// Bytes arrived.
    pub fn received(&mut self, now: Duration, conn: Conn, bytes: &[u8]) {
        self.connections.received(now, conn, bytes);
        while let Some(frame) = self.connections.next_frame(conn) {
            match codec::decode(&frame) {
                Ok((dialect, command)) => {
                    if let Some(asker) = self.connections.asker(conn, dialect, &command) {
                        self.asked(now, &asker, &command);
                    }
                }
                Err(why) => self.connections.break_off(conn, why),
            }
        }
    }

    /// A broker told its news.
    pub fn register(&mut self, now: Duration, registration: &Registration) {
        let known = Known {
            cluster: registration.cluster.clone(),
            address: registration.address.clone(),
            topics: registration.topics.iter().cloned().collect(),
            seen: now,
        };
        self.brokers.insert((registration.broker.clone(), registration.id), known);
    }

    /// A broker's connection ended.
    pub fn broker_lost(&mut self, broker: &str) {
        self.brokers.retain(|(name, _), _| name != broker);
    }

    /// Time passed.
    pub fn tick(&mut self, now: Duration) {
        while now >= self.next_tick {
            self.next_tick += TICK;
            self.brokers.retain(|_, known| now.saturating_sub(known.seen) <= EXPIRY);
            for conn in self.connections.idle(now) {
                self.connections.close(conn);
            }
        }
    }

    /// When [`NameServer::tick`] has something to do.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.next_tick
    }

    /// What it wants done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.connections.outputs.pop_front()
    }

    /// Answers the next `times` requests of a kind with a code.
    pub fn fail_next(&mut self, op: Op, code: Code, times: u32) {
        self.refusals.add(op, code, times);
    }

    /// Ends all refusals that were ordered and not used up.
    pub fn stop_failing(&mut self) {
        self.refusals.clear();
    }

    /// The answers that were ordered and are still due.
    pub(crate) const fn refusals(&mut self) -> &mut super::broker::Refusals {
        &mut self.refusals
    }

    fn asked(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) {
        let reply = match self.refusals.next(Op::of(command.code)) {
            Some(code) => code.reply(),
            None => match command.code {
                105 => self.route(asker, command),
                106 => self.cluster(),
                206 => self.all_topics(),
                216 => self.delete_topic(command),
                // A 4.9.4 name server leaves who asks for what it does not know without an answer.
                _ if self.line == Line::V4_9 => return,
                other => Reply::refuse(3, format!(" request type {other} not supported")),
            },
        };
        self.connections.answer(now, asker, reply);
    }

    fn route(&self, asker: &Asker, command: &Command<'_>) -> Reply {
        let Some(topic) = command.field("topic") else { return Reply::exception("field topic is missing") };
        let standard = asker.version >= 401
            || command.field("acceptStandardJsonOnly").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let (mut brokers, mut queues) = (BTreeMap::<&str, Vec<(i64, &Known)>>::new(), String::new());
        for ((name, id), known) in &self.brokers {
            if let Some(config) = known.topics.get(topic) {
                let of_broker = brokers.entry(name).or_default();
                if of_broker.is_empty() {
                    let comma = if queues.is_empty() { "" } else { "," };
                    write!(
                        queues,
                        "{comma}{{\"brokerName\":{},\"perm\":{},\"readQueueNums\":{},\"topicSysFlag\":{},\
                         \"writeQueueNums\":{}}}",
                        quoted(name),
                        config.perm,
                        config.read_queues,
                        config.sys_flag,
                        config.write_queues
                    )
                    .expect("writing to memory");
                }
                of_broker.push((*id, known));
            }
        }
        if brokers.is_empty() {
            let remark =
                format!("No topic route info in name server for the topic: {topic}{}", self.line.advice());
            return Reply::refuse(17, remark);
        }
        let brokers: Vec<String> =
            brokers.iter().map(|(name, of_broker)| self.broker_data(name, of_broker, standard)).collect();
        Reply::body(format!(
            "{{\"brokerDatas\":[{}],\"filterServerTable\":{{}},\"queueDatas\":[{queues}]}}",
            brokers.join(",")
        ))
    }

    fn broker_data(&self, name: &str, of_broker: &[(i64, &Known)], standard: bool) -> String {
        let addresses: Vec<String> = of_broker
            .iter()
            .map(|(id, known)| {
                let id = if standard { format!("\"{id}\"") } else { id.to_string() };
                format!("{id}:{}", quoted(&known.address))
            })
            .collect();
        let cluster = of_broker.first().map_or("", |(_, known)| &known.cluster);
        let acting = match self.line {
            Line::V4_9 => "",
            Line::V5 => ",\"enableActingMaster\":false",
        };
        format!(
            "{{\"brokerAddrs\":{{{}}},\"brokerName\":{},\"cluster\":{}{acting}}}",
            addresses.join(","),
            quoted(name),
            quoted(cluster)
        )
    }

    fn cluster(&self) -> Reply {
        let (mut brokers, mut clusters) =
            (BTreeMap::<&str, Vec<(i64, &Known)>>::new(), BTreeMap::<&str, Vec<&str>>::new());
        for ((name, id), known) in &self.brokers {
            if !brokers.contains_key(&**name) {
                clusters.entry(&known.cluster).or_default().push(name);
            }
            brokers.entry(name).or_default().push((*id, known));
        }
        let brokers: Vec<String> = brokers
            .iter()
            .map(|(name, of_broker)| format!("{}:{}", quoted(name), self.broker_data(name, of_broker, false)))
            .collect();
        let clusters = serde_json::json!(clusters);
        Reply::body(format!(
            "{{\"brokerAddrTable\":{{{}}},\"clusterAddrTable\":{clusters}}}",
            brokers.join(",")
        ))
    }

    fn all_topics(&self) -> Reply {
        let mut topics: Vec<&str> =
            self.brokers.values().flat_map(|known| known.topics.keys()).map(|t| &**t).collect();
        topics.sort_unstable();
        topics.dedup();
        Reply::body(serde_json::json!({ "topicList": topics }).to_string())
    }

    fn delete_topic(&mut self, command: &Command<'_>) -> Reply {
        let Some(topic) = command.field("topic") else { return Reply::exception("field topic is missing") };
        for known in self.brokers.values_mut() {
            known.topics.remove(topic);
        }
        Reply::ok()
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
