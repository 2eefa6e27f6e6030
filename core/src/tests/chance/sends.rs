//! Sends by chance, held against what the brokers stored.
//!
//! Laws: S1 (a receipt names what is stored), S2 (what was told "not stored" is not, ever), S3 (copies are bounded,
//! and nothing is handed over after the end), S4 (one end, by the deadline), R1 (admission is bounded).

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::error::{RejectedWhy, SendError};
use crate::ids::{Group, ProducerId, Ticket};
use crate::wire::{Request, SendMessage};
use crate::{Choice, Config, Instant, Outcome};

use super::super::bench::{message, queue};
use super::{Answer, BROKERS, Stored, World, millis, say, seeds, with_seed};

#[derive(Default)]
pub(super) struct Sends {
    attempts: u32,
    deadline: Duration,
    /// Admitted: by when they end, and the copies that were handed over.
    admitted: BTreeMap<Ticket, (Instant, u32)>,
    /// The copies of which a byte was written.
    started: BTreeMap<Ticket, u32>,
    /// Tickets whose end nobody has looked at.
    open: Vec<Ticket>,
    /// Waits for room, and what was asked for.
    rooms: BTreeMap<Ticket, usize>,
}

impl Sends {
    pub(super) fn taken(&mut self, request: &Request, done: &BTreeMap<Ticket, (Instant, Outcome)>) {
        let Request::Send(send) = request else { return };
        let ticket = Ticket(token(&send.body));
        assert!(!done.contains_key(&ticket), "S3: {ticket:?} is handed over after its end");
        let (_, copies) = self.admitted.get_mut(&ticket).expect("what is sent was admitted");
        *copies += 1;
    }
}

impl Sends {
    /// A byte of a request was written.
    pub(super) fn started(&mut self, request: &Request) {
        let Request::Send(send) = request else { return };
        let started = self.started.entry(Ticket(token(&send.body))).or_default();
        *started += 1;
        assert!(*started <= self.attempts, "S3: more attempts reach the wire than there may be");
    }
}

fn token(body: &Bytes) -> u64 {
    u64::from_be_bytes(*body.first_chunk::<8>().expect("a token"))
}

impl World {
    /// A broker gets a message.
    pub(super) fn store(&mut self, send: &SendMessage) -> Answer {
        let code = match self.rng.below(12) {
            0..6 => [2, 14, 17, 1500, 13, 215][self.rng.below(6) as usize],
            6..9 => 1,
            _ => 99,
        };
        let refused = self.wrong("refused by the broker");
        if refused && code != 1 && code != 99 {
            return (code, Vec::new(), Bytes::new());
        }
        if refused && self.rng.below(2) == 0 {
            return (code, Vec::new(), Bytes::new());
        }
        let end = self.ends.entry((send.broker.as_str().to_string(), send.queue)).or_default();
        let offset = *end;
        *end += 1;
        let (broker, queue) = (send.broker.as_str().to_string(), send.queue);
        self.stored.push(Stored { token: token(&send.body), broker, queue, offset });
        let mut fields = Vec::from([
            ("msgId", "0A01020300002A9F00000000075BCD15".to_string()),
            ("queueId", queue.to_string()),
            ("queueOffset", offset.to_string()),
        ]);
        if refused {
            return (code, Vec::new(), Bytes::new()); // stored all the same
        }
        if self.wrong("receipt without an offset") {
            fields.pop();
        }
        ([0, 10, 11, 12][self.rng.below(4) as usize], fields, Bytes::new())
    }

    /// After every step: whoever should have ended has.
    pub(super) fn check_sends(&mut self) {
        let (now, admitted, done) = (self.now, &self.sends.admitted, &self.done);
        self.sends.open.retain(|ticket| match done.get(ticket) {
            None => {
                assert!(admitted[ticket].0 > now, "S4: {ticket:?} has not ended by its deadline");
                true
            }
            Some((at, _)) => {
                assert!(*at <= now);
                false
            }
        });
        assert_eq!(self.client.pending_sends(), self.sends.open.len(), "S4: what has not ended is under way");
    }

