//! A client's connections: what becomes of its dials, and how it hears of their end.

use fusee_core::error::LostWhy;
use fusee_core::ids::{Address, ConnId};
use fusee_core::{ConnState, Input, Lost};

use super::faults::Connect;
use super::link::{Link, Payload};
use super::{Event, What, World};

impl World {
    pub(super) fn dial(&mut self, at: usize, conn: ConnId, address: &Address) {
        let name = address.to_string();
        let (current, stale) = (self.addresses.get(&name).copied(), self.stale.get(&name).copied());
        let Some(server) = current.or(stale) else {
            if self.checks.corrupted {
                return; // nobody is there, and nobody says so
            }
            return self.checks.broken("P3", format!("client {at} dials {address}, which nobody told it"));
        };
        let life = self.clients[at].life;
        let open = self.clients[at].links.values().any(|link| {
            let link = &self.links[*link];
            let same = link.server == server && link.life == life && link.port == address.port();
            same && link.client_open && !link.told_to_go
        });
        if open {
            return self.checks.broken("R4", format!("client {at} dials server {server} a second time"));
        }
        self.clients[at].backing_off.remove(&server);
        // Full jitter from 50 ms on: a hundred attempts take seconds, whatever it draws.
        let dials = self.clients[at].dials.entry(server).or_default();
        dials.push_back(self.now);
        if dials.len() > 100 && dials.pop_front().is_some_and(|first| first + 1_000_000 > self.now) {
            self.checks
                .broken("R7", format!("client {at} dialled server {server} a hundred times in a second"));
        }
        let link = self.links.len();
        let mut state = Link::new(at, life, conn, server);
        state.port = address.port();
        self.links.push(state);
        self.clients[at].links.insert(conn, link);
        self.note(What::Dial, at, u64::try_from(server).unwrap_or(0), u64::try_from(link).unwrap_or(0));
        let delay = self.faults.delay(&mut self.random, at, server, true, 0);
        let due = self.now + 100 + self.random.below(400) + delay;
        self.schedule(due, Event::Meets { link });
    }

    /// What becomes of a connect.
    pub(super) fn meets(&mut self, link: usize) {
        let Link { client: at, server, conn, life, client_open, .. } = self.links[link];
        if !client_open || self.clients[at].life != life {
            return;
        }
        if self.clients[at].suspended {
            return self.schedule(self.now + 50_000, Event::Meets { link });
        }
        let dead = self.servers[server].machine.is_dead();
        let moved = self.links[link].port != self.servers[server].address.port();
        let connect = self.faults.connect(self.now, at, server);
        if dead && self.servers[server].silent && connect != Connect::NoSocket {
            return;
        }
        match connect {
            Connect::NoSocket => self.lost(link, LostWhy::Io("too many open files".into())),
            Connect::Refused => self.lost(link, LostWhy::Refused),
            Connect::Nothing => {}
            Connect::Up if dead || moved => self.lost(link, LostWhy::Refused),
            Connect::Up => {
                self.accept(link);
                let now = self.now;
                let state = &mut self.links[link];
                (state.connected, state.up_since) = (true, now);
                self.note(What::Up, at, u64::try_from(link).unwrap_or(0), 0);
                self.poke(at, Input::Connected(conn));
            }
        }
    }

    /// The driver's end of a connection is over; the core hears of it.
    pub(super) fn lost(&mut self, link: usize, why: LostWhy) {
        let Link { client: at, server, conn, started, connected, .. } = self.links[link];
        self.links[link].client_open = false;
        self.links[link].queue.clear();
        self.clients[at].links.remove(&conn);
        self.note(What::Lost, at, u64::try_from(link).unwrap_or(0), u64::from(connected));
        let failures = self.clients[at].failures.entry(server).or_default();
        *failures += 1;
        // 50 ms doubling to 2 s, whatever the jitter draws; one doubling more, for a failure only the core counts.
        let most = (50_000_u64 << (*failures).min(10)).min(2_000_000);
        let until = self.now + most + 1;
        self.poke(at, Input::Lost(conn, Lost { why, started }));
        let address = self.servers[server].address.to_string();
        if self.state_of(at, &address) == Some(ConnState::Backoff) {
            self.clients[at].backing_off.insert(server, until);
        }
    }

    pub(super) fn state_of(&self, at: usize, address: &str) -> Option<ConnState> {
        let core = self.clients[at].core.as_ref()?;
        core.connections().find(|of| of.address.as_str() == address).map(|of| of.state)
    }

    /// R7: the next attempt comes within the back-off that the failures so far allow.
    pub(super) fn check_backoff(&mut self, at: usize) {
        let (now, process) = (self.now, &mut self.clients[at]);
        // What is due happens when the core is told of the time: one that stands still, or is told late, dials nobody.
        let told = process.handled;
        let over = process.backing_off.iter().find(|(_, until)| **until < told).map(|(s, u)| (*s, *u));
        if let Some((server, until)) = over {
            process.backing_off.remove(&server);
            let address = self.servers[server].address.to_string();
            if self.state_of(at, &address) == Some(ConnState::Backoff) {
                let failures = self.clients[at].failures.get(&server).copied().unwrap_or(0);
                let text = format!(
                    "client {at} still backs off from server {server} at {now} µs, due at {until} µs after {failures} failures"
                );
                self.checks.broken("R7", text);
            }
        }
    }

    pub(super) fn hang_up(&mut self, at: usize, conn: ConnId) {
        let Some(link) = self.clients[at].links.remove(&conn) else { return };
        let (server, life) = (self.links[link].server, self.links[link].life);
        self.note(What::Hangup, at, u64::try_from(link).unwrap_or(0), 0);
        // Its own hang-ups count as failures to the core, and end the back-off's grace for the checks.
        *self.clients[at].failures.entry(server).or_default() += 1;
        self.close_link(link, Payload::Fin);
        self.schedule(self.now + 10, Event::HungUp { client: at, life, conn });
    }

    pub(super) fn close_link(&mut self, link: usize, how: Payload) {
        let state = &mut self.links[link];
        state.client_open = false;
        state.queue.clear();
        state.live.clear();
        if state.server_open {
            self.travel(link, true, how);
        }
    }

    pub(super) fn hung_up(&mut self, at: usize, life: u64, conn: ConnId) {
        if self.clients[at].life != life {
            return;
        }
        if self.clients[at].suspended {
            self.schedule(self.now + 50_000, Event::HungUp { client: at, life, conn });
        } else {
            self.poke(at, Input::Lost(conn, Lost { why: LostWhy::Closed, started: 0 }));
        }
    }
}
