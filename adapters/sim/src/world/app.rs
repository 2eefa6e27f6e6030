//! The application on top of a client: it sends, reads, and hears how its commands ended.
#![expect(clippy::wildcard_enum_match_arm, reason = "what the checks do not look at needs no arm")]

use fusee_core::error::{RejectedWhy, Stored};
use fusee_core::ids::{BrokerName, Group, Queue, Ticket, Topic};
use fusee_core::wire::{PropertyText, Text};
use fusee_core::{Choice, Note, Outcome, Position, Prepared, PullConfig, StartFrom, UnixMillis};

use super::checks::id_of;
use super::client::{Call, GROUP, Process, Room, SETTLES};
use super::plan::Kind;
use super::{Event, TOPIC, UNIX_AT_ZERO, What, World};

/// The throw of the dice that sends to a topic nobody sends to again.
pub(super) const CHURN: u64 = 1_000;

impl Process {
    /// Whether it may be that a send finds no room.
    fn of_bound(&self) -> bool {
        !self.rooms.is_empty() || self.pending.len() >= self.room.min(60_000)
    }
}

impl World {
    /// One send of a stretch of work, and the time of the next.
    pub(super) fn works(&mut self, index: usize) {
        let work = self.plan.work[index];
        if self.now >= work.until * 1_000 {
            return;
        }
        let random = &mut self.work[index];
        let gap = 1 + random.below(work.every * 2_000);
        let size = random.below(work.bytes);
        let dice = random.below(100);
        let queue = random.below(8);
        if self.faults.amount(Kind::A5, work.client, usize::MAX).is_some() {
            self.waits_for_room(work.client, size, dice, queue);
        } else {
            self.send(work.client, size, dice, queue, None);
        }
        self.schedule(self.now + gap, Event::Work { index });
    }

    /// A send that waits for room first, and whose future may be dropped at any moment.
    fn waits_for_room(&mut self, at: usize, size: u64, dice: u64, queue: u64) {
        let (now, process) = (self.instant(), &mut self.clients[at]);
        if process.suspended || process.closing_since.is_some() {
            return;
        }
        let ticket = process.next_ticket();
        let (Some(producer), Some(core)) = (process.producer, &mut process.core) else { return };
        let patience = *self.random.pick(&[0, 1_000, 100_000, u64::MAX]).unwrap_or(&0);
        let dropped = patience != u64::MAX;
        process.rooms.insert(ticket.0, Room { granted: false, dropped, size, dice, queue });
        core.producer(producer).await_room(now, usize::try_from(size).unwrap_or(0) + 100, ticket);
        if dropped {
            let (life, room) = (process.life, ticket.0);
            let when = self.now + self.random.below(patience + 1);
            self.schedule(when, Event::GivesUp { client: at, life, room });
        }
        self.pump(at);
    }

    /// An application drops its wait for room, or the room it was given.
    pub(super) fn gives_up(&mut self, at: usize, life: u64, room: u64) {
        let process = &mut self.clients[at];
        if process.life != life || !process.rooms.contains_key(&room) {
            return;
        }
        if process.suspended {
            return self.schedule(self.now + 50_000, Event::GivesUp { client: at, life, room });
        }
        let (Some(producer), Some(core)) = (process.producer, &mut process.core) else { return };
        self.faults.fire(Kind::A5);
        core.producer(producer).give_up_room(Ticket(room));
        if process.rooms.get(&room).is_some_and(|room| room.granted) {
            process.rooms.remove(&room);
        }
        self.pump(at);
    }

    /// A wait for room has ended.
    fn has_room(&mut self, at: usize, ticket: Ticket, granted: bool) {
        let process = &mut self.clients[at];
        let waiting = process.rooms.get(&ticket.0).copied().filter(|room| !room.granted);
        let Some(room) = waiting else {
            return self
                .checks
                .broken("S4", format!("client {at} hears again of its wait {} for room", ticket.0));
        };
        if !granted {
            process.rooms.remove(&ticket.0);
        } else if room.dropped {
            process.rooms.insert(ticket.0, Room { granted, ..room });
        } else {
            process.rooms.remove(&ticket.0);
            self.send(at, room.size, room.dice, room.queue, Some(ticket));
        }
    }

