//! Reading queues when asked to, at one's own pace.
//!
//! Laws:
//! - A poll takes what is there at the moment it looks; one that is cancelled has taken nothing.
//! - Replies are decoded on the polling thread, outside the client's lock.
//! - A message that cannot be read is reported once, after the others of its reply; nothing is skipped silently.
//! - What was given out counts as read when the next poll begins; automatic commits never run ahead of that.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fusee_core::Outcome;
use fusee_core::error::{CallError, SeekError};
use fusee_core::ids::{ConsumerId, Group, Queue};
use fusee_engine::{Dead, Engine, Handle, Operation};

use crate::error::{CommitError, PollError, Undecodable};
use crate::pending::{Pending, Steps};
use crate::received::{Decoder, Received};

mod builder;
mod place;
mod polling;

pub use builder::LitePullBuilder;
pub use place::{Position, StartFrom};
use polling::Found;
pub use polling::Polling;

/// Reads the queues it was given, when it is polled.
///
/// It pulls ahead into a bounded cache. The group's offsets are stored by the brokers; a message counts as read when
/// the next poll begins, so that with automatic commits every message is read at least once, even after a crash,
/// as long as it is processed before polling again.
///
/// [`close`](LitePull::close) commits what was given out and tells how that ended. Dropping it stops its pulls and
/// leaves the group as well, but commits only what was given out before the latest poll, if commits are automatic, and
/// nobody hears of it.
///
/// ```no_run
/// # async fn example(client: fusee::Client) -> fusee::Result<()> {
/// use std::time::Duration;
/// use fusee::StartFrom;
///
/// let queues = client.queues("orders").await?;
/// let mut pull = client.lite_pull("audit").assign(queues).from(StartFrom::First).start().await?;
/// while let Some(batch) = pull.poll_until_end(Duration::from_secs(5)).await? {
///     for message in batch {
///         println!("{} {}", message.queue(), message.text()?);
///     }
/// }
/// # Ok(()) }
/// ```
pub struct LitePull {
    handle: Handle,
    id: ConsumerId,
    group: Group,
    auto_commit: bool,
    decoder: Decoder,
    /// Found in the last reply, to be reported one by one.
    damaged: VecDeque<Undecodable>,
}

