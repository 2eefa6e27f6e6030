//! Committing positions.
//!
//! Laws: only known positions are committed; per queue one commit is under way at a time, since brokers may execute
//! two in any order; a commit that failed is kept and made again; every ticket hears once. Once the consumer closes
//! there is no later commit to make up for a failed one: it is made again until the close deadline, and a ticket that
//! waits for it hears how that ended.
//!
//! Source: Java `RemoteBrokerOffsetStore`; there a commit is one-way, so that nobody learns of its loss.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::config::PullConfig;
use crate::cx::Cx;
use crate::error::{CallError, CommitError, Retry};
use crate::event::{Outcome, Output};
use crate::handles::CallId;
use crate::ids::{BrokerId, ConsumerId, Queue, QueueId, Ticket, TopicId};
use crate::limits::client as limits;
use crate::link::Purpose;
use crate::note::Note;
use crate::time::Instant;
use crate::timers::{Alarm, Timer};
use crate::wire::UpdateOffset;

use super::Consumer;

#[derive(Clone, Copy, Debug, Default)]
struct Position {
    /// What the broker has, as far as it told.
    committed: Option<i64>,
    under_way: Option<(CallId, i64)>,
    wanted: Option<i64>,
    /// One that was never answered may still be executed, after a newer one: so many more are made, whatever they say.
    again: u8,
    /// The last one of a consumer that closes failed, and is not made again.
    given_up: bool,
}

impl Position {
    const fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.wanted.is_none()
    }
}

#[derive(Clone, Debug)]
struct Waiter {
    ticket: Ticket,
    left: Vec<QueueId>,
    failed: Vec<(Queue, CallError)>,
}

/// The commits of one consumer.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    positions: BTreeMap<QueueId, Position>,
    waiters: Vec<Waiter>,
    /// The next automatic commit; once the consumer closes, the next attempt at those that failed.
    timer: Option<Timer>,
    /// The consumer closes: until then a commit that failed is made again.
    until: Option<Instant>,
}

impl Commits {
    pub(super) fn start(&mut self, cx: &mut Cx, config: &PullConfig, id: ConsumerId) {
        if config.auto_commit {
            let at = cx.now + config.commit_interval.max(limits::PERIOD_MIN);
            cx.timers.rearm(&mut self.timer, at, Alarm::Commit(id));
        }
    }

    /// From now on every commit is the last of its queue.
    pub(super) fn finish(&mut self, cx: &mut Cx) {
        if self.until.is_none() {
            cx.timers.disarm(&mut self.timer);
            self.until = Some(cx.now + cx.config.close_deadline);
        }
    }

    /// The group has this offset.
    pub(super) fn known(&mut self, id: QueueId, offset: i64) {
        self.positions.entry(id).or_default().committed = Some(offset);
    }

    pub(super) fn is_known(&self, id: QueueId) -> bool {
        self.positions.get(&id).is_some_and(|position| position.committed.is_some())
    }

    /// The latest position wanted of this queue is committed.
    fn done(&mut self, id: QueueId) {
        for waiter in &mut self.waiters {
            waiter.left.retain(|left| *left != id);
        }
    }

    fn is_idle(&self) -> bool {
        self.positions.values().all(Position::is_idle)
    }

    /// This topic is not read any more. Returns whether nothing of it is left to be committed.
    pub(super) fn forget(&mut self, topic: TopicId) -> bool {
        self.positions.retain(|id, position| id.topic != topic || !position.is_idle());
        self.positions.keys().all(|id| id.topic != topic)
    }

    /// Whether something is to be committed there.
    pub(super) fn holds(&self, broker: BrokerId) -> bool {
        self.positions.iter().any(|(id, position)| id.broker == broker && !position.is_idle())
    }

