//! A consumer that is given its queues: what it holds of each, and what its user takes.
//!
//! Laws:
//! - Per queue, messages are taken in the order of their offsets, each once per generation of the queue.
//! - A seek or a new assignment starts a new generation: what was asked or cached before is dropped unseen.
//! - For every queue at every moment: a request is under way, or an alarm is armed, or a named reason holds it
//!   (`Waits`) whose end is one of the consumer's own events.
//! - Cached messages and bytes stay within the bounds, by at most one reply per queue.
//!
//! Sources: Java `DefaultLitePullConsumerImpl`, `AssignedMessageQueue`; what is taken counts as read, and is committed
//! automatically only after the next take, as there.

mod offsets;
mod pull;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::{Position, PullConfig};
use crate::cx::Cx;
use crate::error::{CallError, SeekError};
use crate::event::Output;
use crate::handles::CallId;
use crate::ids::{BrokerId, ConsumerId, Queue, QueueId, Ticket, TopicId};
use crate::time::{Instant, UnixMillis};
use crate::timers::{Alarm, Timer};

use offsets::Commits;

/// One reply of a broker, still encoded: messages of one queue. Decode it outside the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The queue.
    pub queue: Queue,
    /// The offset asked for: drop what lies before it (a broker may hand out a whole batch around it).
    pub from: i64,
    /// The offset that is read next.
    pub next: i64,
    /// What the broker says its oldest offset is.
    pub min: i64,
    /// What the broker says the next offset to be written is.
    pub max: i64,
    /// To be added to every message's offset.
    pub offset_delta: i64,
    /// Drop what was stored before this, if given: some brokers find the message before a time, not after it.
    pub not_before: Option<UnixMillis>,
    /// The stored messages, one after another.
    pub body: Bytes,
}

/// Where a queue's reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// At the group's stored offset.
    Stored,
    /// An old broker said 0, which it also says when the group has none: its whole table tells.
    Doubted,
    /// The group has none for this queue; where to begin depends on whether it has one for others of the topic.
    Undecided,
    /// There.
    To(Position),
}

impl Goal {
    /// Whether it is still open if the group has an offset.
    fn is_open(self) -> bool {
        matches!(self, Self::Stored | Self::Doubted)
    }
}

/// What holds a queue, or what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The place to begin is being asked for.
    Locating(CallId),
    /// Messages are being asked for.
    Pulling(CallId, Instant),
    /// A pause after a failure.
    Pausing,
    /// A named reason.
    Waits(Waits),
}

/// Why a queue is not read; the event that ends it is said with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// Until the other queues of the topic know where they begin.
    Others,
    /// Until it is resumed.
    Paused,
    /// Until cached messages are taken.
    Full,
}

#[derive(Clone, Debug)]
struct Assigned {
    generation: u32,
    goal: Goal,
    /// The group had no offset here: where reading begins is committed at once, so that it is the same next time.
    adopt: bool,
    step: Step,
    timer: Option<Timer>,
    paused: bool,
    /// The offset to ask for next, once it is known.
    next: Option<i64>,
    /// Everything before this was taken, or lies before where reading began.
    read: Option<i64>,
    /// As `read`, before the latest take: what may be committed automatically.
    settled: Option<i64>,
    /// The offset behind the newest message, as last told.
    end: Option<i64>,
    cached: usize,
    not_before: Option<UnixMillis>,
    /// Set until something succeeds again.
    trouble: Option<CallError>,
    /// Offsets moved in a row, without a message between.
    moves: u32,
}

#[derive(Clone, Debug)]
struct Chunk {
    queue: QueueId,
    messages: usize,
    pulled: Pulled,
}

/// A consumer.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    id: ConsumerId,
    pub(crate) config: PullConfig,
    queues: BTreeMap<QueueId, Assigned>,
    chunks: VecDeque<Chunk>,
    cached_messages: usize,
    cached_bytes: usize,
    generations: u32,
    /// When the topics it reads last changed: brokers keep the subscription of the highest version.
    version: UnixMillis,
    last_taken: Option<QueueId>,
    commits: Commits,
    /// Old brokers that do not give their table of offsets.
    mute: BTreeSet<BrokerId>,
    poll_timer: Option<Timer>,
    closing: bool,
}

