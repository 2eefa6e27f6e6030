//! Committing positions.
//!
//! Laws: only known positions are committed; per queue one commit is under way at a time, since brokers may execute
//! two in any order; a commit that failed is kept and made again; every ticket hears once.
//!
//! Source: Java `RemoteBrokerOffsetStore`; there a commit is one-way, so that nobody learns of its loss.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::config::PullConfig;
use crate::cx::Cx;
use crate::error::{CallError, CommitError};
use crate::event::{Outcome, Output};
use crate::handles::CallId;
use crate::ids::{ConsumerId, Queue, QueueId, Ticket};
use crate::limits::client as limits;
use crate::link::Purpose;
use crate::note::Note;
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
    timer: Option<Timer>,
}

impl Commits {
    pub(super) fn start(&mut self, cx: &mut Cx, config: &PullConfig, id: ConsumerId) {
        if config.auto_commit {
            let at = cx.now + config.commit_interval.max(limits::PERIOD_MIN);
            cx.timers.rearm(&mut self.timer, at, Alarm::Commit(id));
        }
    }

    pub(super) fn stop(&mut self, cx: &mut Cx) {
        cx.timers.disarm(&mut self.timer);
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
        self.positions.values().all(|position| position.under_way.is_none() && position.wanted.is_none())
    }

    pub(super) fn abandon(&mut self, cx: &mut Cx) {
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
        for position in self.positions.values() {
            match position.under_way {
                Some((call, _)) => assert!(cx.peers.has_call(call), "L7: a commit under way ends"),
                None => assert!(position.wanted.is_none(), "L7: a wanted commit is made"),
            }
        }
        for waiter in &self.waiters {
            for id in &waiter.left {
                let position = self.positions.get(id).copied().unwrap_or_default();
                assert!(position.under_way.is_some(), "S4: whoever waits for a commit hears of it");
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
        self.commit_settled(cx);
        self.commits.start(cx, &self.config, self.id);
    }

    /// Nothing is left to be committed.
    pub(crate) fn is_committed(&self) -> bool {
        self.commits.is_idle()
    }

    /// Sees to it that this position is or will be the committed one.
    pub(super) fn want_commit(&mut self, cx: &mut Cx, id: QueueId, offset: i64) {
        let position = self.commits.positions.entry(id).or_default();
        match position.under_way {
            Some((_, going)) => position.wanted = (going != offset).then_some(offset),
            None if position.committed == Some(offset) && position.again == 0 => self.commits.done(id),
            None => self.send_commit(cx, id, offset),
        }
    }

    fn send_commit(&mut self, cx: &mut Cx, id: QueueId, offset: i64) {
        let Some(peer) = cx.directory.master(id.broker).or_else(|| cx.directory.readable_at(id.broker))
        else {
            // Only queues that were read are committed, so their broker was known; it has vanished since.
            let broker = cx.directory.broker_name(id.broker).clone();
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
        let call = cx.call(peer, purpose, request.into(), Some(cx.now + limits::CALL_DEADLINE), false);
        self.commits.positions.entry(id).or_default().under_way = Some((call, offset));
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