    /// A reader stops some of its queues, or goes back in them.
    pub(super) fn wanders(&mut self, at: usize, amount: u64) {
        let (now, process) = (self.instant(), &mut self.clients[at]);
        if process.suspended || process.closing_since.is_some() {
            return;
        }
        let (Some(core), Some(consumer)) = (&mut process.core, process.consumer) else { return };
        self.faults.fire(Kind::A7);
        process.wandered = self.now;
        if amount.is_multiple_of(3) {
            process.paused.clone_from(&process.queues);
            core.consumer(consumer).pause(now, &process.paused);
            return self.pump(at);
        }
        for queue in process.queues.clone() {
            let place = self.place_of(&queue);
            let process = &mut self.clients[at];
            let Some((taken, settled)) = process.positions.get(&place).copied() else { continue };
            let to = i64::try_from(self.random.below(u64::try_from(taken).unwrap_or(0) + 1)).unwrap_or(0);
            let to = if amount % 3 == 1 { Position::Begin } else { Position::Offset(to) };
            let Some(core) = &mut process.core else { return };
            if core.consumer(consumer).seek(now, &queue, to).is_err() {
                return self.checks.broken("A7", format!("client {at} may not seek in {queue}"));
            }
            process.positions.remove(&place);
            process.moved.remove(&place);
            let dealt = if process.last_taken == Some(place) { settled } else { taken };
            let high = process.high.entry(place).or_default();
            *high = (*high).max(dealt);
            if process.last_taken == Some(place) {
                process.last_taken = None;
            }
            self.checks.rewind(place);
        }
        self.pump(at);
    }

    /// It goes on with the queues it stopped.
    pub(super) fn settles_down(&mut self, at: usize) {
        let (now, process) = (self.instant(), &mut self.clients[at]);
        if process.suspended || process.paused.is_empty() {
            return;
        }
        let paused = std::mem::take(&mut process.paused);
        if let (Some(core), Some(consumer)) = (&mut process.core, process.consumer) {
            core.consumer(consumer).resume(now, &paused);
            self.pump(at);
        }
    }

    fn place_of(&self, queue: &Queue) -> (usize, i32) {
        let broker = queue.broker.as_str().strip_prefix("broker-").and_then(|n| n.parse::<usize>().ok());
        (broker.unwrap_or(0) + self.plan.name_servers, queue.queue)
    }

    pub(super) fn send(&mut self, at: usize, size: u64, dice: u64, queue: u64, room: Option<Ticket>) {
        let now = self.instant();
        if self.clients[at].suspended || self.clients[at].closing_since.is_some() {
            return;
        }
        let Some(producer) = self.clients[at].producer else { return };
        let (topic, choice) = match dice {
            CHURN => (format!("churn-{queue}"), Choice::Any),
            0..5 => (format!("made-{}", queue % 3), Choice::Any),
            5..15 => {
                let broker = format!("broker-{}", queue % 2);
                let queue = i32::try_from(queue / 2).unwrap_or(0) % self.plan.queues;
                let named = Queue {
                    topic: Topic::new(TOPIC).expect("a topic name"),
                    broker: BrokerName::new(&broker).expect("a broker name"),
                    queue,
                };
                (TOPIC.to_owned(), Choice::Queue(named))
            }
            _ => (TOPIC.to_owned(), Choice::Any),
        };
        let any = choice == Choice::Any && topic == TOPIC;
        let key = self.checks.sends.len();
        let size = usize::try_from(size).unwrap_or(0) + 16;
        let from = key * 37 % (self.noise.len() - size);
        let body = self.noise.slice(from..from + size);
        self.checks.invoke(at, self.now, body.clone(), any);
        let id = id_of(key);
        let mut properties = PropertyText::new();
        let tag = if dice.is_multiple_of(2) { "even" } else { "odd" };
        properties.put("TAGS", tag).expect("a tag");
        properties.put("UNIQ_KEY", &id).expect("an id");
        let properties = properties.finish();
        self.checks.sends[key].properties = properties.as_str().to_owned();
        let message = Prepared {
            topic: Topic::new(&topic).expect("a topic name"),
            id: Text::from(id),
            properties,
            body,
            sys_flag: 0,
            flag: 7,
            born: UnixMillis(UNIX_AT_ZERO),
        };
        let process = &mut self.clients[at];
        let ticket = process.next_ticket();
        let Some(core) = &mut process.core else { return };
        process.sent_at = self.now;
        if dice == CHURN {
            process.churned.insert(topic, self.now);
        }
        let result = match room {
            Some(room) => core.producer(producer).send_reserved(now, message, choice, room, ticket),
            None => core.producer(producer).send(now, message, choice, ticket),
        };
        self.note(What::Invoke, at, u64::try_from(key).unwrap_or(0), ticket.0);
        match result {
            Ok(()) => {
                let process = &mut self.clients[at];
                process.pending.insert(ticket.0, (self.now, key));
                let (under_way, room) = (process.pending.len(), process.room);
                if under_way > room {
                    let text = format!("client {at} has {under_way} sends under way, {room} are its bound");
                    self.checks.broken("R1", text);
                }
            }
            Err(rejected) => {
                self.checks.failed(key, false, "rejected");
                self.note(What::Rejected, at, u64::try_from(key).unwrap_or(0), 0);
                let process = &self.clients[at];
                if rejected.why == RejectedWhy::Full && process.of_bound() {
                    self.faults.fire(Kind::X1);
                } else if rejected.why == RejectedWhy::Full {
                    self.checks.broken("R1", format!("client {at} has no room for message {key}"));
                }
            }
        }
        self.pump(at);
    }

