//! The model of the recorded cluster, to which the requests are said.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use fusee_sim::codec::Command;
use fusee_sim::model::broker::Store;
use fusee_sim::model::{Broker, BrokerConfig, Conn, Line, NameServer, Output};

use crate::seen::{Asked, Seen, decoded, note};

/// The model of the recorded cluster.
pub(crate) struct World {
    now: Duration,
    name_server: NameServer,
    pub(crate) broker: Broker,
    conns: BTreeMap<String, Conn>,
    pub(crate) answers: BTreeMap<Asked, Seen>,
    pub(crate) pushed: BTreeMap<(String, i32, String), usize>,
    asked: BTreeMap<Asked, Command<'static>>,
}

impl World {
    pub(crate) fn new(
        line: Line,
        address: SocketAddr,
        creates: bool,
        unix_at_zero: i64,
        start: Duration,
    ) -> Self {
        let mut config = BrokerConfig::new("broker-a", address);
        config.line = line;
        config.auto_create_topics = creates;
        config.auto_create_groups = creates;
        config.unix_at_zero = unix_at_zero;
        let mut world = Self {
            now: start,
            name_server: NameServer::start(start, line, false),
            broker: Broker::start(start, config, Store::default()),
            conns: BTreeMap::new(),
            answers: BTreeMap::new(),
            pushed: BTreeMap::new(),
            asked: BTreeMap::new(),
        };
        world.settle();
        world
    }

    pub(crate) fn pass_to(&mut self, at: Duration) {
        loop {
            let due = self.broker.deadline().min(self.name_server.deadline());
            if due > at {
                break;
            }
            self.now = self.now.max(due);
            self.broker.tick(self.now);
            self.name_server.tick(self.now);
            self.settle();
        }
        self.now = self.now.max(at);
    }

    pub(crate) fn open(&mut self, name: &str) {
        let conn = Conn(self.conns.len() as u64 + 1);
        self.conns.insert(name.to_owned(), conn);
        let peer = "127.0.0.1:50000".parse().expect("an address");
        if name.starts_with("ns") {
            self.name_server.connected(self.now, conn, peer);
        } else {
            self.broker.connected(self.now, conn, peer);
        }
        self.settle();
    }

    pub(crate) fn close(&mut self, name: &str) {
        let conn = self.conns[name];
        if name.starts_with("ns") {
            self.name_server.closed(conn);
        } else {
            self.broker.closed(self.now, conn);
        }
        self.settle();
    }

    pub(crate) fn say(&mut self, name: &str, bytes: &[u8]) {
        let command = decoded(bytes).1;
        if !command.is_response() {
            self.asked.insert((name.to_owned(), command.opaque.unwrap_or(0)), command);
        }
        let conn = self.conns[name];
        if name.starts_with("ns") {
            self.name_server.received(self.now, conn, bytes);
        } else {
            self.broker.received(self.now, conn, bytes);
        }
        self.settle();
    }

    pub(crate) fn settle(&mut self) {
        while let Some(output) = self.broker.poll().or_else(|| self.name_server.poll()) {
            match output {
                Output::Send(conn, frame) => {
                    let name = self.conns.iter().find(|(_, of)| **of == conn).map(|(name, _)| name.clone());
                    let name = name.expect("a connection of ours");
                    note(&name, &frame, &self.asked, &mut self.answers, &mut self.pushed);
                }
                Output::Register(registration) => self.name_server.register(self.now, &registration),
                Output::Close(_) | Output::Event(_) => {}
            }
        }
    }
}
