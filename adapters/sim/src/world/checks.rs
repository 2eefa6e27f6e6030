//! What must hold, checked as it happens: the ids are those of the catalogue of invariants.
//!
//! The checks see what servers stored and answered (their own events), what clients' applications heard, and what
//! their wires carried. They know nothing of the client's inside.

use std::collections::BTreeMap;

use bytes::Bytes;
use fusee_core::wire::{Damaged, Durability};
use fusee_core::{Pulled, Receipt};

use super::plan::Kind;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its id.
    pub id: String,
    /// What was seen.
    pub text: String,
    /// At which step of the run.
    pub step: u64,
    /// When, in microseconds of the run.
    pub at: u64,
}

/// How a send ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stored,
    NotStored,
    Unknown,
}

/// A message and all that became of it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) client: usize,
    pub(super) body: Bytes,
    pub(super) properties: String,
    pub(super) end: Option<End>,
    at: u64,
    handed_over: u32,
    /// Attempts of which a byte left.
    started: u32,
    /// Of those, refused for sure.
    refused: u32,
    /// A refusal after which trying again makes no sense.
    last_word: Option<i32>,
    last_server: Option<usize>,
    /// The last attempt was answered with a refusal, so its broker is there and has said no.
    answered: bool,
    any_queue: bool,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    server: usize,
    queue: i32,
    offset: i64,
    code: i32,
}

/// A queue as its broker has it, and as the group has read it.
#[derive(Clone, Debug, Default)]
struct Queue {
    keys: Vec<Option<usize>>,
    read: Vec<bool>,
    /// Its messages did not all stay: some expired, or were lost in a crash.
    disturbed: bool,
    /// Which offset, over which link, when.
    committed: Option<(i64, usize, u64)>,
    /// Readers went back in it, so what is committed does so too.
    rewound: bool,
    /// Places that were damaged on their way to a reader, once or more; true: with all that followed.
    damaged: BTreeMap<i64, bool>,
}

/// The attempts a send may make.
const ATTEMPTS: u32 = 3;
/// A silent broker is given this long at least, in microseconds.
const PATIENCE: u64 = 500_000;

/// Everything checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks {
    pub(super) sends: Vec<Sent>,
    queues: BTreeMap<(usize, i32), Queue>,
    pub(super) found: Option<(&'static str, String)>,
    /// Bits flipped somewhere, so what was read may not be what was written.
    pub(super) corrupted: bool,
    /// Routes are complete all the time, so that a retry can choose.
    pub(super) steady_routes: bool,
    pub(super) stored: u64,
    pub(super) taken: u64,
    last_append: Option<(u64, i32, usize)>,
}

impl Checks {
    pub(super) fn broken(&mut self, id: &'static str, text: String) {
        if self.found.is_none() {
            self.found = Some((id, text));
        }
    }

    /// An application sends; the message's key is how many there were before.
    pub(super) fn invoke(&mut self, client: usize, at: u64, body: Bytes, any_queue: bool) {
        self.sends.push(Sent {
            client,
            body,
            properties: String::new(),
            end: None,
            at,
            handed_over: 0,
            started: 0,
            refused: 0,
            last_word: None,
            last_server: None,
            answered: false,
            any_queue,
            places: Vec::new(),
        });
    }

    /// The wire takes an attempt; from now on nobody can hold it back.
    pub(super) fn handed_over(&mut self, key: usize, server: usize) {
        let Some(sent) = self.sends.get_mut(key) else { return };
        sent.handed_over += 1;
        let (last, answered) = (sent.last_server.replace(server), sent.answered);
        sent.answered = false;
        if sent.end.is_some() {
            let text = format!("an attempt of message {key} after its end {:?}", sent.end);
            self.broken("S3", text);
        } else if let Some(code) = sent.last_word {
            self.broken("S10", format!("message {key} is tried again after code {code}"));
        } else if self.steady_routes && answered && sent.any_queue && last == Some(server) {
            self.broken(
                "S10",
                format!("message {key} is tried again on broker {server}, which has just refused it"),
            );
        }
    }

