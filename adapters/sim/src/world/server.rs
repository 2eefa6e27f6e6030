//! Model servers in the world: what reaches them, what they answer, their deaths.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::link::Payload;
use super::plan::Kind;
use super::{Event, TOPIC, UNIX_AT_ZERO, What, World, server_address};
use crate::model::broker::Store;
use crate::model::topics::TopicConfig;
use crate::model::{Broker, BrokerConfig, Conn, Event as Seen, Line, NameServer, Output, Registration};

/// A server, alive or not.
pub(super) struct Server {
    pub(super) machine: Machine,
    pub(super) config: Option<BrokerConfig>,
    pub(super) address: SocketAddr,
    pub(super) life: u64,
    /// It stands still.
    pub(super) frozen: bool,
    /// It hears nothing of brokers.
    pub(super) deaf: bool,
    /// It hears nothing of this broker.
    pub(super) blind: Option<usize>,
    /// It died without a word.
    pub(super) silent: bool,
}

pub(super) enum Machine {
    Names(Box<NameServer>),
    Broker(Box<Broker>),
    /// What is on its disk.
    Dead(Box<Store>),
}

impl Machine {
    pub(super) const fn broker(&mut self) -> Option<&mut Broker> {
        if let Self::Broker(broker) = self { Some(broker) } else { None }
    }

    pub(super) const fn is_dead(&self) -> bool {
        matches!(self, Self::Dead(_))
    }

    fn poll(&mut self) -> Option<Output> {
        match self {
            Self::Names(machine) => machine.poll(),
            Self::Broker(machine) => machine.poll(),
            Self::Dead(_) => None,
        }
    }
}

impl World {
    pub(super) fn add_server(&mut self, at: usize) {
        let is_broker = self.is_broker(at);
        let address = server_address(&self.plan, at, if is_broker { 10_911 } else { 9_876 });
        let (machine, config) = if is_broker {
            let number = at - self.plan.name_servers;
            let mut config = BrokerConfig::new(&format!("broker-{number}"), address);
            config.line = if self.plan.old[number] { Line::V4_9 } else { Line::V5 };
            config.unix_at_zero = UNIX_AT_ZERO;
            config.seed = self.plan.seed;
            config.observed = true;
            let mut store = Store::default();
            store.topics.insert(TOPIC.into(), TopicConfig::new(self.plan.queues));
            let broker = Broker::start(Duration::ZERO, config.clone(), store);
            (Machine::Broker(Box::new(broker)), Some(config))
        } else {
            (Machine::Names(Box::new(self.name_server())), None)
        };
        self.addresses.insert(address.to_string(), at);
        self.servers.push(Server {
            machine,
            config,
            address,
            life: 0,
            frozen: false,
            deaf: false,
            blind: None,
            silent: false,
        });
        self.served(at);
        self.schedule_tick(at);
    }

    fn name_server(&self) -> NameServer {
        let all_old = self.plan.old.iter().all(|old| *old);
        NameServer::start(self.time(), if all_old { Line::V4_9 } else { Line::V5 }, true)
    }

    fn schedule_tick(&mut self, server: usize) {
        let due = match &self.servers[server].machine {
            Machine::Names(machine) => machine.deadline(),
            Machine::Broker(machine) => machine.deadline(),
            Machine::Dead(_) => return,
        };
        let life = self.servers[server].life;
        self.schedule(u64::try_from(due.as_micros()).unwrap_or(u64::MAX), Event::Tick { server, life });
    }

    pub(super) fn tick(&mut self, server: usize, life: u64) {
        if self.servers[server].life != life {
            return;
        }
        if self.servers[server].frozen {
            self.schedule(self.now + 100_000, Event::Tick { server, life });
            return;
        }
        let now = self.time();
        match &mut self.servers[server].machine {
            Machine::Names(machine) => machine.tick(now),
            Machine::Broker(machine) => machine.tick(now),
            Machine::Dead(_) => return,
        }
        self.served(server);
        self.schedule_tick(server);
    }

