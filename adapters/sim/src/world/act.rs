//! What faults do when they begin and when they end.
#![expect(clippy::wildcard_enum_match_arm, reason = "most faults act where bytes, time or answers pass")]

use std::time::Duration;

use bytes::Bytes;

use super::app::CHURN;
use super::link::Payload;
use super::plan::{Fault, Kind};
use super::server::Machine;
use super::{Event, TOPIC, What, World};
use crate::codec::{Command, Dialect, encode};
use crate::model::broker::{Code, Op};
use crate::model::topics::{READ, TopicConfig, WRITE};

impl World {
    pub(super) fn fault(&mut self, index: usize, begins: bool) {
        let fault = self.plan.faults[index];
        self.note(if begins { What::Fault } else { What::Healed }, index, 0, 0);
        if begins {
            self.faults.begin(index, fault);
            self.begins(fault);
        } else {
            self.faults.end(index);
            self.ends(fault);
            self.release();
        }
    }

    fn begins(&mut self, fault: Fault) {
        let server = fault.server.unwrap_or(self.plan.name_servers);
        let client = fault.client.unwrap_or(0);
        match fault.kind {
            Kind::N07 | Kind::N17 => self.each_link(fault, Self::reset),
            Kind::N08 => self.each_link(fault, |world, link| world.travel(link, false, Payload::Fin)),
            Kind::M1 => self.each_link(fault, Self::garbage),
            Kind::M2 | Kind::M3 | Kind::M4 | Kind::M5 | Kind::M6 => {
                self.each_link(fault, |world, link| world.nonsense(link, fault.kind));
            }
            Kind::M12 => self.each_link(fault, Self::starves),
            Kind::N19 => self.each_link(fault, |world, link| {
                world.links[link].ghost = true;
                world.travel(link, false, Payload::Reset);
            }),
            Kind::B20 | Kind::B21 | Kind::B22 => self.each_link(fault, |world, link| {
                if world.is_broker(world.links[link].server) {
                    for _ in 0..fault.amount {
                        world.asks_client(link, fault.kind);
                    }
                }
            }),
            Kind::M11 => self.each_link(fault, Self::stray),
            Kind::N18 | Kind::B01 | Kind::B02 | Kind::B03 | Kind::NS1 | Kind::NS3 => {
                self.crashes(server, fault);
            }
            Kind::B04 => self.servers[server].frozen = true,
            Kind::B28 => {
                if let Some(broker) = self.servers[server].machine.broker() {
                    broker.drain();
                }
                self.faults.fire(fault.kind);
            }
            Kind::B06 | Kind::B07 | Kind::B08 | Kind::B09 | Kind::B11 | Kind::B12 | Kind::B16 => {
                self.order(server, fault);
            }
            Kind::B15 => self.hold(server, fault),
            Kind::A7 => self.wanders(client, fault.amount),
            Kind::X5 => {
                for _ in 0..fault.amount {
                    self.churned += 1;
                    self.send(client, 32, CHURN, self.churned, None);
                }
            }
            Kind::B10 => self.perm(server, READ),
            Kind::B13 => self.expires(server, fault),
            Kind::B25 => {
                let queues = self.plan.queues + 1 + i32::try_from(fault.amount % 3).unwrap_or(0);
                self.with_topic(server, |config| {
                    let most = config.read_queues.max(queues);
                    (config.read_queues, config.write_queues) = (most, most);
                });
            }
            Kind::NS2 => self.servers[server].deaf = true,
            Kind::NS4 => {
                let names = usize::try_from(fault.amount).unwrap_or(0) % self.plan.name_servers;
                self.servers[names].blind = Some(server);
                if let Machine::Names(machine) = &mut self.servers[names].machine {
                    machine.broker_lost(&format!("broker-{}", server - self.plan.name_servers));
                }
            }
            Kind::C2 => self.suspend(client, true),
            Kind::A6 => self.closes(client),
            Kind::A9 if !self.clients[client].suspended && self.clients[client].core.is_some() => {
                self.killed(client);
                let delay = 1_000 * (1 + fault.amount);
                self.schedule(self.now + delay, Event::Starts { client });
            }
            Kind::A11 => {
                for at in 0..fault.amount {
                    self.send(client, 32, 20 + at % 80, at % 8, None);
                }
            }
            _ => {}
        }
        if matches!(
            fault.kind,
            Kind::B04
                | Kind::B10
                | Kind::B25
                | Kind::NS2
                | Kind::NS4
                | Kind::C2
                | Kind::A6
                | Kind::A9
                | Kind::A11
                | Kind::X5
        ) {
            self.faults.fire(fault.kind);
        }
    }

