//! One producer or consumer of a client, borrowed to command it.
//!
//! Law: a command moves the machine's clock first and carries what the parts want of each other last, as every step.

use alloc::vec::Vec;

use crate::client::Client;
use crate::config::Position;
use crate::consumer::{Consumer, Pulled};
use crate::cx::Cx;
use crate::error::{CallError, CommitError, Rejected, SeekError};
use crate::event::{Outcome, Output};
use crate::ids::{ConsumerId, ProducerId, Queue, Ticket};
use crate::producer::{Choice, Prepared};
use crate::time::Instant;

/// A producer of a client, borrowed to command it.
pub struct ProducerMut<'a> {
    pub(super) client: &'a mut Client,
    pub(super) id: ProducerId,
}

impl ProducerMut<'_> {
    /// Admits a message for sending; ends in [`Outcome::Sent`].
    ///
    /// # Errors
    /// The message comes back when the client holds as many as it may, or is closed.
    pub fn send(
        self,
        now: Instant,
        message: Prepared,
        to: Choice,
        ticket: Ticket,
    ) -> Result<(), Rejected<Prepared>> {
        self.client.advance_to(now);
        let result = self.client.producers.send(&mut self.client.cx, self.id, message, to, ticket);
        self.client.settle();
        result
    }

    /// Admits a message into the room that was reserved for the ticket `room`; ends in [`Outcome::Sent`] with `ticket`.
    ///
    /// # Errors
    /// The message comes back, and the room is given back, when the client or the producer is closed, or when it is
    /// larger than the room that was reserved and there is no more.
    pub fn send_reserved(
        self,
        now: Instant,
        message: Prepared,
        to: Choice,
        room: Ticket,
        ticket: Ticket,
    ) -> Result<(), Rejected<Prepared>> {
        self.client.producers.admission.hand_on(room, ticket);
        self.send(now, message, to, ticket)
    }

    /// Waits for room for a message of that many bytes, in the order of asking; ends in [`Outcome::Room`].
    pub fn await_room(self, now: Instant, bytes: usize, ticket: Ticket) {
        self.client.advance_to(now);
        self.client.producers.admission.wait(&mut self.client.cx, ticket, bytes);
    }

    /// Ends a wait for room, which ends in [`Outcome::Room`] as closed, or gives reserved room back.
    pub fn give_up_room(self, ticket: Ticket) {
        self.client.producers.admission.give_up(&mut self.client.cx, ticket);
    }

    /// Leaves the group. Sends under way go on.
    pub fn close(self, now: Instant) {
        self.client.advance_to(now);
        if let Some(group) = self.client.producers.close_member(self.id) {
            self.client.unregister(Some(&group), None);
        }
        self.client.settle();
    }
}

/// A consumer of a client, borrowed to command it.
pub struct ConsumerMut<'a> {
    pub(super) client: &'a mut Client,
    pub(super) id: ConsumerId,
}

impl ConsumerMut<'_> {
    fn with<R>(self, now: Instant, act: impl FnOnce(&mut Consumer, &mut Cx) -> R) -> Option<R> {
        self.client.advance_to(now);
        let result =
            self.client.consumers.get_mut(&self.id).map(|consumer| act(consumer, &mut self.client.cx));
        self.client.settle();
        result
    }

    /// Takes the next reply that was cached, if there is one. What was taken before counts as dealt with.
    #[must_use]
    pub fn take(self, now: Instant) -> Option<Pulled> {
        self.with(now, Consumer::take).flatten()
    }

    /// Whether every queue that is not paused was read up to its end, as far as the brokers told.
    #[must_use]
    pub fn reached_end(&self) -> bool {
        self.client.consumers.get(&self.id).is_some_and(Consumer::reached_end)
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.consumers.get(&self.id).is_none_or(Consumer::is_closing)
    }

    /// Queues that cannot be read at the moment, and why.
    #[must_use]
    pub fn trouble(&self) -> Vec<(Queue, CallError)> {
        self.client
            .consumers
            .get(&self.id)
            .map(|consumer| consumer.trouble(&self.client.cx))
            .unwrap_or_default()
    }

    /// Asks for [`Output::Deliver`] at `at` at the latest.
    pub fn wake_at(self, now: Instant, at: Instant) {
        self.with(now, |consumer, cx| consumer.wake_at(cx, at));
    }

    /// Goes to another place of a queue; takes effect at once, whatever was cached of it is dropped.
    ///
    /// # Errors
    /// [`SeekError`] when the queue is not assigned, the offset negative, or the consumer closed.
    pub fn seek(self, now: Instant, queue: &Queue, to: Position) -> Result<(), SeekError> {
        self.with(now, |consumer, cx| consumer.seek(cx, queue, to)).unwrap_or(Err(SeekError::Closed))
    }

    /// Stops handing out and asking for messages of these queues; their positions stay.
    pub fn pause(self, now: Instant, queues: &[Queue]) {
        self.with(now, |consumer, cx| consumer.set_paused(cx, queues, true));
    }

    /// Goes on with these queues.
    pub fn resume(self, now: Instant, queues: &[Queue]) {
        self.with(now, |consumer, cx| consumer.set_paused(cx, queues, false));
    }

    /// Reads these queues from now on, and no others.
    pub fn assign(self, now: Instant, queues: &[Queue]) {
        self.with(now, |consumer, cx| consumer.assign(cx, queues));
    }

    /// The queues it reads.
    #[must_use]
    pub fn assignment(&self) -> Vec<Queue> {
        self.client
            .consumers
            .get(&self.id)
            .map(|consumer| consumer.assignment(&self.client.cx))
            .unwrap_or_default()
    }

    /// The offset that is taken next from a queue, once it is known.
    #[must_use]
    pub fn position(&self, queue: &Queue) -> Option<i64> {
        let id = self.client.cx.directory.find(queue)?;
        self.client.consumers.get(&self.id)?.position(id)
    }

    /// Commits everything that was taken; ends in [`Outcome::Committed`].
    pub fn commit(self, now: Instant, ticket: Ticket) {
        self.committing(now, ticket, Consumer::commit);
    }

    fn committing(self, now: Instant, ticket: Ticket, act: impl FnOnce(&mut Consumer, &mut Cx, Ticket)) {
        let closed = Outcome::Committed(Err(CommitError { failed: Vec::new() }));
        let out = Output::Done(ticket, closed);
        match self.client.consumers.contains_key(&self.id) {
            true => drop(self.with(now, |consumer, cx| act(consumer, cx, ticket))),
            false => self.client.cx.out.push_back(out),
        }
    }

    /// Stops reading, commits everything that was taken, and leaves the group. Ends in [`Outcome::Committed`] within
    /// [`Config::close_deadline`](crate::Config::close_deadline): until then a commit that fails is made again.
    pub fn finish(self, now: Instant, ticket: Ticket) {
        self.committing(now, ticket, Consumer::finish);
    }

    /// Stops reading, commits what is settled if that is automatic, and leaves the group. A commit that fails is made
    /// again until [`Config::close_deadline`](crate::Config::close_deadline) has passed.
    pub fn close(self, now: Instant) {
        self.with(now, Consumer::close);
    }
}