impl Consumer {
    pub(crate) fn new(cx: &mut Cx, id: ConsumerId, config: PullConfig, queues: &[Queue]) -> Self {
        let mut consumer = Self {
            id,
            config,
            queues: BTreeMap::new(),
            chunks: VecDeque::new(),
            cached_messages: 0,
            cached_bytes: 0,
            generations: 0,
            version: cx.unix(),
            last_taken: None,
            commits: Commits::default(),
            mute: BTreeSet::new(),
            poll_timer: None,
            closing: false,
        };
        consumer.commits.start(cx, &consumer.config, id);
        consumer.assign(cx, queues);
        consumer
    }

    /// Reads these queues from now on, and no others. Those it had already go on where they are.
    pub(crate) fn assign(&mut self, cx: &mut Cx, queues: &[Queue]) {
        if self.closing {
            return;
        }
        self.version = cx.unix();
        let wanted: Vec<QueueId> = queues.iter().map(|queue| intern(cx, queue)).collect();
        let dropped: Vec<QueueId> = self.queues.keys().filter(|id| !wanted.contains(id)).copied().collect();
        self.last_taken = self.last_taken.filter(|last| wanted.contains(last));
        for id in &dropped {
            self.drop_cached(*id);
            if let Some(mut assigned) = self.queues.remove(id) {
                stop(cx, &mut assigned);
                if let Some(settled) = assigned.settled.filter(|_| self.config.auto_commit) {
                    self.want_commit(cx, *id, settled);
                }
            }
        }
        for id in wanted {
            if self.queues.contains_key(&id) {
                continue;
            }
            cx.wanted.push((id.topic, false));
            self.generations += 1;
            let assigned = Assigned {
                generation: self.generations,
                goal: Goal::Stored,
                adopt: false,
                step: Step::Pausing,
                timer: None,
                paused: false,
                next: None,
                read: None,
                settled: None,
                end: None,
                cached: 0,
                not_before: None,
                trouble: None,
                moves: 0,
            };
            self.queues.insert(id, assigned);
            self.advance(cx, id);
        }
        // Queues may have waited for those that are gone: for their room, or to know where they begin.
        self.refill(cx);
        for id in dropped {
            self.decide(cx, id.topic);
        }
    }

    /// Takes the next reply of a queue that is not paused. What was taken before counts as dealt with.
    pub(crate) fn take(&mut self, cx: &mut Cx) -> Option<Pulled> {
        if let Some(last) = self.last_taken.take()
            && let Some(assigned) = self.queues.get_mut(&last)
        {
            assigned.settled = assigned.read;
        }
        let paused = |chunk: &Chunk| self.queues.get(&chunk.queue).is_some_and(|assigned| assigned.paused);
        let place = self.chunks.iter().position(|chunk| !paused(chunk))?;
        let chunk = self.chunks.remove(place)?;
        self.cached_messages -= chunk.messages;
        self.cached_bytes -= chunk.pulled.body.len();
        if let Some(assigned) = self.queues.get_mut(&chunk.queue) {
            assigned.cached -= chunk.messages;
            assigned.read = Some(chunk.pulled.next);
            self.last_taken = Some(chunk.queue);
        }
        self.refill(cx);
        Some(chunk.pulled)
    }

    /// Room came free: queues that waited for it go on, as far as it reaches.
    fn refill(&mut self, cx: &mut Cx) {
        let full: Vec<QueueId> = self
            .queues
            .iter()
            .filter(|(_, assigned)| assigned.step == Step::Waits(Waits::Full))
            .map(|(id, _)| *id)
            .collect();
        for id in full {
            self.advance(cx, id);
        }
    }