    /// The first byte of an attempt leaves.
    pub(super) fn started(&mut self, key: usize) {
        let Some(sent) = self.sends.get_mut(key) else { return };
        sent.started += 1;
        let (started, end) = (sent.started, sent.end);
        if end == Some(End::NotStored) {
            self.broken("S2", format!("message {key} leaves, after its sender heard that it is not stored"));
        } else if started > ATTEMPTS {
            self.broken("S3", format!("attempt {started} of message {key}"));
        }
    }

    /// A reply to an attempt reaches the client.
    pub(super) fn replied(&mut self, key: usize, code: i32, now: u64) {
        let Some(sent) = self.sends.get_mut(key) else { return };
        if matches!(code, 2 | 13 | 14 | 16 | 17 | 26 | 29 | 215 | 1500) {
            sent.refused += 1;
        }
        sent.answered = !matches!(code, 0 | 10..=12);
        // A receipt that comes later than this may find its attempt given up, and changes nothing then.
        let in_time = sent.handed_over == 1 && now < sent.at + PATIENCE;
        if matches!(code, 13 | 26 | 29) || in_time && matches!(code, 0 | 10..=12) {
            sent.last_word = Some(code);
        }
    }

    pub(super) fn appended(
        &mut self,
        conn: u64,
        opaque: i32,
        key: &str,
        server: usize,
        queue: i32,
        offset: i64,
    ) {
        if self.corrupted {
            return;
        }
        let Some(key) = key_of(key).filter(|key| *key < self.sends.len()) else {
            return self.broken("S5", format!("a message with the unknown key {key:?} was stored"));
        };
        let sent = &mut self.sends[key];
        sent.places.push(Place { server, queue, offset, code: -1 });
        let (started, stored, end) = (sent.started, sent.places.len(), sent.end);
        self.last_append = Some((conn, opaque, key));
        if stored > usize::try_from(started).unwrap_or(0) {
            self.broken("S3", format!("message {key} is stored {stored} times after {started} attempts"));
        } else if end == Some(End::NotStored) {
            self.broken("S2", format!("message {key} is stored, after its sender heard that it is not"));
        }
    }

    /// The place of a message in the topic that is read.
    pub(super) fn placed(&mut self, key: &str, server: usize, queue: i32, offset: i64) {
        let queue = self.queues.entry((server, queue)).or_default();
        let at = usize::try_from(offset).unwrap_or(0);
        if queue.keys.len() <= at {
            queue.keys.resize(at + 1, None);
            queue.read.resize(at + 1, false);
        }
        queue.keys[at] = key_of(key);
    }

    pub(super) fn answered(&mut self, conn: u64, opaque: i32, code: i32) {
        if let Some((_, _, key)) =
            self.last_append.take_if(|(on, number, _)| *on == conn && *number == opaque)
            && let Some(place) = self.sends[key].places.last_mut()
        {
            place.code = code;
        }
    }

    /// The application hears that a message is stored.
    pub(super) fn stored(&mut self, key: usize, receipt: &Receipt, server: usize) {
        self.stored += 1;
        let code = match receipt.durability {
            Durability::Stored => 0,
            Durability::FlushDiskTimeout => 10,
            Durability::SlaveNotAvailable => 11,
            Durability::FlushSlaveTimeout => 12,
        };
        let place = Place { server, queue: receipt.queue.queue, offset: receipt.offset, code };
        let sent = &mut self.sends[key];
        sent.end = Some(End::Stored);
        if !self.corrupted && !sent.places.contains(&place) {
            let text = format!("message {key} is said to be at {place:?}, but it is at {:?}", sent.places);
            self.broken("S1", text);
        }
        if key_of(receipt.id.as_str()) != Some(key) {
            self.broken("S1", format!("message {key} got the receipt of {}", receipt.id.as_str()));
        }
    }