    /// A connect reaches a server that takes it.
    pub(super) fn accept(&mut self, link: usize) {
        let server = self.links[link].server;
        let client = u8::try_from(self.links[link].client).unwrap_or(0);
        self.next_port = self.next_port.checked_add(1).unwrap_or(20_000);
        let peer = SocketAddr::from(([10, 0, 2, client + 1], self.next_port));
        let (now, conn) = (self.time(), conn_of(link));
        self.links[link].server_open = true;
        match &mut self.servers[server].machine {
            Machine::Names(machine) => machine.connected(now, conn, peer),
            Machine::Broker(machine) => machine.connected(now, conn, peer),
            Machine::Dead(_) => {}
        }
    }

    pub(super) fn reaches_server(&mut self, link: usize, payload: Payload) {
        let server = self.links[link].server;
        if self.servers[server].machine.is_dead() && self.servers[server].silent {
            return;
        }
        if !self.links[link].server_open {
            if let Payload::Bytes(_) = payload {
                self.travel(link, false, Payload::Reset);
            }
            return;
        }
        let (now, conn) = (self.time(), conn_of(link));
        match payload {
            Payload::Bytes(bytes) => match &mut self.servers[server].machine {
                Machine::Names(machine) => machine.received(now, conn, &bytes),
                Machine::Broker(machine) => machine.received(now, conn, &bytes),
                Machine::Dead(_) => {}
            },
            Payload::Fin | Payload::Reset => {
                self.links[link].server_open = false;
                match &mut self.servers[server].machine {
                    Machine::Names(machine) => machine.closed(conn),
                    Machine::Broker(machine) => machine.closed(now, conn),
                    Machine::Dead(_) => {}
                }
            }
        }
        self.served(server);
    }

    /// Carries out what a server wants.
    pub(super) fn served(&mut self, server: usize) {
        let mut asked = 0;
        while let Some(output) = self.servers[server].machine.poll() {
            match output {
                Output::Event(seen) => {
                    if let Seen::Answered { asked: code, .. } = seen {
                        asked = code;
                    }
                    self.seen(server, seen);
                }
                Output::Send(conn, frame) => self.answers(conn, asked, frame),
                Output::Close(conn) => {
                    let link = link_of(conn);
                    if self.links[link].server_open {
                        self.links[link].server_open = false;
                        self.travel(link, false, Payload::Fin);
                    }
                }
                Output::Register(news) => {
                    for names in 0..self.plan.name_servers {
                        let at = self.now + 100 + self.random.below(400);
                        self.schedule(at, Event::Registers { server: names, news: news.clone() });
                    }
                }
            }
        }
    }

    fn answers(&mut self, conn: Conn, asked: i32, mut frame: Vec<u8>) {
        let link = link_of(conn);
        let (client, server) = (self.links[link].client, self.links[link].server);
        if !self.links[link].server_open {
            return;
        }
        if asked != 0 && self.faults.loses(Kind::N15, client, server, asked) {
            self.links[link].down.clear();
            return self.reset(link);
        }
        if !self.faults.none() {
            frame = self.tamper(link, asked, frame);
        }
        if self.faults.corrupt(&mut self.random, client, server, &mut frame) {
            self.checks.corrupted = true;
        }
        let twice = self.faults.amount(Kind::M11, client, server).is_some() && self.random.chance(0.5);
        let frame = Bytes::from(frame);
        if twice {
            self.faults.fire(Kind::M11);
            self.send_down(link, frame.clone());
        }
        self.send_down(link, frame);
    }

    pub(super) fn send_down(&mut self, link: usize, mut bytes: Bytes) {
        if self.links[link].starved {
            return;
        }
        let piece = self.faults.piece(self.links[link].client, self.links[link].server);
        while bytes.len() > piece {
            let head = bytes.split_to(piece);
            self.travel(link, false, Payload::Bytes(head));
        }
        self.travel(link, false, Payload::Bytes(bytes));
    }

