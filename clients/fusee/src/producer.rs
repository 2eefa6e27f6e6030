//! Sending: what starts on the call, what waits for room, and what is given back.
//!
//! Laws:
//! - `send` starts on the call: what is admitted is admitted in call order, whether or not its `Pending` is looked at.
//! - Past the bound a send holds its message and asks for room when it is first looked at; rooms are granted in the
//!   order in which they are asked for. Dropped before, the message is provably not stored and its room is given back.
//! - Everything that can be done without the client's lock (checks, ids, encoding) is done without it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fusee_core::error::{Rejected, RejectedWhy, SendError as Failure, Stored};
use fusee_core::ids::{Group, ProducerId, Queue, Ticket};
use fusee_core::{Choice, Outcome, Prepared, Receipt};
use fusee_engine::{Dead, Engine, Handle, Operation};

use crate::error::{SendError, StartError, TrySendError};
use crate::group;
use crate::message::Message;
use crate::pending::{Pending, Steps};

/// Sends messages as a member of a producer group.
///
/// Cheap to clone and shared freely between threads and tasks; all clones are one producer. Dropping them stops
/// nothing: what was admitted is sent, and the group stays until [`close`](Producer::close) or the client's close.
///
/// ```no_run
/// # async fn example(client: fusee::Client) -> fusee::Result<()> {
/// use fusee::Message;
///
/// let producer = client.producer("orders-api").start().await?;
/// let a = producer.send(Message::new("orders", "1")); // on its way already
/// let b = producer.send(Message::new("orders", "2")); // behind it
/// println!("{} {}", a.await?, b.await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Producer {
    handle: Handle,
    id: ProducerId,
    group: Group,
}

impl Producer {
    /// Sends a message to a queue that the client chooses: round robin over the topic's writable queues, away from
    /// brokers that cannot be reached.
    ///
    /// The send starts now; the returned [`Pending`] tells how it ends: with the broker's [`Receipt`], or with a
    /// [`SendError`] that says whether the message may be stored ([`SendError::stored`]). Up to three attempts are made
    /// within one deadline of 3 s (both set on the [`ClientBuilder`](crate::ClientBuilder)).
    ///
    /// Messages are handed to connections in call order. Brokers may store messages of one queue that are under way at
    /// the same time in another order; await each receipt where the order in the queue matters.
    ///
    /// # Back-pressure
    /// A client holds 65,536 unfinished sends or 64 MiB of them. Past that, the message stays in the `Pending`, which
    /// asks for room when it is first polled or waited for. [`try_send`](Producer::try_send) gives the message back
    /// instead.
    ///
    /// # Cancellation
    /// Dropping the `Pending` of an admitted send never un-sends it: only the receipt is lost. Dropped while it still
    /// holds its message, the message is provably not stored.
    pub fn send(&self, message: Message) -> Pending<Receipt, SendError> {
        self.send_by_choice(message, Choice::Any)
    }

    /// Sends a message to one queue and no other, whatever happens to its broker. Otherwise as [`send`](Self::send).
    ///
    /// The message's topic has to be the queue's; otherwise the send ends in `NoSuchQueue`.
    pub fn send_to(&self, queue: &Queue, message: Message) -> Pending<Receipt, SendError> {
        self.send_by_choice(message, Choice::Queue(queue.clone()))
    }

    /// Sends a message if there is room for it now, otherwise gives it back. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    /// [`TrySendError`] with the message: it is not stored.
    ///
    /// ```no_run
    /// # fn example(producer: fusee::Producer) -> fusee::Result<()> {
    /// use fusee::Message;
    ///
    /// match producer.try_send(Message::new("metrics", "cpu=0.7")) {
    ///     Ok(sent) => drop(sent), // on its way; its receipt is not wanted
    ///     Err(full) => eprintln!("{} is kept for later: {full}", full.message.encoded_size()),
    /// }
    /// # Ok(()) }
    /// ```
    #[expect(clippy::result_large_err, reason = "a message that is not admitted comes back")]
    pub fn try_send(&self, message: Message) -> Result<Pending<Receipt, SendError>, TrySendError> {
        let prepared = match message.prepared() {
            Ok(prepared) => prepared,
            Err(illegal) => return Err(TrySendError { message: Box::new(message), why: illegal.into() }),
        };
        let admitted = self.handle.try_operate(|client, now, ticket| {
            client.producer(self.id).send(now, prepared, Choice::Any, ticket)
        });
        let why = match admitted {
            Ok(Ok(operation)) => return Ok(Pending::running(operation, sent)),
            Ok(Err(Rejected { why: RejectedWhy::Full, .. })) => Failure::Full,
            Ok(Err(Rejected { why: RejectedWhy::Closed, .. })) | Err(_) => Failure::Closed(Stored::No),
        };
        Err(TrySendError { message: Box::new(message), why: why.into() })
    }

    /// The group it sends for.
    #[must_use]
    pub fn group(&self) -> &str {
        self.group.as_str()
    }

    /// Leaves the group: brokers are told, and the group may be opened again. Sends under way go on; later sends end
    /// in `Closed`. Doing it again, or on another clone, does nothing.
    pub fn close(&self) {
        // A dead client has no group to leave.
        self.handle.command(|client, now| client.producer(self.id).close(now)).unwrap_or_default();
    }