    pub(super) fn abandon(&mut self, cx: &mut Cx) {
        cx.timers.disarm(&mut self.timer);
        for position in self.positions.values_mut() {
            position.wanted = None;
            if let Some((call, _)) = position.under_way.take() {
                cx.forget(call);
            }
        }
        for mut waiter in self.waiters.drain(..) {
            waiter.failed.extend(waiter.left.iter().map(|id| (cx.directory.named(*id), CallError::Closed)));
            let result = Err(CommitError { failed: waiter.failed });
            cx.out.push_back(Output::Done(waiter.ticket, Outcome::Committed(result)));
        }
    }

    pub(super) fn check(&self, cx: &Cx) {
        let paused = self.until.is_some() && self.timer.is_some();
        for position in self.positions.values() {
            match position.under_way {
                Some((call, _)) => assert!(cx.peers.has_call(call), "L7: a commit under way ends"),
                None => assert!(position.wanted.is_none() || paused, "L7: a wanted commit is made"),
            }
        }
        for waiter in &self.waiters {
            for id in &waiter.left {
                let position = self.positions.get(id).copied().unwrap_or_default();
                let comes = position.under_way.is_some() || position.wanted.is_some();
                assert!(comes, "S4: whoever waits for a commit hears of it");
            }
        }
    }
}

impl Consumer {
    /// Commits everything taken; ends in `Outcome::Committed`.
    pub(crate) fn commit(&mut self, cx: &mut Cx, ticket: Ticket) {
        let read: Vec<(QueueId, i64)> =
            self.queues.iter().filter_map(|(id, a)| Some((*id, a.read?))).collect();
        let left = read.iter().map(|(id, _)| *id).collect();
        self.commits.waiters.push(Waiter { ticket, left, failed: Vec::new() });
        for (id, offset) in read {
            self.settle(id, offset); // or the next automatic commit would take it back
            self.want_commit(cx, id, offset);
        }
        self.answer_waiters(cx);
    }

    /// Automatic commits cover this from now on.
    pub(super) fn settle(&mut self, id: QueueId, offset: i64) {
        if let Some(assigned) = self.queues.get_mut(&id) {
            assigned.settled = Some(offset);
        }
    }

    /// Commits what was settled by the take after it.
    pub(super) fn commit_settled(&mut self, cx: &mut Cx) {
        let settled: Vec<(QueueId, i64)> =
            self.queues.iter().filter_map(|(id, a)| Some((*id, a.settled?))).collect();
        for (id, offset) in settled {
            self.want_commit(cx, id, offset);
        }
    }

    /// It is time for that.
    pub(crate) fn commit_alarm(&mut self, cx: &mut Cx) {
        self.commits.timer = None;
        if self.commits.until.is_some() {
            return self.commit_again(cx);
        }
        self.commit_settled(cx);
        self.commits.start(cx, &self.config, self.id);
    }

    /// The pause after a last commit that failed is over.
    fn commit_again(&mut self, cx: &mut Cx) {
        let paused = |(id, position): (&QueueId, &Position)| Some((*id, position.wanted?));
        let failed: Vec<(QueueId, i64)> = self
            .commits
            .positions
            .iter()
            .filter(|(_, position)| position.under_way.is_none())
            .filter_map(paused)
            .collect();
        for (id, offset) in failed {
            self.send_commit(cx, id, offset);
        }
        self.answer_waiters(cx);
    }

    /// Nothing is left to be committed.
    pub(crate) fn is_committed(&self) -> bool {
        self.commits.is_idle()
    }

    /// Queues whose last commit no broker confirmed.
    pub(crate) fn uncommitted(&self) -> usize {
        let lost = |position: &&Position| position.given_up || !position.is_idle();
        self.commits.positions.values().filter(lost).count()
    }

    /// Sees to it that this position is or will be the committed one.
    pub(super) fn want_commit(&mut self, cx: &mut Cx, id: QueueId, offset: i64) {
        let position = self.commits.positions.entry(id).or_default();
        match position.under_way {
            Some((_, going)) => position.wanted = (going != offset).then_some(offset),
            None if position.committed == Some(offset) && position.again == 0 => {
                position.wanted = None;
                self.commits.done(id);
            }
            None => self.send_commit(cx, id, offset),
        }
    }