    fn ends(&mut self, fault: Fault) {
        let server = fault.server.unwrap_or(self.plan.name_servers);
        let client = fault.client.unwrap_or(0);
        match fault.kind {
            Kind::N09 => {
                self.faults.fire(Kind::N09);
                self.each_link(fault, Self::reset);
            }
            Kind::N18 | Kind::B01 | Kind::B02 | Kind::B03 | Kind::NS1 | Kind::NS3 => {
                self.schedule(self.now, Event::Lives { server });
            }
            Kind::B04 => self.servers[server].frozen = false,
            Kind::N19 | Kind::M12 => {
                for link in self.links_of(fault.client, fault.server) {
                    let state = &self.links[link];
                    if fault.kind == Kind::M12 && state.starved && state.server_open {
                        self.links[link].starved = false;
                        self.reset(link);
                    } else if fault.kind == Kind::N19 && state.ghost {
                        self.links[link].ghost = false;
                        self.travel(link, true, Payload::Reset);
                    }
                }
            }
            Kind::B15 => {
                if let Some(broker) = self.servers[server].machine.broker() {
                    broker.hold_pulls(None);
                }
            }
            Kind::A7 => self.settles_down(client),
            Kind::B06 | Kind::B07 | Kind::B08 | Kind::B09 | Kind::B11 | Kind::B12 | Kind::B16 => {
                if let Some(broker) = self.servers[server].machine.broker() {
                    broker.stop_failing();
                }
            }
            Kind::B10 => self.perm(server, READ | WRITE),
            Kind::B28 => {
                // It goes, and comes back at once.
                self.dies(server, false);
                self.schedule(self.now + 2_000_000, Event::Lives { server });
            }
            Kind::NS2 => self.servers[server].deaf = false,
            Kind::NS4 => {
                for names in 0..self.plan.name_servers {
                    if self.servers[names].blind == Some(server) {
                        self.servers[names].blind = None;
                    }
                }
            }
            Kind::C2 => self.suspend(client, false),
            Kind::A6 => self.schedule(self.now + 11_000_000, Event::Starts { client }),
            _ => {}
        }
    }

    fn each_link(&mut self, fault: Fault, act: impl Fn(&mut Self, usize)) {
        for link in self.links_of(fault.client, fault.server) {
            if self.links[link].server_open && self.links[link].client_open {
                self.faults.fire(fault.kind);
                act(self, link);
            }
        }
    }

    fn crashes(&mut self, server: usize, fault: Fault) {
        if self.servers[server].machine.is_dead() {
            return;
        }
        self.faults.fire(fault.kind);
        let silent = fault.kind == Kind::B01 && fault.amount.is_multiple_of(3);
        self.dies(server, silent);
        let now = self.time();
        if let Machine::Dead(store) = &mut self.servers[server].machine {
            match fault.kind {
                Kind::B02 => {
                    let since = now.saturating_sub(Duration::from_millis(fault.amount));
                    for (topic, queue, offset) in store.lose_messages_after(since) {
                        if &*topic == TOPIC {
                            self.checks.disturb(server, queue, Some(offset));
                        }
                    }
                }
                Kind::B03 => {
                    store.lose_unflushed_offsets();
                    self.checks.offsets_lost(server);
                }
                Kind::N18 => {
                    let slot = &mut self.servers[server];
                    let port = slot.address.port() + 1;
                    slot.address.set_port(port);
                    if let Some(config) = &mut slot.config {
                        config.address.set_port(port);
                    }
                    let address = slot.address.to_string();
                    self.addresses.retain(|_, at| *at != server);
                    self.addresses.insert(address, server);
                    for old in 10_911..port {
                        let mut stale = self.servers[server].address;
                        stale.set_port(old);
                        self.stale.insert(stale.to_string(), server);
                    }
                }
                _ => {}
            }
        }
    }