    fn send(&mut self, producer: ProducerId, room: Option<(Ticket, usize)>) -> bool {
        let ticket = self.ticket();
        let mut message = message(8 + self.rng.below(40) as usize);
        let mut body = Vec::from(ticket.0.to_be_bytes());
        body.extend_from_slice(message.body.get(8..).unwrap_or_default());
        message.body = Bytes::from(body);
        let to = match self.rng.below(4) {
            0 => {
                let broker = BROKERS[self.rng.below(2) as usize];
                Choice::Queue(queue(broker, i32::try_from(self.rng.below(5)).expect("small")))
            }
            _ => Choice::Any,
        };
        self.sends.admitted.insert(ticket, (self.now + self.sends.deadline, 0));
        self.sends.open.push(ticket);
        let now = self.now;
        let result = match room {
            Some((room, _)) => self.client.producer(producer).send_reserved(now, message, to, room, ticket),
            None => self.client.producer(producer).send(now, message, to, ticket),
        };
        if let Err(rejected) = &result {
            let reserved = room.map(|(_, bytes)| bytes);
            assert!(
                rejected.why == RejectedWhy::Closed
                    || reserved.is_none_or(|bytes| bytes < rejected.value.bytes()),
                "reserved room is room"
            );
            self.sends.open.retain(|open| *open != ticket);
            self.sends.admitted.remove(&ticket);
        }
        self.drain();
        result.is_ok()
    }

    fn sends_step(&mut self, producer: ProducerId) {
        match self.rng.below(8) {
            0..5 => drop(self.send(producer, None)),
            5 => {
                let (ticket, bytes) = (self.ticket(), 8 + self.rng.below(40) as usize);
                self.client.producer(producer).await_room(self.now, bytes, ticket);
                self.sends.rooms.insert(ticket, bytes);
                self.drain();
            }
            _ => {
                let rooms: Vec<Ticket> = self.sends.rooms.keys().copied().collect();
                let Some(room) = rooms.get(self.rng.below(rooms.len() as u32) as usize).copied() else {
                    return;
                };
                let granted = matches!(self.done.get(&room), Some((_, Outcome::Room(Ok(())))));
                if granted && self.rng.below(2) == 0 {
                    let reserved = self.sends.rooms.remove(&room).expect("it is one of them");
                    self.send(producer, Some((room, reserved)));
                } else if granted || self.rng.below(4) == 0 {
                    self.sends.rooms.remove(&room);
                    self.client.producer(producer).give_up_room(room);
                    self.drain();
                }
            }
        }
    }

    /// Holds every outcome against the stores.
    fn judge(&self) -> (usize, usize, usize) {
        let mut counts = (0, 0, 0);
        for (ticket, (_, copies)) in &self.sends.admitted {
            let (_, outcome) = self.done.get(ticket).expect("S4: everything ends");
            let Outcome::Sent(result) = outcome else { panic!("{ticket:?} ended as {outcome:?}") };
            let mut places = self.stored.iter().filter(|stored| stored.token == ticket.0);
            match result {
                Ok(receipt) => {
                    let found = places.any(|stored| {
                        stored.offset == receipt.offset
                            && stored.queue == receipt.queue.queue
                            && stored.broker == receipt.queue.broker.as_str()
                    });
                    assert!(found, "S1: {ticket:?} has a receipt of nothing: {receipt}");
                    counts.0 += 1;
                }
                Err(error) if error.stored() == crate::error::Stored::No => {
                    assert_eq!(places.count(), 0, "S2: {ticket:?} is stored, and it was told: {error}");
                    counts.1 += 1;
                }
                Err(error) => {
                    assert!(!matches!(error, SendError::Full), "what is admitted is not full");
                    counts.2 += 1;
                }
            }
            let stored = self.stored.iter().filter(|stored| stored.token == ticket.0).count();
            assert!(stored <= *copies as usize, "the test's own books");
        }
        counts
    }
}