    pub(super) fn done(&mut self, at: usize, ticket: Ticket, outcome: Outcome) {
        self.clients[at].calls.remove(&ticket.0);
        match outcome {
            Outcome::Sent(result) => {
                let Some((since, key)) = self.clients[at].pending.remove(&ticket.0) else {
                    return self
                        .checks
                        .broken("S4", format!("client {at} hears of ticket {} again", ticket.0));
                };
                let number = u64::try_from(key).unwrap_or(0);
                match result {
                    Ok(receipt) => {
                        let name = receipt.queue.broker.as_str();
                        let broker =
                            name.strip_prefix("broker-").and_then(|number| number.parse::<usize>().ok());
                        let server = broker.map_or(usize::MAX, |broker| broker + self.plan.name_servers);
                        self.checks.stored(key, &receipt, server);
                        self.note(What::Stored, at, number, receipt.offset.cast_unsigned());
                    }
                    Err(error) => {
                        let unknown = error.stored() == Stored::Unknown;
                        self.checks.failed(key, unknown, &error.to_string());
                        self.note(if unknown { What::Unknown } else { What::NotStored }, at, number, 0);
                        let closing = self.clients[at].closing_since.is_some();
                        let settled = self.plan.heals * 1_000 + SETTLES;
                        let born = self.clients[at].groups_changed + 10_000_000;
                        if self.healed
                            && since > settled
                            && since > born
                            && !closing
                            && !self.checks.corrupted
                        {
                            self.checks.broken(
                                "L1",
                                format!("message {key} fails long after all is healed: {error}"),
                            );
                        }
                    }
                }
            }
            Outcome::Connected(Err(_)) => {
                let (now, process) = (self.instant(), &mut self.clients[at]);
                let ticket = process.next_ticket();
                if process.closing_since.is_none()
                    && let Some(core) = &mut process.core
                {
                    process.calls.insert(ticket.0, Call::Connect);
                    core.connect(now, ticket);
                }
            }
            Outcome::Room(result) => self.has_room(at, ticket, result.is_ok()),
            Outcome::Queues(Ok(queues)) => self.reads(at, queues),
            Outcome::Closed(_) => {
                self.note(What::Close, at, 1, 0);
                self.closed(at);
            }
            _ => {}
        }
    }

    /// The application's rounds: consumers look for queues.
    pub(super) fn app(&mut self, at: usize, life: u64) {
        let now = self.instant();
        if self.clients[at].life != life {
            return;
        }
        let process = &mut self.clients[at];
        if at >= self.plan.producers && process.closing_since.is_none() && !process.suspended {
            let ticket = process.next_ticket();
            if let Some(core) = &mut process.core {
                process.calls.insert(ticket.0, Call::Queues);
                core.queues(now, &Topic::new(TOPIC).expect("a topic name"), ticket);
            }
            self.pump(at);
        }
        let again = if self.clients[at].queues.is_empty() { 1_000_000 } else { 30_000_000 };
        if at >= self.plan.producers {
            self.schedule(self.now + again, Event::App { client: at, life });
        }
    }

    /// What kept the application busy is over.
    pub(super) fn free(&mut self, at: usize, life: u64) {
        if self.clients[at].life == life && self.now >= self.clients[at].busy_until {
            if self.clients[at].suspended {
                return self.schedule(self.now + 50_000, Event::Free { client: at, life });
            }
            self.takes(at);
            self.pump(at);
        }
    }