    /// Goes to another place of a queue: what is cached of it is dropped.
    pub(crate) fn seek(&mut self, cx: &mut Cx, queue: &Queue, to: Position) -> Result<(), SeekError> {
        if self.closing {
            return Err(SeekError::Closed);
        }
        if let Position::Offset(offset) = to
            && offset < 0
        {
            return Err(SeekError::Negative(offset));
        }
        let not_assigned = || SeekError::NotAssigned(queue.clone());
        let id = cx.directory.find(queue).ok_or_else(not_assigned)?;
        self.drop_cached(id);
        let assigned = self.queues.get_mut(&id).ok_or_else(not_assigned)?;
        stop(cx, assigned);
        self.generations += 1;
        assigned.generation = self.generations;
        assigned.goal = Goal::To(to);
        assigned.adopt = false;
        (assigned.next, assigned.read, assigned.settled, assigned.end) = (None, None, None, None);
        (assigned.not_before, assigned.trouble, assigned.moves) = (None, None, 0);
        assigned.step = Step::Pausing;
        if self.last_taken == Some(id) {
            self.last_taken = None;
        }
        self.advance(cx, id);
        self.decide(cx, id.topic);
        self.refill(cx);
        Ok(())
    }

    /// Stops or goes on handing out and asking for messages of these queues. Positions stay.
    pub(crate) fn set_paused(&mut self, cx: &mut Cx, queues: &[Queue], paused: bool) {
        if self.closing {
            return;
        }
        for queue in queues {
            let Some(id) = cx.directory.find(queue) else { continue };
            let Some(assigned) = self.queues.get_mut(&id) else { continue };
            assigned.paused = paused;
            if !paused && assigned.step == Step::Waits(Waits::Paused) {
                self.advance(cx, id);
            }
        }
        if !paused && !self.chunks.is_empty() {
            self.tell(cx);
        }
    }

    /// Every queue was read up to the end its broker last told, and nothing is cached. Paused queues do not count.
    pub(crate) fn reached_end(&self) -> bool {
        self.queues.values().filter(|assigned| !assigned.paused).all(|assigned| {
            matches!((assigned.read, assigned.end), (Some(read), Some(end)) if read >= end)
                && assigned.cached == 0
        })
    }

    pub(crate) fn assignment(&self, cx: &Cx) -> Vec<Queue> {
        self.queues.keys().map(|id| cx.directory.named(*id)).collect()
    }

    /// The offset that is taken next, if it is known by now.
    pub(crate) fn position(&self, id: QueueId) -> Option<i64> {
        self.queues.get(&id)?.read
    }

    /// Queues that cannot be read at the moment, and why.
    pub(crate) fn trouble(&self, cx: &Cx) -> Vec<(Queue, CallError)> {
        let troubled = self.queues.iter().filter_map(|(id, assigned)| Some((*id, assigned.trouble.clone()?)));
        troubled.map(|(id, error)| (cx.directory.named(id), error)).collect()
    }

    /// Whether it reads queues of this topic.
    pub(crate) fn reads(&self, topic: TopicId) -> bool {
        self.queues.keys().any(|id| id.topic == topic)
    }

    /// Whether it has queues of this broker, or something to commit there.
    pub(crate) fn holds(&self, broker: BrokerId) -> bool {
        self.queues.keys().any(|id| id.broker == broker) || self.commits.holds(broker)
    }

    /// Nobody else needs this topic any more. Returns whether this consumer does not hold it either.
    pub(crate) fn forget(&mut self, topic: TopicId) -> bool {
        !self.reads(topic) && self.commits.forget(topic)
    }

    /// The topics it reads, for heartbeats.
    pub(crate) fn topics(&self) -> Vec<TopicId> {
        let mut topics: Vec<TopicId> = self.queues.keys().map(|id| id.topic).collect();
        topics.dedup();
        topics
    }

    pub(crate) const fn version(&self) -> UnixMillis {
        self.version
    }

    /// Somebody polls and wants to be woken at `at` at the latest.
    pub(crate) fn wake_at(&mut self, cx: &mut Cx, at: Instant) {
        if self.closing {
            return self.tell(cx);
        }
        cx.timers.rearm(&mut self.poll_timer, at, Alarm::Poll(self.id));
    }

    /// That time has come.
    pub(crate) fn poll_alarm(&mut self, cx: &mut Cx) {
        self.poll_timer = None;
        self.tell(cx);
    }