    fn send_commit(&mut self, cx: &mut Cx, id: QueueId, offset: i64) {
        let Some(peer) = cx.directory.master(id.broker).or_else(|| cx.directory.readable_at(id.broker))
        else {
            // Only queues that were read are committed, so their broker was known; it has vanished since.
            let broker = cx.directory.broker_name(id.broker).clone();
            self.commits.positions.entry(id).or_default().wanted = Some(offset);
            return self.commit_ended(cx, id, Err(CallError::UnknownBroker(broker)));
        };
        let request = UpdateOffset {
            group: self.config.group.clone(),
            topic: cx.directory.topic_name(id.topic).clone(),
            broker: cx.directory.broker_name(id.broker).clone(),
            queue: id.queue,
            offset,
        };
        let purpose = Purpose::Commit(self.id, id, offset);
        let deadline = cx.now + limits::CALL_DEADLINE;
        let deadline = self.commits.until.map_or(deadline, |until| until.min(deadline));
        let call = cx.call(peer, purpose, request.into(), Some(deadline), false);
        let position = self.commits.positions.entry(id).or_default();
        (position.under_way, position.wanted) = (Some((call, offset)), None);
    }

    /// A commit ended.
    pub(crate) fn handle_committed(&mut self, cx: &mut Cx, id: QueueId, result: Result<(), CallError>) {
        self.commit_ended(cx, id, result);
        self.answer_waiters(cx);
    }

    fn commit_ended(&mut self, cx: &mut Cx, id: QueueId, result: Result<(), CallError>) {
        let position = self.commits.positions.entry(id).or_default();
        let ended = position.under_way.take();
        let newer = position.wanted.take();
        match result {
            Ok(()) => {
                position.committed = ended.map(|(_, offset)| offset).or(position.committed);
                position.again = position.again.saturating_sub(1);
                if let Some(newer) = newer {
                    return self.send_commit(cx, id, newer);
                }
                self.commits.done(id);
            }
            Err(error) => {
                if matches!(error, CallError::TimedOut { .. } | CallError::Lost { .. }) {
                    position.again = 2;
                }
                let queue = cx.directory.named(id);
                cx.out.push_back(Output::Note(Note::Commit(queue.clone(), error.clone())));
                if let Some(until) = self.commits.until {
                    if may_help(&error, cx.now, until) {
                        position.wanted = newer.or(ended.map(|(_, offset)| offset));
                        if self.commits.timer.is_none() {
                            let at = cx.now + limits::SEND_PAUSE; // on top of the connection's own back-off
                            cx.timers.rearm(&mut self.commits.timer, at, Alarm::Commit(self.id));
                        }
                        return;
                    }
                    position.given_up = true;
                }
                for waiter in &mut self.commits.waiters {
                    if waiter.left.contains(&id) {
                        waiter.left.retain(|left| *left != id);
                        waiter.failed.push((queue.clone(), error.clone()));
                    }
                }
            }
        }
    }

    fn answer_waiters(&mut self, cx: &mut Cx) {
        self.commits.waiters.retain(|waiter| {
            if !waiter.left.is_empty() {
                return true;
            }
            let failed = waiter.failed.clone();
            let result = if failed.is_empty() { Ok(()) } else { Err(CommitError { failed }) };
            cx.out.push_back(Output::Done(waiter.ticket, Outcome::Committed(result)));
            false
        });
    }
}

/// Whether the same commit may succeed before it is too late.
fn may_help(error: &CallError, now: Instant, until: Instant) -> bool {
    match error.retry() {
        Retry::Never => false,
        Retry::Now => now < until,
        Retry::After(pause) => now + pause < until,
    }
}