    /// A consumer learns of the topic's queues: every second one is its own.
    pub(super) fn reads(&mut self, at: usize, mut queues: Vec<Queue>) {
        let now = self.instant();
        queues.sort();
        let index = at - self.plan.producers;
        let mine = |queue: &Queue| {
            let broker = queue.broker.as_str().bytes().last().map_or(0, usize::from);
            (usize::try_from(queue.queue).unwrap_or(0) + broker) % self.plan.consumers == index
        };
        queues.retain(mine);
        let bound = self.of_life(Kind::X1, at);
        if bound.is_some() {
            self.faults.fire(Kind::X1);
        }
        let process = &mut self.clients[at];
        // A broker that is away for a moment takes its queues out of the route; they stay this reader's.
        if process.closing_since.is_some() || queues.iter().all(|queue| process.queues.contains(queue)) {
            return;
        }
        let missing: Vec<Queue> =
            queues.iter().filter(|queue| !process.queues.contains(queue)).cloned().collect();
        process.queues.extend(missing);
        let Some(core) = &mut process.core else { return };
        process.groups_changed = self.now;
        match process.consumer {
            Some(consumer) => core.consumer(consumer).assign(now, &process.queues),
            None => {
                let mut config = PullConfig::new(Group::new(GROUP).expect("a group name"));
                config.from = StartFrom::First;
                if let Some(bound) = bound.and_then(|bound| usize::try_from(bound).ok()) {
                    config.cached_per_queue = bound;
                    config.cached_messages = 2 * bound;
                    config.cached_bytes = 100 * bound;
                }
                process.consumer = core.open_pull(now, config, &process.queues).ok();
            }
        }
    }

    /// Messages are there: the application takes them, unless it is busy.
    pub(super) fn takes(&mut self, at: usize) {
        let now = self.instant();
        loop {
            let process = &mut self.clients[at];
            if process.suspended || self.now < process.busy_until || process.closing_since.is_some() {
                return;
            }
            let (Some(core), Some(consumer)) = (&mut process.core, process.consumer) else { return };
            // Coming back for more says that what came before is dealt with.
            if let Some(last) = process.last_taken.take()
                && let Some(position) = process.positions.get_mut(&last)
            {
                position.1 = position.0;
            }
            let Some(pulled) = core.consumer(consumer).take(now) else { return };
            if process.paused.contains(&pulled.queue) {
                return self
                    .checks
                    .broken("S14", format!("client {at} takes of {}, which it paused", pulled.queue));
            }
            let place = self.place_of(&pulled.queue);
            let process = &mut self.clients[at];
            let expected = process.positions.get(&place).map(|position| position.0);
            let moved = process.moved.remove(&place);
            if expected.is_none() {
                self.checks.begins(place, pulled.from, process.born);
            }
            let process = &mut self.clients[at];
            process.positions.insert(place, (pulled.next, expected.unwrap_or(pulled.from).min(pulled.from)));
            process.last_taken = Some(place);
            if let Some(expected) = expected
                && expected != pulled.from
                && moved != Some(pulled.from)
                && !self.checks.corrupted
                && !self.checks.is_disturbed(place.0, place.1)
            {
                let text = format!(
                    "client {at} queue {}: taken up to {expected}, then from {}",
                    pulled.queue, pulled.from
                );
                return self.checks.broken("S11", text);
            }
            self.note(What::Took, at, pulled.from.cast_unsigned(), pulled.next.cast_unsigned());
            self.checks.read(place.0, &pulled);
            if let Some(most) = self.faults.amount(Kind::A1, at, usize::MAX) {
                self.faults.fire(Kind::A1);
                let until = self.now + self.random.below(most * 1_000 + 1);
                let process = &mut self.clients[at];
                process.busy_until = until;
                let life = process.life;
                self.schedule(until, Event::Free { client: at, life });
            }
        }
    }

    /// How far the client at this end of a link has dealt with a queue.
    pub(super) fn settled(&self, link: usize, server: usize, queue: i32) -> i64 {
        let process = &self.clients[self.links[link].client];
        if process.core.is_none() || process.life != self.links[link].life {
            return i64::MAX; // the word of a life that is over
        }
        let before = process.high.get(&(server, queue)).copied().unwrap_or(0);
        let Some((taken, settled)) = process.positions.get(&(server, queue)).copied() else {
            return before; // reading begins at the oldest message, and says so
        };
        // A consumer that is closed has dealt with all it took.
        before.max(if process.last_taken == Some((server, queue)) { settled } else { taken })
    }

    pub(super) fn noted(&mut self, at: usize, note: Note) {
        if let Note::OffsetMoved { queue, to, .. } = note {
            let place = self.place_of(&queue);
            self.clients[at].moved.insert(place, to);
        }
    }
}