    /// A route came: queues whose broker was unknown can be asked for.
    pub(crate) fn handle_route(&mut self, cx: &mut Cx, topic: TopicId) {
        let waiting: Vec<QueueId> = self
            .queues
            .iter()
            .filter(|(id, assigned)| id.topic == topic && assigned.step == Step::Pausing)
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.advance(cx, id);
        }
    }

    /// As `close`, with everything taken dealt with; ends in `Outcome::Committed`.
    pub(crate) fn finish(&mut self, cx: &mut Cx, ticket: Ticket) {
        self.commits.finish(cx);
        self.commit(cx, ticket);
        self.close(cx);
    }

    /// Stops reading. What is settled is committed if that is automatic; it is gone once nothing is left to do.
    pub(crate) fn close(&mut self, cx: &mut Cx) {
        if self.closing {
            return;
        }
        self.closing = true;
        self.chunks.clear();
        (self.cached_messages, self.cached_bytes) = (0, 0);
        for assigned in self.queues.values_mut() {
            stop(cx, assigned);
            assigned.step = Step::Waits(Waits::Paused);
            assigned.paused = true;
            assigned.cached = 0;
        }
        cx.timers.disarm(&mut self.poll_timer);
        self.commits.finish(cx);
        if self.config.auto_commit {
            self.commit_settled(cx);
        }
        self.tell(cx);
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Everything ends now.
    pub(crate) fn abandon(&mut self, cx: &mut Cx) {
        self.config.auto_commit = false;
        self.close(cx);
        self.commits.abandon(cx);
    }

    fn tell(&self, cx: &mut Cx) {
        cx.out.push_back(Output::Deliver(self.id));
    }

    fn drop_cached(&mut self, id: QueueId) {
        let (mut messages, mut bytes) = (0, 0);
        self.chunks.retain(|chunk| {
            let drop = chunk.queue == id;
            if drop {
                messages += chunk.messages;
                bytes += chunk.pulled.body.len();
            }
            !drop
        });
        self.cached_messages -= messages;
        self.cached_bytes -= bytes;
        if let Some(assigned) = self.queues.get_mut(&id) {
            assigned.cached = 0;
        }
    }

    pub(crate) fn check(&self, cx: &Cx) {
        let cached: usize = self.queues.values().map(|assigned| assigned.cached).sum();
        assert_eq!(cached, self.cached_messages, "R3: cached messages are counted");
        let bytes: usize = self.chunks.iter().map(|chunk| chunk.pulled.body.len()).sum();
        assert_eq!(bytes, self.cached_bytes, "R3: cached bytes are counted");
        for (id, assigned) in &self.queues {
            match assigned.step {
                Step::Locating(call) | Step::Pulling(call, _) => {
                    assert!(cx.peers.has_call(call), "L7: {id:?} waits for a request that is under way");
                }
                Step::Pausing => assert!(assigned.timer.is_some(), "L7: a pause of {id:?} ends"),
                Step::Waits(Waits::Paused) => assert!(assigned.paused, "L7: {id:?} waits to be resumed"),
                Step::Waits(Waits::Full) => {
                    assert!(!self.chunks.is_empty(), "L7: {id:?} waits for something to be taken");
                }
                Step::Waits(Waits::Others) => {
                    let others =
                        self.queues.iter().any(|(other, a)| other.topic == id.topic && a.goal.is_open());
                    assert!(others, "L7: {id:?} waits for queues that do not know where they begin");
                }
            }
        }
        self.commits.check(cx);
    }
}

/// Takes the requests and alarms of a queue back.
fn stop(cx: &mut Cx, assigned: &mut Assigned) {
    cx.timers.disarm(&mut assigned.timer);
    if let Step::Locating(call) | Step::Pulling(call, _) = assigned.step {
        cx.forget(call);
    }
}

fn intern(cx: &mut Cx, queue: &Queue) -> QueueId {
    QueueId { topic: cx.topic(&queue.topic), broker: cx.directory.broker(&queue.broker), queue: queue.queue }
}
