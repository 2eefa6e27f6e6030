//! Reading by chance, held against what the queues hold.
//!
//! Laws: S11 (a commit covers only what was taken and dealt with, or skipped by a word of the user or the broker),
//! S12 (commits do not go back by themselves), S14 (nothing is handed out of what was dropped), S16 (in order, each
//! once per assignment, nothing left out), L2 (once all is well, everything is read and committed).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::error::{CallError, LostWhy};
use crate::ids::{BrokerName, ConsumerId, Group, Queue, Ticket};
use crate::wire::Request;
use crate::{Instant, Outcome, Position, PullConfig, Pulled, StartFrom, UnixMillis};

use super::super::bench::queue;
use super::{Answer, BROKERS, World, millis, say, seeds, with_seed};

type Key = (String, i32);

/// A queue as its broker has it, and what the user has of it.
#[derive(Default)]
struct Model {
    min: i64,
    /// Whether the message of this offset matches the subscription.
    matches: Vec<bool>,
    /// What the broker has of the group.
    stored: Option<i64>,
    taken: BTreeSet<i64>,
    /// What a commit may cover.
    dealt: BTreeSet<i64>,
    /// Nobody owes what lies before this: it is gone, or the user jumped over it.
    excused: i64,
    /// What the next take goes on from, unless it jumped.
    position: Option<i64>,
    /// It jumped once: commits may go back.
    jumped: bool,
    committed: i64,
}

impl Model {
    fn end(&self) -> i64 {
        i64::try_from(self.matches.len()).expect("small")
    }

    fn excuse(&mut self, before: i64) {
        self.excused = self.excused.max(before);
    }

    /// The matching messages of these offsets that nobody is excused from.
    fn owed(&self, offsets: core::ops::Range<i64>) -> impl Iterator<Item = i64> + '_ {
        (offsets.start.max(self.excused)..offsets.end)
            .filter(|x| self.matches.get(usize::try_from(*x).expect("not negative")) == Some(&true))
    }
}

#[derive(Default)]
pub(super) struct Reads {
    models: BTreeMap<Key, Model>,
    assigned: BTreeSet<Key>,
    paused: BTreeSet<Key>,
    /// Of the latest take.
    latest: Vec<(Key, i64)>,
    commits: Vec<Ticket>,
    takes: u32,
    updates: u32,
}

impl Reads {
    fn deal(&mut self) {
        for (key, offset) in self.latest.drain(..) {
            self.models.get_mut(&key).expect("there").dealt.insert(offset);
        }
    }

    pub(super) fn taken(&mut self, request: &Request) {
        let Request::UpdateOffset(update) = request else { return };
        let key = (update.broker.as_str().to_string(), update.queue);
        let model = self.models.get_mut(&key).expect("a queue there is");
        let lost: Vec<i64> =
            model.owed(0..update.offset).filter(|offset| !model.dealt.contains(offset)).collect();
        assert!(lost.is_empty(), "S11: {} of {key:?} is committed without {lost:?}", update.offset);
        assert!(model.jumped || update.offset >= model.committed, "S12: {key:?} goes back");
        model.committed = update.offset;
        self.updates += 1;
    }
}

fn named(key: &Key) -> Queue {
    queue(&key.0, key.1)
}

fn model<'a>(models: &'a mut BTreeMap<Key, Model>, broker: &BrokerName, queue: i32) -> &'a mut Model {
    models.get_mut(&(broker.as_str().to_string(), queue)).expect("a queue there is")
}

fn number(name: &'static str, value: i64) -> (&'static str, String) {
    (name, value.to_string())
}

