//! A broker: who is connected, what is asked, what comes of time (Java: `BrokerController` and its processors).
//!
//! How to use one: [`Broker::start`] it; say [`Broker::connected`], [`Broker::received`], [`Broker::closed`] as things
//! happen and [`Broker::tick`] at [`Broker::deadline`]; after each, take [`Broker::poll`] until `None`.
//! Laws: what is durable lives in [`Store`] and survives a crash, everything else dies with the process; a request is
//! answered once, or held, or one-way.

mod admin;
mod members;
mod offsets;
mod pull;
mod refusals;
mod send;
mod store;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use refusals::Refusals;
pub use refusals::{Code, Op};
pub use store::Store;

use super::connections::{Asker, Connections, Reply};
use super::topics::{self, TopicConfig};
use super::{Conn, Event, Line, Output, Registration};
use crate::codec::{self, Command};
use crate::random::Random;

/// What a broker is told at its start.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Its name.
    pub name: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Where clients reach it, and what it writes into messages.
    pub address: SocketAddr,
    /// Which release it imitates.
    pub line: Line,
    /// Sending to a missing topic makes it.
    pub auto_create_topics: bool,
    /// Using a missing group makes it.
    pub auto_create_groups: bool,
    /// The Unix time, in milliseconds, at the driver's zero.
    pub unix_at_zero: i64,
    /// Where its few random choices come from.
    pub seed: u64,
    /// Whether [`Output::Event`]s are wanted.
    pub observed: bool,
}

impl BrokerConfig {
    /// Stock settings.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            cluster: "DefaultCluster".to_owned(),
            address,
            line: Line::V5,
            auto_create_topics: true,
            auto_create_groups: true,
            unix_at_zero: 1_700_000_000_000,
            seed: 0,
            observed: false,
        }
    }
}

/// A broker.
pub struct Broker {
    config: BrokerConfig,
    connections: Connections,
    store: Store,
    members: members::Members,
    held: pull::Held,
    refusals: Refusals,
    random: Random,
    next_tick: Duration,
    ticks: u64,
    next_register: Duration,
    /// How long pulls are held that find nothing, whatever they ask for.
    hold: Option<Duration>,
    /// It is about to stop and says so to clients that understand.
    draining: bool,
}

/// How often holds are looked at (Java: `PullRequestHoldService`).
const TICK: Duration = Duration::from_secs(5);
/// Java's `registerNameServerPeriod`.
const REGISTER: Duration = Duration::from_secs(30);

impl Broker {
    /// A broker that comes up at `now` with what an earlier life of it left.
    #[must_use]
    pub fn start(now: Duration, config: BrokerConfig, mut store: Store) -> Self {
        for (name, topic) in topics::system_topics(&config.name, &config.cluster, config.auto_create_topics) {
            store.topics.entry(Arc::from(name)).or_insert(topic);
        }
        let mut broker = Self {
            connections: Connections::new(config.line, config.observed),
            store,
            members: members::Members::default(),
            held: pull::Held::default(),
            refusals: Refusals::default(),
            random: Random::new(config.seed).fork(&config.name),
            next_tick: now + TICK,
            ticks: 0,
            next_register: now + REGISTER,
            hold: None,
            draining: false,
            config,
        };
        broker.register();
        broker
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What it keeps on disk.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The process dies; what it kept on disk remains.
    #[must_use]
    pub fn crash(self) -> Store {
        self.store
    }

    /// A client connected from `peer`.
    pub fn connected(&mut self, now: Duration, conn: Conn, peer: SocketAddr) {
        self.connections.connected(now, conn, peer);
    }

    /// A connection ended on the client's side or in between.
    pub fn closed(&mut self, now: Duration, conn: Conn) {
        if self.connections.closed(conn) {
            self.forget(now, conn);
        }
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
        self.forget_closed(now);
    }

    /// Time passed.
    pub fn tick(&mut self, now: Duration) {
        if now >= self.next_register {
            self.next_register = now + REGISTER;
            self.register();
        }
        while now >= self.next_tick {
            self.next_tick += TICK;
            self.ticks += 1;
            self.store.flush_offsets();
            self.check_held(now);
            for conn in self.connections.idle(now) {
                self.connections.close(conn);
            }
            if self.ticks.is_multiple_of(2) {
                for conn in self.members.expire(now) {
                    self.connections.close(conn);
                }
            }
            self.forget_closed(now);
        }
    }

    /// When [`Broker::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.next_tick.min(self.next_register)
    }

