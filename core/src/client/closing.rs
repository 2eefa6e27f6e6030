//! The end of a client: nothing new is taken, what is in flight is waited for, groups are left, connections closed.
//!
//! Laws: closing ends within its deadline, whatever the peers do; everything pending ends in exactly one outcome;
//! after the end no output but `Wait` comes.

use alloc::vec::Vec;

use crate::client::Client;
use crate::error::LostWhy;
use crate::event::{Outcome, Output, Report};
use crate::ids::{ConsumerId, PeerId, Ticket};
use crate::limits::client as limits;
use crate::link::Purpose;
use crate::time::Instant;
use crate::timers::{Alarm, Timer};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Nothing new is taken; sends and commits end.
    Draining,
    /// Brokers are told.
    Leaving,
    /// Over.
    Closed,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Closing {
    phase: Phase,
    tickets: Vec<Ticket>,
    deadline: Instant,
    timer: Option<Timer>,
    farewells: usize,
    report: Report,
}

impl Closing {
    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Nothing but farewells is sent any more.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving | Phase::Closed)
    }

    /// So many farewells are under way.
    pub(super) fn expect(&mut self, farewells: usize) {
        self.farewells += farewells;
    }

    /// What a consumer that goes leaves uncommitted belongs into the report.
    fn count_uncommitted(&mut self, consumer: &super::Consumer) {
        if self.has_begun() {
            self.report.commits_failed += consumer.uncommitted();
        }
    }

    /// One of them ended.
    pub(super) fn told(&mut self, confirmed: bool) {
        self.farewells = self.farewells.saturating_sub(1);
        if self.has_begun() {
            self.report.groups_left += usize::from(confirmed);
            self.report.groups_not_left += usize::from(!confirmed);
        }
    }
}

impl Client {
    /// Takes nothing new, waits for what is in flight, leaves all groups and closes every connection; ends in
    /// [`Outcome::Closed`] within the close deadline (10 s by default). Closing again waits for the same end.
    pub fn close(&mut self, now: Instant, ticket: Ticket) {
        self.advance_to(now);
        if self.closing.phase == Phase::Closed {
            let report = self.closing.report;
            return self.cx.out.push_back(Output::Done(ticket, Outcome::Closed(report)));
        }
        self.closing.tickets.push(ticket);
        if self.closing.phase == Phase::Open {
            self.closing.phase = Phase::Draining;
            self.closing.deadline = self.cx.now + self.cx.config.close_deadline;
            self.cx.timers.rearm(&mut self.closing.timer, self.closing.deadline, Alarm::Close);
            self.producers.close(&mut self.cx);
            for consumer in self.consumers.values_mut() {
                consumer.close(&mut self.cx);
            }
        }
        self.settle();
    }

    /// Ends everything at once: whatever is pending ends as closed, connections are hung up, nobody is told.
    pub fn abandon(&mut self, now: Instant) {
        self.advance_to(now);
        if self.closing.phase != Phase::Closed {
            self.closing.report.cut_short = true;
            self.finish();
        }
    }

    /// Consumers that were closed and have nothing left to commit leave their group and go.
    pub(super) fn retire_consumers(&mut self) {
        let ready = |consumer: &super::Consumer| consumer.is_closing() && consumer.is_committed();
        let done: Vec<ConsumerId> =
            self.consumers.iter().filter(|(_, consumer)| ready(consumer)).map(|(id, _)| *id).collect();
        for id in done {
            let Some(mut consumer) = self.consumers.remove(&id) else { continue };
            self.closing.count_uncommitted(&consumer);
            consumer.abandon(&mut self.cx); // no alarm of its outlives it
            let group = &consumer.config.group;
            // Brokers know one member per client: a successor in the group would be forgotten with it.
            let succeeded = self.consumers.values().any(|c| c.config.group == *group && !c.is_closing());
            if self.closing.phase != Phase::Closed && !succeeded {
                self.unregister(None, Some(group));
            }
        }
    }

    /// The next phase, if this one is over.
    pub(super) fn close_on(&mut self) {
        if self.closing.phase == Phase::Draining && self.producers.pending() == 0 && self.consumers.is_empty()
        {
            self.closing.phase = Phase::Leaving;
            self.router.close(&mut self.cx);
            self.cx.timers.disarm(&mut self.heartbeat);
            (self.closing.report.sends_stored, self.closing.report.sends_failed) = self.producers.ended;
            // Who does not answer a farewell is not waited for longer than a call takes.
            let soon = (self.cx.now + limits::CALL_DEADLINE).min(self.closing.deadline);
            self.cx.timers.rearm(&mut self.closing.timer, soon, Alarm::Close);
            for group in self.producers.close_members() {
                self.unregister(Some(&group), None);
            }
        }
        if self.closing.phase == Phase::Leaving && self.closing.farewells == 0 {
            self.finish();
        }
    }

    pub(super) fn close_alarm(&mut self) {
        self.closing.timer = None;
        if self.closing.phase != Phase::Closed {
            self.closing.report.cut_short = true;
            self.closing.report.groups_not_left += self.closing.farewells;
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.closing.phase = Phase::Closed;
        self.producers.close(&mut self.cx);
        self.producers.abandon(&mut self.cx);
        self.router.close(&mut self.cx);
        for mut consumer in core::mem::take(&mut self.consumers).into_values() {
            self.closing.count_uncommitted(&consumer);
            consumer.abandon(&mut self.cx);
        }
        self.cx.timers.disarm(&mut self.heartbeat);
        self.cx.timers.disarm(&mut self.closing.timer);
        let peers: Vec<PeerId> = self.cx.peers.ids().collect();
        for peer in peers {
            let mut cuts = self.cx.hang_up(peer, LostWhy::Closed);
            cuts.extend(self.cx.silence(peer));
            // The owners of all others have ended already.
            cuts.retain(|cut| matches!(cut.purpose, Purpose::Raw(_)));
            self.cut(cuts);
        }
        self.cx.wanted.clear();
        self.cx.suspects.clear();
        let report = self.closing.report;
        for ticket in core::mem::take(&mut self.closing.tickets) {
            self.cx.out.push_back(Output::Done(ticket, Outcome::Closed(report)));
        }
    }

    /// Whether the end has come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing.phase == Phase::Closed
    }

    /// When the next alarm is due.
    #[must_use]
    pub fn next_alarm(&self) -> Option<Instant> {
        self.cx.timers.next()
    }
}