fn run(seed: u64) -> ((usize, usize, usize), BTreeMap<&'static str, u32>) {
    let (mut attempts, mut deadline) = (0, Duration::ZERO);
    let mut world = World::new(seed, |rng, config: &mut Config| {
        config.send.attempts = 1 + rng.below(3);
        config.send.deadline = millis([100, 700, 3000, 10_000][rng.below(4) as usize]);
        if rng.below(2) == 0 {
            config.send.admitted_messages = 1 + rng.below(20) as usize;
        }
        if rng.below(2) == 0 {
            config.send.admitted_bytes = 1 + rng.below(400) as usize;
        }
        (attempts, deadline) = (config.send.attempts, config.send.deadline);
    });
    (world.sends.attempts, world.sends.deadline) = (attempts, deadline);
    let producer = world.client.open_producer(world.now, Group::new("g").expect("a group")).expect("opens");
    world.drain();
    let pace = 1 + world.rng.below(20);
    for _ in 0..600 {
        match world.rng.below(4) {
            0 if world.rng.below(pace) < 4 => world.sends_step(producer),
            1 if world.rng.below(20) == 0 => world.other_step(),
            0 | 1 => world.connections_step(),
            _ => world.sleep(millis(pace * 10)),
        }
    }
    if world.rng.below(2) == 0 {
        let ticket = world.ticket();
        let start = world.now;
        world.client.close(world.now, ticket);
        world.drain();
        world.run_for(Duration::from_secs(11));
        let (at, outcome) = world.done.get(&ticket).expect("L6: closing ends");
        assert!(matches!(outcome, Outcome::Closed(_)));
        assert!(
            at.since(start) <= Duration::from_secs(10) + millis(200),
            "L6: closing took {:?}",
            at.since(start)
        );
        assert_eq!(world.wait, Instant::NEVER, "nothing is left to do");
        assert!(world.due.is_empty(), "S4: {:?} have not ended", world.due);
        assert!(world.sends.rooms.keys().all(|room| world.done.contains_key(room)), "S4: waits for room end");
    } else {
        // L1: once everything is well, a send is stored soon.
        world.trouble = 0;
        world.run_for(Duration::from_secs(36));
        for room in core::mem::take(&mut world.sends.rooms).into_keys() {
            world.client.producer(producer).give_up_room(room);
        }
        world.drain();
        world.run_for(Duration::from_secs(1));
        assert!(world.send(producer, None), "R2: nothing is admitted any more");
        world.run_for(Duration::from_secs(10));
        let last = *world.sends.admitted.keys().next_back().expect("just sent");
        let refused = matches!(&world.done[&last].1, Outcome::Sent(Err(SendError::NoSuchQueue(_))));
        assert!(
            refused || matches!(&world.done[&last].1, Outcome::Sent(Ok(_))) || deadline < millis(200),
            "L1: {:?}",
            world.done[&last]
        );
    }
    (world.judge(), world.happened)
}

#[test]
fn every_send_ends_once_in_time_and_as_the_brokers_have_it() {
    let mut counts = (0, 0, 0);
    let mut happened: BTreeMap<&'static str, u32> = BTreeMap::new();
    for seed in seeds(60) {
        let (count, what) = with_seed(seed, run);
        counts = (counts.0 + count.0, counts.1 + count.1, counts.2 + count.2);
        for (what, times) in what {
            *happened.entry(what).or_default() += times;
        }
    }
    say(&alloc::format!("stored, not stored, unknown: {counts:?}; {happened:?}"));
    assert!(counts.0 > 0 && counts.1 > 0 && counts.2 > 0, "every kind of end is seen: {counts:?}");
    assert!(happened.values().all(|times| *times > 0), "everything goes wrong somewhere: {happened:?}");
}