    /// What it wants done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.connections.outputs.pop_front()
    }

    /// From now on clients that understand it are told to go (code 1500).
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Makes a topic, or changes it, and tells the name servers.
    pub fn create_topic(&mut self, topic: &str, config: TopicConfig) {
        self.store.topics.insert(Arc::from(topic), config);
        self.register();
    }

    /// Deletes a topic with all that is in it.
    pub fn delete_topic(&mut self, topic: &str) {
        self.store.topics.remove(topic);
        self.store.log.delete(topic);
        self.register();
    }

    /// The oldest messages of a queue, those before `first`, expire.
    pub fn expire(&mut self, topic: &str, queue: i32, first: i64) {
        self.store.log.expire(topic, queue, first);
    }

    /// Answers the next `times` requests of a kind with a code, storing or not as that code implies.
    pub fn fail_next(&mut self, op: Op, code: Code, times: u32) {
        self.refusals.add(op, code, times);
    }

    /// Ends all refusals that [`Broker::fail_next`] ordered and that were not used up.
    pub fn stop_failing(&mut self) {
        self.refusals.clear();
    }

    /// Holds pulls that find nothing for this long, whatever they ask for; `None` does as they ask again.
    pub const fn hold_pulls(&mut self, hold: Option<Duration>) {
        self.hold = hold;
    }

    fn unix(&self, now: Duration) -> i64 {
        self.config.unix_at_zero + i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }

    /// The answers that were ordered and are still due.
    pub(crate) const fn refusals(&mut self) -> &mut Refusals {
        &mut self.refusals
    }

    /// Tells the name servers all there is to tell, ahead of time.
    pub fn register(&mut self) {
        self.connections.outputs.push_back(Output::Register(Arc::new(Registration {
            broker: self.config.name.clone(),
            cluster: self.config.cluster.clone(),
            id: 0,
            address: self.config.address.to_string(),
            topics: self.store.topics.iter().map(|(name, config)| (Arc::clone(name), *config)).collect(),
        })));
    }

    fn asked(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) {
        if self.draining && asker.version > self.config.line.go_away_above() {
            let gone = Reply::refuse(1500, "please go away");
            return self.connections.answer(now, asker, gone);
        }
        let op = Op::of(command.code);
        let refusal = self.refusals.next(op);
        let answer = match refusal {
            Some(code) if !code.executes() => Some(code.reply()),
            _ => self.process(now, asker, command),
        };
        let answer = match (answer, refusal) {
            (Some(reply), Some(code)) if reply.code == 0 => Some(code.overlay(reply)),
            (answer, _) => answer,
        };
        if let Some(reply) = answer {
            self.connections.answer(now, asker, reply);
        }
    }

    /// `None`: the request is held, or was none that is answered.
    fn process(&mut self, now: Duration, asker: &Asker, command: &Command<'_>) -> Option<Reply> {
        Some(match command.code {
            10 | 310 | 320 => self.send(now, asker, command),
            11 => return self.pull(now, asker, command),
            361 if self.config.line == Line::V5 => return self.pull(now, asker, command),
            12 => self.query(command),
            14 => self.query_offset(command),
            15 => self.update_offset(asker, command),
            17 => self.update_topic(command),
            28 => self.runtime_info(now),
            29 => self.search_offset(command),
            30 => self.edge(command, |(_, max)| max, None),
            31 => self.edge(command, |(min, _)| min, (self.config.line == Line::V5).then_some("")),
            32 => self.earliest(command),
            33 => self.view(command),
            34 => self.heartbeat(now, asker, command),
            35 => self.unregister(now, asker, command),
            38 => self.members_of(command),
            43 => self.all_offsets(),
            46 => Self::check_client(command),
            200 => self.update_group(command),
            215 => self.delete(command),
            351 if self.config.line == Line::V5 => self.topic_config(command),
            other => Reply::refuse(3, format!(" request type {other} not supported")),
        })
    }

    fn forget_closed(&mut self, now: Duration) {
        let closed: Vec<Conn> = self
            .connections
            .outputs
            .iter()
            .filter_map(|output| if let Output::Close(conn) = output { Some(*conn) } else { None })
            .collect();
        for conn in closed {
            self.forget(now, conn);
        }
    }

    fn forget(&mut self, now: Duration, conn: Conn) {
        self.held.forget(conn);
        for group in self.members.leave(conn) {
            self.notify(now, &group);
        }
    }

    fn topic(&self, name: &str) -> Option<(Arc<str>, TopicConfig)> {
        self.store.topics.get_key_value(name).map(|(name, config)| (Arc::clone(name), *config))
    }

    /// The group's settings exist, if need be from now on.
    fn group(&mut self, name: &str) -> bool {
        if !self.store.groups.contains(name) {
            if !self.config.auto_create_groups || name.is_empty() {
                return false;
            }
            self.store.groups.insert(name.to_owned());
        }
        true
    }

    /// A field every such request has: Java's processors stumble over a missing one.
    fn need<'a>(command: &'a Command<'_>, name: &str) -> Result<&'a str, Reply> {
        command.field(name).ok_or_else(|| Reply::exception(&format!("field {name} is missing")))
    }

    fn number<T: std::str::FromStr>(command: &Command<'_>, name: &str) -> Result<T, Reply> {
        let text = Self::need(command, name)?;
        text.parse().map_err(|_| Reply::exception(&format!("field {name} is {text:?}")))
    }

    fn advised(&self, remark: &str) -> String {
        format!("{remark}{}", self.config.line.advice())
    }
}

/// Runs a processor that may give up early with its answer.
fn either(result: Result<Reply, Reply>) -> Reply {
    result.unwrap_or_else(|refused| refused)
}

/// Per group, topic and queue.
type Offsets = BTreeMap<Arc<str>, BTreeMap<Arc<str>, BTreeMap<i32, i64>>>;

#[cfg(test)]
#[path = "broker/tests.rs"]
mod tests;