    /// The application hears that a message is not stored, or that nobody knows.
    pub(super) fn failed(&mut self, key: usize, unknown: bool, why: &str) {
        let sent = &mut self.sends[key];
        sent.end = Some(if unknown { End::Unknown } else { End::NotStored });
        if unknown || self.corrupted {
            return;
        }
        let (stored, started, refused) = (sent.places.len(), sent.started, sent.refused);
        if stored > 0 {
            self.broken("S2", format!("message {key} is stored {stored} times and said not to be: {why}"));
        } else if started > refused {
            let text =
                format!("message {key} is said not to be stored after {started} attempts, {refused} refused");
            self.broken("S2", text);
        }
    }

    /// A message that was taken, compared with what was sent.
    pub(super) fn read(&mut self, server: usize, pulled: &Pulled) {
        let (mut count, mut at) = (0, pulled.from);
        for message in fusee_core::wire::messages(pulled.body.clone()) {
            let message = match message {
                Ok(message) => message,
                Err(damaged) if self.is_expected(server, pulled, at, &damaged) => {
                    let queue = self.queues.entry((server, pulled.queue.queue)).or_default();
                    let to = if damaged.rest_lost { pulled.next } else { at + 1 };
                    // Whoever reads hears of it; that is all there can be done.
                    for place in (at..to).filter_map(|at| usize::try_from(at).ok()) {
                        queue.read.get_mut(place).map(|read| *read = true).unwrap_or_default();
                    }
                    at = to;
                    continue;
                }
                Err(damaged) if self.corrupted => {
                    at = damaged.queue_offset.unwrap_or(at) + 1;
                    continue;
                }
                Err(damaged) => return self.broken("S24", damaged.to_string()),
            };
            let offset = message.queue_offset + pulled.offset_delta;
            count += 1;
            if self.corrupted {
                continue;
            }
            if offset != at {
                let text =
                    format!("queue {}: offset {offset} is handed out where {at} is next", pulled.queue);
                return self.broken("S17", text);
            }
            at += 1;
            let queue = self.queues.entry((server, message.queue)).or_default();
            let own_key = message.unique_id().and_then(key_of).filter(|key| *key < self.sends.len());
            let place = usize::try_from(offset).unwrap_or(usize::MAX);
            let known = queue.keys.get(place).copied().flatten();
            // What a crash took may have been given out before, and its place may be another message's by now.
            let Some(key) = (if queue.disturbed { own_key } else { known }) else {
                return self.broken("S5", format!("queue {}: nothing is known at {offset}", pulled.queue));
            };
            if known.is_some() && known == own_key {
                queue.read[place] = true;
            }
            let sent = &self.sends[key];
            let own =
                fusee_core::wire::Properties::new(fusee_core::wire::Text::from(sent.properties.clone()));
            let same = own.iter().all(|(name, value)| message.properties.get(name) == Some(value));
            if message.body != sent.body || !same || own_key != Some(key) {
                return self.broken("S5", format!("message {key} is not what it was: {message:?}"));
            }
        }
        self.taken += count;
        if !self.corrupted && at < pulled.next && !self.is_disturbed(server, pulled.queue.queue) {
            let text = format!("queue {}: {at}..{} is passed without a message", pulled.queue, pulled.next);
            self.broken("S17", text);
        }
    }

    /// Something in a body cannot be read: is it what was damaged, and no more than that?
    fn is_expected(&self, server: usize, pulled: &Pulled, at: i64, damaged: &Damaged) -> bool {
        let queue = self.queues.get(&(server, pulled.queue.queue));
        let known = queue.and_then(|queue| queue.damaged.get(&at));
        known.is_some_and(|rest| *rest || !damaged.rest_lost)
            && damaged.queue_offset.is_none_or(|offset| offset == at)
    }

    /// The message at a place is damaged on its way; with `rest`, all that follow in that reply as well.
    pub(super) fn damage(&mut self, place: (usize, i32), offset: i64, rest: bool) {
        *self.queues.entry(place).or_default().damaged.entry(offset).or_default() |= rest;
    }

    /// A reader goes back in a queue.
    pub(super) fn rewind(&mut self, place: (usize, i32)) {
        self.queues.entry(place).or_default().rewound = true;
    }

    pub(super) fn is_disturbed(&self, server: usize, queue: i32) -> bool {
        self.queues.get(&(server, queue)).is_some_and(|queue| queue.disturbed)
    }