    fn order(&mut self, server: usize, fault: Fault) {
        let Some(broker) = self.servers[server].machine.broker() else { return };
        let times = 1 + u32::try_from(fault.amount % 50).unwrap_or(0);
        let pick = fault.amount % 4;
        let (op, code) = match (fault.kind, pick) {
            (Kind::B06, 0) => (Op::Send, Code::TimeoutCleanQueue),
            (Kind::B06, 1) => (Op::Pull, Code::FlowControl),
            (Kind::B06, _) => (Op::Send, Code::SystemBusy),
            (Kind::B07, 0) => (Op::Send, Code::SystemError),
            (Kind::B07, 1) => (Op::Pull, Code::SystemError),
            (Kind::B07, 2) => (Op::UpdateOffset, Code::SystemError),
            (Kind::B07, _) => (Op::Send, Code::ServiceNotAvailable),
            (Kind::B08, 0) => (Op::Send, Code::FlushDiskTimeout),
            (Kind::B08, 1) => (Op::Send, Code::FlushSlaveTimeout),
            (Kind::B08, _) => (Op::Send, Code::SlaveNotAvailable),
            (Kind::B11, 0) => (Op::Send, Code::TopicNotExist),
            (Kind::B11, 1) => (Op::Pull, Code::TopicNotExist),
            (Kind::B11, 2) => (Op::Pull, Code::GroupNotExist),
            (Kind::B11, _) => (Op::UpdateOffset, Code::GroupNotExist),
            (Kind::B12, 0 | 1) => (Op::Pull, Code::SubscriptionNotExist),
            (Kind::B12, _) => (Op::Pull, Code::SubscriptionNotLatest),
            (Kind::B16, _) => (Op::QueryOffset, Code::SystemError),
            _ => (Op::Send, Code::SystemErrorDone),
        };
        broker.fail_next(op, code, times);
        self.faults.fire(fault.kind);
    }

    /// Pulls that find nothing are answered at once, or held for longer than they asked for.
    fn hold(&mut self, server: usize, fault: Fault) {
        let Some(broker) = self.servers[server].machine.broker() else { return };
        let longer = Duration::from_secs(20 + fault.amount % 40);
        broker.hold_pulls(Some(if fault.amount.is_multiple_of(2) { Duration::ZERO } else { longer }));
        self.faults.fire(fault.kind);
    }

    fn with_topic(&mut self, server: usize, change: impl FnOnce(&mut TopicConfig)) {
        let Some(broker) = self.servers[server].machine.broker() else { return };
        if let Some(mut config) = broker.store().topics.get(TOPIC).copied() {
            change(&mut config);
            broker.create_topic(TOPIC, config);
            self.served(server);
        }
    }

    fn perm(&mut self, server: usize, perm: i32) {
        if let Machine::Dead(store) = &mut self.servers[server].machine
            && let Some(config) = store.topics.get_mut(TOPIC)
        {
            config.perm = perm;
        }
        self.with_topic(server, |config| config.perm = perm);
    }

    fn expires(&mut self, server: usize, fault: Fault) {
        let queue = i32::try_from(fault.amount % 4).unwrap_or(0) % self.plan.queues;
        let Some(broker) = self.servers[server].machine.broker() else { return };
        let (min, max) = broker.store().log.range(TOPIC, queue);
        broker.expire(TOPIC, queue, min + (max - min) / 2);
        self.checks.disturb(server, queue, None);
        self.faults.fire(fault.kind);
    }

    /// Bytes that are no frame.
    fn garbage(&mut self, link: usize) {
        self.links[link].tampered = true;
        let count = usize::try_from(8 + self.random.below(64)).unwrap_or(8);
        let bytes: Vec<u8> = (0..count).map(|_| self.random.bits().to_le_bytes()[0]).collect();
        self.travel(link, false, Payload::Bytes(Bytes::from(bytes)));
    }

    /// Replies nobody asked for.
    fn stray(&mut self, link: usize) {
        for _ in 0..5 {
            let [a, b, c, d, ..] = self.random.bits().to_le_bytes();
            let mut frame = Vec::new();
            let opaque = Some(i32::from_le_bytes([a, b, c, d]));
            encode(
                &Command { opaque, flag: 1, version: 513, ..Command::default() },
                Dialect::Json,
                &mut frame,
            );
            self.send_down(link, Bytes::from(frame));
        }
    }
}
