//! The application on top of a client: it sends, reads, and hears how its commands ended.
#![expect(clippy::wildcard_enum_match_arm, reason = "what the checks do not look at needs no arm")]

use fusee_core::error::{RejectedWhy, Stored};
use fusee_core::ids::{BrokerName, Group, Queue, Ticket, Topic};
use fusee_core::wire::{PropertyText, Text};
use fusee_core::{Choice, Note, Outcome, Prepared, PullConfig, StartFrom, UnixMillis};

use super::checks::id_of;
use super::client::{Call, GROUP, SETTLES};
use super::plan::Kind;
use super::{Event, TOPIC, UNIX_AT_ZERO, What, World};

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
        self.send(work.client, size, dice, queue);
        self.schedule(self.now + gap, Event::Work { index });
    }

    pub(super) fn send(&mut self, at: usize, size: u64, dice: u64, queue: u64) {
        let now = self.instant();
        if self.clients[at].suspended || self.clients[at].closing_since.is_some() {
            return;
        }
        let Some(producer) = self.clients[at].producer else { return };
        let (topic, choice) = match dice {
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
        let result = core.producer(producer).send(now, message, choice, ticket);
        self.note(What::Invoke, at, u64::try_from(key).unwrap_or(0), ticket.0);
        match result {
            Ok(()) => drop(self.clients[at].pending.insert(ticket.0, (self.now, key))),
            Err(rejected) => {
                self.checks.failed(key, false, "rejected");
                self.note(What::Rejected, at, u64::try_from(key).unwrap_or(0), 0);
                if rejected.why == RejectedWhy::Full && self.clients[at].pending.len() < 60_000 {
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
            let name = pulled.queue.broker.as_str();
            let broker =
                name.strip_prefix("broker-").and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
            let place = (broker + self.plan.name_servers, pulled.queue.queue);
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
        let Some((taken, settled)) = process.positions.get(&(server, queue)).copied() else {
            return 0; // reading begins at the oldest message, and says so
        };
        // A consumer that is closed has dealt with all it took.
        if process.last_taken == Some((server, queue)) { settled } else { taken }
    }

    pub(super) fn noted(&mut self, at: usize, note: Note) {
        if let Note::OffsetMoved { queue, to, .. } = note {
            let broker = queue.broker.as_str().strip_prefix("broker-").and_then(|n| n.parse::<usize>().ok());
            let place = (broker.unwrap_or(0) + self.plan.name_servers, queue.queue);
            self.clients[at].moved.insert(place, to);
        }
    }
}