    /// Messages expired, or were lost from `from` on.
    pub(super) fn disturb(&mut self, server: usize, queue: i32, lost_from: Option<i64>) {
        let queue = self.queues.entry((server, queue)).or_default();
        queue.disturbed = true;
        if let Some(from) = lost_from.and_then(|from| usize::try_from(from).ok()) {
            queue.keys.truncate(from);
            queue.read.truncate(from);
        }
    }

    /// Offsets were lost in a crash, so lower ones may come.
    pub(super) fn offsets_lost(&mut self, server: usize) {
        for (_, queue) in self.queues.iter_mut().filter(|((on, _), _)| *on == server) {
            queue.committed = None;
        }
    }

    /// An offset was stored; `settled` is how far its client has dealt with the queue, `up_since` the age of its link.
    pub(super) fn committed(
        &mut self,
        place: (usize, i32),
        offset: i64,
        settled: i64,
        link: usize,
        up_since: u64,
        now: u64,
    ) {
        if self.corrupted {
            return;
        }
        let (server, queue) = place;
        let state = self.queues.entry(place).or_default();
        let before = state.committed;
        if before.is_none_or(|(_, on, _)| on <= link) {
            state.committed = Some((offset, link, now));
        }
        let rewound = state.rewound;
        if state.disturbed {
            return;
        }
        if offset > settled {
            let text = format!("broker {server} queue {queue}: {offset} is committed, {settled} dealt with");
            self.broken("S11", text);
        } else if let Some((before, on, at)) = before
            && offset < before
            && !rewound
            // Over another connection it may have overtaken, or been asked for before; not if that was not up yet.
            && (on == link || at < up_since)
        {
            let text = format!("broker {server} queue {queue}: {offset} is committed after {before}");
            self.broken("S12", text);
        }
    }

    /// A client that began at `born` reads its first messages of a queue, from `from` on.
    pub(super) fn begins(&mut self, place: (usize, i32), from: i64, born: u64) {
        let Some(queue) = self.queues.get(&place).filter(|queue| !queue.disturbed && !queue.rewound) else {
            return;
        };
        if let Some((committed, _, at)) = queue.committed
            && at < born
            && from < committed
            && !self.corrupted
        {
            let text = format!(
                "broker {} queue {}: read again from {from}, committed is {committed}",
                place.0, place.1
            );
            self.broken("S18", text);
        }
    }

    /// The end, with everything healed for long: every message is where it should be.
    pub(super) fn finish(&mut self) {
        if self.corrupted {
            return;
        }
        let mut missing = Vec::new();
        for ((server, number), queue) in &self.queues {
            if !queue.disturbed {
                let unread =
                    queue.read.iter().zip(&queue.keys).position(|(read, key)| !read && key.is_some());
                missing.extend(unread.map(|at| format!("broker {server} queue {number} offset {at}")));
            }
        }
        if let Some(first) = missing.first() {
            let text = format!("{} queues have messages nobody was given, first {first}", missing.len());
            self.broken("S17", text);
        }
        if let Some(open) = self.sends.iter().position(|sent| sent.end.is_none()) {
            self.broken("S4", format!("message {open} of client {} never ended", self.sends[open].client));
        }
    }
}

/// Faults under which a client may not know every broker of a topic.
pub(super) const fn unsettles_routes(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::N02
            | Kind::N03
            | Kind::N04
            | Kind::B06
            | Kind::B08
            | Kind::B13
            | Kind::B16
            | Kind::A1
            | Kind::A5
            | Kind::A7
            | Kind::A10
            | Kind::B12
            | Kind::B14
            | Kind::B15
            | Kind::B20
            | Kind::B21
            | Kind::B22
            | Kind::C1
            | Kind::C4
            | Kind::M8
    )
}

/// A message's key as its id.
pub(super) fn id_of(key: usize) -> String {
    format!("{key:032X}")
}

/// A message's key from its id.
pub(super) fn key_of(id: &str) -> Option<usize> {
    (id.len() == 32).then(|| usize::from_str_radix(id, 16).ok()).flatten()
}