    /// What a server did, for the checks.
    fn seen(&mut self, server: usize, seen: Seen) {
        match seen {
            Seen::Append { conn, opaque, key, topic, queue, offset, .. } => {
                self.checks.appended(conn.0, opaque, &key, server, queue, offset);
                if &*topic == TOPIC {
                    self.checks.placed(&key, server, queue, offset);
                }
                let key = super::checks::key_of(&key).unwrap_or(usize::MAX);
                self.note(What::Append, server, u64::try_from(key).unwrap_or(0), offset.cast_unsigned());
            }
            Seen::Answered { conn, opaque, asked, code } => {
                self.frames += 1;
                self.checks.answered(conn.0, opaque, code);
                if code == 3 && !self.checks.corrupted {
                    self.checks.broken("P3", format!("server {server} does not know the request {asked}"));
                }
                self.note(
                    What::Answered,
                    server,
                    u64::from(code.cast_unsigned()),
                    u64::from(opaque.cast_unsigned()),
                );
            }
            Seen::Broken { conn, why } => {
                if !self.checks.corrupted && !self.links[link_of(conn)].tampered {
                    self.checks.broken(
                        "P3",
                        format!("server {server} cannot read what link {} sent: {why}", conn.0),
                    );
                }
            }
            Seen::Commit { conn, topic, queue, offset, .. } => {
                if &*topic == TOPIC {
                    let link = link_of(conn);
                    let settled = self.settled(link, server, queue);
                    let up_since = self.links[link].up_since;
                    self.checks.committed((server, queue), offset, settled, link, up_since, self.now);
                }
                self.note(What::Commit, server, offset.cast_unsigned(), u64::from(queue.cast_unsigned()));
            }
            Seen::Heartbeat { conn, producers, consumers, .. } => {
                let link = &self.links[link_of(conn)];
                let (client, life) = (link.client, link.life);
                self.heartbeat_arrived(client, life, &producers, &consumers);
            }
            Seen::Asked { .. } | Seen::Pull { .. } | Seen::Serve { .. } => self.frames += 1,
        }
    }

    pub(super) fn registers(&mut self, server: usize, news: &Registration) {
        let slot = &mut self.servers[server];
        let broker = slot.blind.map(|at| format!("broker-{}", at - self.plan.name_servers));
        if slot.deaf || broker.as_deref() == Some(&news.broker) {
            return;
        }
        if let Machine::Names(machine) = &mut slot.machine {
            machine.register(Duration::from_micros(self.now), news);
        }
    }

    pub(super) fn vanishes(&mut self, server: usize, broker: usize) {
        let name = format!("broker-{}", broker - self.plan.name_servers);
        let slot = &mut self.servers[server];
        if let Machine::Names(machine) = &mut slot.machine
            && !slot.deaf
        {
            machine.broker_lost(&name);
        }
    }

    /// A server dies; with a word, its connections are reset.
    pub(super) fn dies(&mut self, server: usize, silent: bool) {
        if self.servers[server].machine.is_dead() {
            return;
        }
        self.note(What::Died, server, u64::from(silent), 0);
        let slot = &mut self.servers[server];
        slot.life += 1;
        slot.silent = silent;
        let machine = std::mem::replace(&mut slot.machine, Machine::Dead(Box::default()));
        if let Machine::Broker(broker) = machine {
            slot.machine = Machine::Dead(Box::new(broker.crash()));
            if !silent {
                for names in 0..self.plan.name_servers {
                    let at = self.now + 500;
                    self.schedule(at, Event::Vanishes { server: names, broker: server });
                }
            }
        }
        for link in self.links_of(None, Some(server)) {
            self.links[link].up.clear();
            if self.links[link].server_open {
                self.links[link].server_open = false;
                if silent {
                    self.links[link].down.clear();
                } else {
                    self.travel(link, false, Payload::Reset);
                }
            }
        }
    }

    /// It comes up, with what is on its disk.
    pub(super) fn lives(&mut self, server: usize) {
        let now = self.time();
        let names = (!self.is_broker(server)).then(|| self.name_server());
        let slot = &mut self.servers[server];
        let Machine::Dead(store) = &mut slot.machine else { return };
        let store = std::mem::take(&mut **store);
        slot.machine = match (names, &slot.config) {
            (Some(names), _) => Machine::Names(Box::new(names)),
            (None, Some(config)) => Machine::Broker(Box::new(Broker::start(now, config.clone(), store))),
            (None, None) => return,
        };
        slot.silent = false;
        self.note(What::Lives, server, 0, 0);
        self.served(server);
        self.schedule_tick(server);
    }
}

pub(super) fn conn_of(link: usize) -> Conn {
    Conn(u64::try_from(link).unwrap_or(u64::MAX))
}

fn link_of(conn: Conn) -> usize {
    usize::try_from(conn.0).unwrap_or(usize::MAX)
}