impl World {
    /// A broker answers what a consumer asks.
    pub(super) fn read(&mut self, peer: Option<&str>, request: &Request) -> Answer {
        if self.wrong("reader refused") {
            let code = [1, 2, 17, 215, 1500][self.rng.below(5) as usize];
            return (code, Vec::new(), Bytes::new());
        }
        let one = |name, value| (0, Vec::from([number(name, value)]), Bytes::new());
        let chance = self.rng.next_u32();
        let models = &mut self.reads.models;
        if let Request::QueryOffset(query) = request {
            match model(models, &query.broker, query.queue).stored {
                Some(offset) => one("offset", offset),
                None => (22, Vec::new(), Bytes::new()),
            }
        } else if let Request::StoredOffsets(_) = request {
            let name = peer.unwrap_or_default().split(':').next().unwrap_or_default().to_string();
            let rows = models.iter().filter(|(key, _)| key.0 == name);
            let rows = rows.filter_map(|(key, model)| Some(format!("{}:{}", key.1, model.stored?)));
            let rows = rows.collect::<Vec<_>>().join(",");
            (0, Vec::new(), Bytes::from(format!(r#"{{"offsetTable":{{"orders@readers":{{{rows}}}}}}}"#)))
        } else if let Request::UpdateOffset(update) = request {
            model(models, &update.broker, update.queue).stored = Some(update.offset);
            (0, Vec::new(), Bytes::new())
        } else if let Request::MinOffset(asked) = request {
            let model = model(models, &asked.broker, asked.queue);
            model.excuse(model.min);
            one("offset", model.min)
        } else if let Request::MaxOffset(asked) = request {
            let model = model(models, &asked.broker, asked.queue);
            model.excuse(model.end());
            one("offset", model.end())
        } else if let Request::SearchOffset(asked) = request {
            let model = model(models, &asked.broker, asked.queue);
            let span = u32::try_from(model.end() - model.min).expect("small") + 1;
            let found = model.min + i64::from(chance % span);
            model.excuse(found);
            one("offset", found)
        } else if let Request::Pull(pull) = request {
            let model = model(models, &pull.broker, pull.queue);
            let (min, end, asked) = (model.min, model.end(), pull.offset);
            let answer = |code, next, body| {
                let ends =
                    [number("nextBeginOffset", next), number("minOffset", min), number("maxOffset", end)];
                (code, Vec::from(ends), Bytes::from(body))
            };
            if asked < min || asked > end {
                model.jumped = true;
                return answer(21, asked.clamp(min, end), Vec::new());
            }
            if asked == end {
                return answer(19, asked, Vec::new());
            }
            let next = (asked + 1 + i64::from(chance % 8)).min(end);
            let mut body = Vec::new();
            for offset in asked..next {
                if model.matches[usize::try_from(offset).expect("not negative")] {
                    body.extend_from_slice(&12_i32.to_be_bytes());
                    body.extend_from_slice(&offset.to_be_bytes());
                }
            }
            if self.wrong("empty answer") {
                return answer(20, asked, Vec::new());
            }
            answer(if body.is_empty() { 20 } else { 0 }, next, body)
        } else {
            panic!("nobody asks that: {request:?}")
        }
    }

    /// Takes once; true if there was something.
    fn take_once(&mut self, id: ConsumerId) -> bool {
        let pulled = self.client.consumer(id).take(self.now);
        self.reads.deal();
        self.drain();
        let Some(Pulled { queue, from, next, body, .. }) = pulled else { return false };
        let key = (queue.broker.as_str().to_string(), queue.queue);
        assert!(self.reads.assigned.contains(&key), "S14: {key:?} is not assigned any more");
        assert!(!self.reads.paused.contains(&key), "S14: {key:?} is paused");
        let model = self.reads.models.get_mut(&key).expect("there");
        let offsets: Vec<i64> = body
            .chunks(12)
            .map(|message| i64::from_be_bytes(*message.last_chunk::<8>().expect("a message")))
            .collect();
        if let Some(position) = model.position {
            assert!(from >= position, "S16: {key:?} is at {position}, and {from} is handed out");
            assert_eq!(model.owed(position..from).next(), None, "S16: left out of {key:?} before {from}");
        }
        assert!(offsets.is_sorted() && offsets.iter().all(|offset| (from..next).contains(offset)));
        let left_out = model.owed(from..next).find(|offset| !offsets.contains(offset));
        assert_eq!(left_out, None, "S16: left out of {key:?} in {from}..{next}");
        model.position = Some(next);
        model.taken.extend(&offsets);
        self.reads.latest = offsets.into_iter().map(|offset| (key.clone(), offset)).collect();
        self.reads.takes += 1;
        true
    }

    fn any_key(&mut self) -> Key {
        (BROKERS[self.rng.below(2) as usize].to_string(), i32::try_from(self.rng.below(4)).expect("small"))
    }

    fn commit(&mut self, id: ConsumerId) {
        let ticket = self.ticket();
        self.reads.deal();
        self.client.consumer(id).commit(self.now, ticket);
        self.reads.commits.push(ticket);
        self.drain();
    }

    /// Reads exactly these queues from now on.
    fn assign(&mut self, id: ConsumerId, keys: BTreeSet<Key>) {
        for key in keys.symmetric_difference(&self.reads.assigned) {
            let model = self.reads.models.get_mut(key).expect("there");
            (model.position, model.jumped) = (None, true);
        }
        self.reads.paused.retain(|key| keys.contains(key) && self.reads.assigned.contains(key));
        let queues: Vec<Queue> = keys.iter().map(named).collect();
        self.client.consumer(id).assign(self.now, &queues);
        self.reads.assigned = keys;
        self.drain();
    }

    fn seek(&mut self, id: ConsumerId, key: &Key) {
        let model = self.reads.models.get_mut(key).expect("there");
        let to = match self.rng.below(5) {
            0 => Position::Begin,
            1 => Position::End,
            2 => Position::Time(UnixMillis(5)),
            _ => Position::Offset(i64::from(self.rng.below(u32::try_from(model.end()).expect("small") + 9))),
        };
        if self.client.consumer(id).seek(self.now, &named(key), to).is_ok() {
            (model.position, model.jumped) = (None, true);
            if let Position::Offset(offset) = to {
                model.excuse(offset); // also of what is written later: it is the user's word
            }
        }
        self.drain();
    }

    fn reads_step(&mut self, id: ConsumerId) {
        let key = self.any_key();
        match self.rng.below(60) {
            0..15 => drop(self.take_once(id)),
            15..40 => {
                let matches = self.rng.below(5) > 0;
                self.reads.models.get_mut(&key).expect("there").matches.push(matches);
            }
            40..45 => self.commit(id),
            45..47 => self.seek(id, &key),
            47 => {
                let model = self.reads.models.get_mut(&key).expect("there");
                model.min = (model.min + i64::from(self.rng.below(5))).min(model.end());
                model.excuse(model.min);
            }
            48..51 => {
                self.client.consumer(id).pause(self.now, &[named(&key)]);
                if self.reads.assigned.contains(&key) {
                    self.reads.paused.insert(key);
                }
                self.drain();
            }
            51..54 => {
                self.client.consumer(id).resume(self.now, &[named(&key)]);
                self.reads.paused.remove(&key);
                self.drain();
            }
            54 => {
                let mut keys = self.reads.assigned.clone();
                if !keys.remove(&key) {
                    keys.insert(key);
                }
                self.assign(id, keys);
            }
            55 if self.rng.below(4) == 0 => self.quiet(),
            _ => {}
        }
    }
}

fn run(seed: u64) -> (u32, u32, BTreeMap<&'static str, u32>) {
    let mut world = World::new(seed, |rng, config| config.heartbeat = millis(500 + rng.below(30_000)));
    for broker in BROKERS {
        for queue in 0..4 {
            let mut model = Model::default();
            model.matches = (0..world.rng.below(30)).map(|_| world.rng.below(5) > 0).collect();
            model.min = i64::from(world.rng.below(4)).min(model.end());
            if world.rng.below(2) == 0 {
                let stored = i64::from(world.rng.below(u32::try_from(model.end()).expect("small") + 1));
                (model.stored, model.committed) = (Some(stored), stored);
                model.excuse(stored);
            }
            model.excuse(model.min);
            world.reads.models.insert((broker.to_string(), queue), model);
        }
    }
    let mut config = PullConfig::new(Group::new("readers").expect("a group"));
    config.auto_commit = world.rng.below(3) > 0;
    config.commit_interval = millis(100 + world.rng.below(5000));
    config.from =
        [StartFrom::First, StartFrom::Last, StartFrom::Time(UnixMillis(5))][world.rng.below(3) as usize];
    if world.rng.below(2) == 0 {
        config.cached_per_queue = world.rng.below(12) as usize;
        config.cached_messages = world.rng.below(30) as usize;
        config.cached_bytes = world.rng.below(300) as usize;
    }
    let auto = config.auto_commit;
    let keys: BTreeSet<Key> = (0..6).map(|_| world.any_key()).collect();
    let queues: Vec<Queue> = keys.iter().map(named).collect();
    world.reads.assigned = keys;
    let id = world.client.open_pull(world.now, config, &queues).expect("opens");
    world.drain();
    let pace = 1 + world.rng.below(20);
    for _ in 0..800 {
        match world.rng.below(4) {
            0 => world.reads_step(id),
            1 | 2 => world.connections_step(),
            _ => world.sleep(millis(pace * 10)),
        }
    }
    if world.rng.below(3) == 0 {
        let (start, ticket) = (world.now, world.ticket());
        world.client.close(world.now, ticket);
        world.drain();
        world.run_for(Duration::from_secs(11));
        let (at, outcome) = world.done.get(&ticket).expect("L6: closing ends");
        assert!(matches!(outcome, Outcome::Closed(_)));
        assert!(at.since(start) <= Duration::from_secs(10) + millis(200), "L6: {:?}", at.since(start));
        assert_eq!(world.wait, Instant::NEVER, "nothing is left to do");
    } else {
        world.trouble = 0;
        let paused: Vec<Queue> = core::mem::take(&mut world.reads.paused).iter().map(named).collect();
        world.client.consumer(id).resume(world.now, &paused);
        world.drain();
        world.run_for(Duration::from_secs(36)); // a refresh of the routes
        for _ in 0..20 {
            world.run_for(Duration::from_secs(1));
            while world.take_once(id) {}
        }
        assert!(world.client.consumer(id).reached_end(), "L2: the end is reached");
        // Only the replacement of an old connection may be in between.
        let trouble = world.client.consumer(id).trouble();
        let harmless = |error: &CallError| matches!(error, CallError::Lost { why: LostWhy::Aged, .. });
        assert!(trouble.iter().all(|(_, error)| harmless(error)), "L2: {trouble:?}");
        if !auto {
            world.commit(id);
        }
        world.run_for(Duration::from_secs(11));
        for key in &world.reads.assigned {
            let model = &world.reads.models[key];
            let left = model.owed(0..model.end()).find(|offset| !model.taken.contains(offset));
            assert_eq!(left, None, "L2, S17: {key:?} is not read to its end");
            let jumped_only = !model.taken.iter().any(|offset| *offset >= model.excused);
            let late = model.owed(model.committed..model.end()).next();
            let at = model.committed;
            assert!(late.is_none() || jumped_only, "L2: {key:?} is committed at {at} only, {late:?} is read");
        }
    }
    for ticket in &world.reads.commits {
        assert!(matches!(world.done.get(ticket), Some((_, Outcome::Committed(_)))), "S4: {ticket:?} ends");
    }
    (world.reads.takes, world.reads.updates, world.happened)
}

#[test]
fn what_is_committed_was_taken_and_everything_is_read_in_the_end() {
    let (mut takes, mut updates) = (0, 0);
    let mut happened: BTreeMap<&'static str, u32> = BTreeMap::new();
    for seed in seeds(40) {
        let (some, commits, what) = with_seed(seed, run);
        (takes, updates) = (takes + some, updates + commits);
        for (what, times) in what {
            *happened.entry(what).or_default() += times;
        }
    }
    say(&format!("taken {takes}, commits {updates}; {happened:?}"));
    assert!(takes > 0 && updates > 0, "something is read and committed");
    assert!(happened.values().all(|times| *times > 0), "everything goes wrong somewhere: {happened:?}");
}