impl LitePull {
    /// The next messages of some queue, at most one reply of a broker (32 by default), all of one queue and in its
    /// order; none if there are none within `limit`.
    ///
    /// # Errors
    /// [`PollError::Undecodable`] for a stored message that cannot be read: the messages around it were given before,
    /// and the next poll goes on behind it. [`PollError::Closed`] after the client's close.
    ///
    /// # Cancellation
    /// Dropping it before it is ready loses nothing.
    pub fn poll(&mut self, limit: Duration) -> Polling<'_, Vec<Received>> {
        self.polling(limit, false, |found| match found {
            Found::Messages(messages) => Ok(messages),
            Found::End | Found::Nothing(_) => Ok(Vec::new()),
        })
    }

    /// As [`poll`](LitePull::poll), but `None` when every queue was read up to the end its broker last told and
    /// everything was given out: for reading what is there and then stopping.
    ///
    /// # Errors
    /// As [`poll`](LitePull::poll), and [`PollError::TimedOut`] when nothing comes within `limit` although the end is
    /// not reached, because a broker is down or a queue is paused. Polling again goes on.
    ///
    /// # Cancellation
    /// Dropping it before it is ready loses nothing.
    pub fn poll_until_end(&mut self, limit: Duration) -> Polling<'_, Option<Vec<Received>>> {
        self.polling(limit, true, |found| match found {
            Found::Messages(messages) => Ok(Some(messages)),
            Found::End => Ok(None),
            Found::Nothing(trouble) => Err(PollError::TimedOut { trouble: trouble.into() }),
        })
    }

    fn polling<T>(
        &mut self,
        limit: Duration,
        until_end: bool,
        read: fn(Found) -> Result<T, PollError>,
    ) -> Polling<'_, T> {
        let until = self.handle.now() + limit;
        Polling::new(self, until, until_end, read)
    }

    /// Goes to another place of an assigned queue. What was pulled and not yet given out of it is dropped; the next
    /// messages of it are those from there on.
    ///
    /// # Errors
    /// [`SeekError`] when the queue is not assigned, the offset is negative, or the consumer is closed.
    pub fn seek(&mut self, queue: &Queue, position: Position) -> Result<(), SeekError> {
        self.handle
            .command(|client, now| client.consumer(self.id).seek(now, queue, position.into()))
            .unwrap_or(Err(SeekError::Closed))
    }

    /// Stops pulling from these queues and giving out what was pulled of them. Positions stay.
    pub fn pause(&mut self, queues: &[Queue]) {
        // A dead client pulls from nothing.
        self.handle.command(|client, now| client.consumer(self.id).pause(now, queues)).unwrap_or_default();
    }

    /// Pulls from these queues again, from where it stopped.
    pub fn resume(&mut self, queues: &[Queue]) {
        // A dead client pulls from nothing.
        self.handle.command(|client, now| client.consumer(self.id).resume(now, queues)).unwrap_or_default();
    }

    /// Reads these queues from now on and no others. Positions of queues that stay are kept; those of queues that go
    /// are committed if commits are automatic.
    pub fn assign(&mut self, queues: impl IntoIterator<Item = Queue>) {
        let queues: Vec<Queue> = queues.into_iter().collect();
        // A dead client reads nothing.
        self.handle.command(|client, now| client.consumer(self.id).assign(now, &queues)).unwrap_or_default();
    }

    /// The queues it reads.
    #[must_use]
    pub fn assignment(&self) -> Vec<Queue> {
        self.handle.command(|client, _| client.consumer(self.id).assignment()).unwrap_or_default()
    }

    /// The offset of the message of this queue that is given out next; `None` while that is not known, before the
    /// first reply of its broker, and for a queue that is not assigned.
    #[must_use]
    pub fn position(&self, queue: &Queue) -> Option<i64> {
        self.handle.command(|client, _| client.consumer(self.id).position(queue)).ok().flatten()
    }

    /// Stores the positions behind everything given out so far with the brokers, for the group.
    ///
    /// Starts on the call; dropping the `Pending` only loses the outcome.
    ///
    /// # Errors
    /// [`CommitError`] with the queues that were not committed, each with its cause. Their positions are kept for the
    /// next commit.
    pub fn commit(&mut self) -> Pending<(), CommitError> {
        let committing =
            self.handle.operate(|client, now, ticket| client.consumer(self.id).commit(now, ticket));
        Pending::running(committing, committed)
    }

    /// Stops pulling, commits what was given out if commits are automatic, and leaves the group. A commit that fails is
    /// made again, on a new connection if its own broke, until the close deadline (10 s) has passed.
    ///
    /// Starts on the call; dropping the `Pending` only loses the outcome, unless it was the last that held the client.
    ///
    /// # Errors
    /// [`CommitError`] with the queues that no broker confirmed, each with its last cause: what was read of them may be
    /// read again. The group is left in any case.
    pub fn close(self) -> Pending<(), CommitError> {
        if !self.auto_commit {
            return Pending::ready(Ok(()));
        }
        let committing =
            self.handle.operate(|client, now, ticket| client.consumer(self.id).finish(now, ticket));
        Pending::steps(Closing { pull: self, committing })
    }

    /// The queues that cannot be read at the moment, with what happened last; they are tried again every second.
    #[must_use]
    pub fn trouble(&self) -> Vec<(Queue, CallError)> {
        self.handle.command(|client, _| client.consumer(self.id).trouble()).unwrap_or_default()
    }

    /// The group whose offsets it uses.
    #[must_use]
    pub fn group(&self) -> &str {
        self.group.as_str()
    }
}

impl Drop for LitePull {
    fn drop(&mut self) {
        // A dead client has left its groups.
        self.handle.command(|client, now| client.consumer(self.id).close(now)).unwrap_or_default();
    }
}

impl fmt::Debug for LitePull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LitePull").field("group", &self.group).finish_non_exhaustive()
    }
}

fn committed(end: Result<Outcome, Dead>) -> Result<(), CommitError> {
    match end {
        // A consumer that is gone has no queue that could fail.
        Ok(Outcome::Committed(Err(error))) if error.failed.is_empty() => Err(CommitError::Closed),
        Ok(Outcome::Committed(result)) => result.map_err(CommitError::Failed),
        // The machine answers with nothing else.
        Ok(_) | Err(_) => Err(CommitError::Closed),
    }
}

/// The last commits, and what they need until they have ended.
struct Closing {
    pull: LitePull,
    committing: Operation,
}

impl Steps<(), CommitError> for Closing {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CommitError>> {
        Pin::new(&mut self.committing).poll(cx).map(committed)
    }

    fn engine(&self) -> Option<&Arc<Engine>> {
        Some(&self.pull.handle)
    }
}