    #[expect(clippy::result_large_err, reason = "a message that is not admitted comes back")]
    fn send_by_choice(&self, message: Message, to: Choice) -> Pending<Receipt, SendError> {
        let prepared = match message.into_prepared() {
            Ok(prepared) => prepared,
            Err(illegal) => return Pending::ready(Err(illegal.into())),
        };
        let target = to.clone();
        let admitted = self
            .handle
            .try_operate(|client, now, ticket| client.producer(self.id).send(now, prepared, target, ticket));
        match admitted {
            Ok(Ok(operation)) => Pending::running(operation, sent),
            Ok(Err(Rejected { value, why: RejectedWhy::Full })) => Pending::steps(Held {
                engine: Arc::clone(&self.handle),
                id: self.id,
                to,
                step: Step::Held(value),
            }),
            Ok(Err(Rejected { why: RejectedWhy::Closed, .. })) | Err(_) => Pending::ready(Err(not_started())),
        }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("group", &self.group).finish_non_exhaustive()
    }
}

/// How an admitted send ended.
fn sent(end: Result<Outcome, Dead>) -> Result<Receipt, SendError> {
    match end {
        Ok(Outcome::Sent(result)) => result.map_err(SendError::Failed),
        // The machine answers a send with nothing else; if the client died, nobody knows how far the send had come.
        Ok(_) | Err(_) => Err(Failure::Closed(Stored::Unknown).into()),
    }
}

fn not_started() -> SendError {
    Failure::Closed(Stored::No).into()
}

/// A send past the bound.
struct Held {
    engine: Arc<Engine>,
    id: ProducerId,
    to: Choice,
    step: Step,
}

enum Step {
    /// Nobody has looked yet, so no room was asked for.
    Held(Prepared),
    /// Room was asked for, under this ticket.
    Asking(Prepared, Ticket, Operation),
    /// Admitted.
    Sending(Operation),
    /// Ended.
    Over,
}

impl Held {
    fn ask(&self, message: Prepared) -> Result<Step, SendError> {
        let bytes = message.bytes();
        let asking = self
            .engine
            .operate(|client, now, ticket| client.producer(self.id).await_room(now, bytes, ticket));
        match asking.ticket() {
            Some(ticket) => Ok(Step::Asking(message, ticket, asking)),
            None => Err(not_started()),
        }
    }

    /// There is room, and it is ours.
    #[expect(clippy::result_large_err, reason = "a message that is not admitted comes back")]
    fn admit(&self, message: Prepared, room: Ticket) -> Result<Step, SendError> {
        let to = self.to.clone();
        let admitted = self.engine.try_operate(|client, now, ticket| {
            client.producer(self.id).send_reserved(now, message, to, room, ticket)
        });
        match admitted {
            Ok(Ok(operation)) => Ok(Step::Sending(operation)),
            // Reserved room is only refused by what is closed.
            Ok(Err(_)) | Err(_) => Err(not_started()),
        }
    }
}

impl Steps<Receipt, SendError> for Held {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Receipt, SendError>> {
        loop {
            self.step = match std::mem::replace(&mut self.step, Step::Over) {
                Step::Held(message) => self.ask(message)?,
                Step::Asking(message, ticket, mut asking) => match Pin::new(&mut asking).poll(cx) {
                    Poll::Pending => {
                        self.step = Step::Asking(message, ticket, asking);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(Outcome::Room(Ok(())))) => self.admit(message, ticket)?,
                    Poll::Ready(_) => return Poll::Ready(Err(not_started())),
                },
                Step::Sending(mut operation) => match Pin::new(&mut operation).poll(cx) {
                    Poll::Pending => {
                        self.step = Step::Sending(operation);
                        return Poll::Pending;
                    }
                    Poll::Ready(end) => return Poll::Ready(sent(end)),
                },
                Step::Over => unreachable!("a Pending is polled until it is ready, not after"),
            }
        }
    }

    fn engine(&self) -> Option<&Arc<Engine>> {
        Some(&self.engine)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Step::Asking(_, ticket, _) = self.step {
            // A dead client keeps no room.
            self.engine
                .command(|client, _| client.producer(self.id).give_up_room(ticket))
                .unwrap_or_default();
        }
    }
}

/// A producer that is about to start: see [`Client::producer`](crate::Client::producer).
#[derive(Debug)]
#[must_use = "a producer does nothing until it is started"]
pub struct ProducerBuilder {
    handle: Handle,
    group: Box<str>,
}

impl ProducerBuilder {
    pub(crate) fn new(handle: Handle, group: &str) -> Self {
        Self { handle, group: group.into() }
    }

    /// Joins the group.
    ///
    /// # Errors
    /// [`StartError`] when the group's name is illegal or reserved, when this client already has a producer of the
    /// group, or when it is closed.
    pub fn start(self) -> Pending<Producer, StartError> {
        Pending::ready(self.open())
    }

    fn open(self) -> Result<Producer, StartError> {
        let group = group::check(&self.group, "DEFAULT_PRODUCER")?;
        let opened = self.handle.command(|client, now| client.open_producer(now, group.clone()));
        let id = opened.map_err(|_| fusee_core::error::OpenError::Closed)??;
        Ok(Producer { handle: self.handle, id, group })
    }
}
