//! What comes into the machine and what it wants done: the values of its contract.

use alloc::vec::Vec;

use crate::connection::Lost;
use crate::error::{CommitError, ConnectError, RawError, RouteError, SendError};
use crate::ids::{Address, ConnId, ConsumerId, Queue, Ticket};
use crate::note::Note;
use crate::producer::message::Receipt;
use crate::time::Instant;
use crate::wire::Frame;

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// Only time has passed.
    Time,
    /// A connection that was dialled is up.
    Connected(ConnId),
    /// A connection is over, or did not come up. Every connection dialled ends in exactly one of these.
    Lost(ConnId, Lost),
    /// A frame came.
    Received(ConnId, Frame),
}

/// What is to be done.
#[must_use = "an output that is not acted on is lost"]
#[derive(Clone, Debug)]
pub enum Output {
    /// Open a connection; answer with `Connected` or `Lost`.
    Dial(ConnId, Address),
    /// Close a connection, dialling or open; answer with `Lost`, which changes nothing any more.
    Hangup(ConnId),
    /// Something waits to be written: [`Client::take`](crate::Client::take) it, until nothing is left. Said once until
    /// then.
    Ready(ConnId),
    /// A command has ended.
    Done(Ticket, Outcome),
    /// Something changed for this consumer: messages to take, the end reached, trouble, or the time asked for.
    Deliver(ConsumerId),
    /// Something worth tracing.
    Note(Note),
    /// Nothing more until an input comes or this instant has passed.
    Wait(Instant),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Of [`Client::connect`](crate::Client::connect).
    Connected(Result<(), ConnectError>),
    /// Of [`Client::queues`](crate::Client::queues).
    Queues(Result<Vec<Queue>, RouteError>),
    /// Of a send.
    Sent(Result<Receipt, SendError>),
    /// Of a wait for room: it is reserved for the ticket, until it is used or given up.
    Room(Result<(), SendError>),
    /// Of a commit.
    Committed(Result<(), CommitError>),
    /// Of [`Client::call`](crate::Client::call): the reply as it came, whatever its code.
    Answered(Result<Frame, RawError>),
    /// Of [`Client::close`](crate::Client::close).
    Closed(Report),
}

/// What closing a client found and left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Sends that were in flight and ended stored.
    pub sends_stored: usize,
    /// Sends that were in flight and ended otherwise; each told its caller how.
    pub sends_failed: usize,
    /// Farewells that brokers confirmed.
    pub groups_left: usize,
    /// Farewells that brokers did not confirm: they forget us when the connection closes.
    pub groups_not_left: usize,
    /// Queues whose last commit no broker confirmed: what was read of them may be read again.
    pub commits_failed: usize,
    /// Whether the deadline came before everything had ended by itself.
    pub cut_short: bool,
}

impl core::fmt::Display for Report {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { sends_stored, sends_failed, groups_left, groups_not_left, commits_failed, cut_short } =
            self;
        write!(
            f,
            "closed: {sends_stored} sends stored, {sends_failed} failed, {groups_left} farewells confirmed"
        )?;
        if *groups_not_left > 0 {
            write!(f, ", {groups_not_left} not")?;
        }
        if *commits_failed > 0 {
            write!(f, ", {commits_failed} queues not committed")?;
        }
        if *cut_short { f.write_str(", cut short by the deadline") } else { Ok(()) }
    }
}
