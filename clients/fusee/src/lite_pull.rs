//! Reading queues when asked to, at one's own pace.
//!
//! Laws:
//! - A poll takes what is there at the moment it looks; one that is cancelled has taken nothing.
//! - Replies are decoded on the polling thread, outside the client's lock.
//! - A message that cannot be read is reported once, after the others of its reply; nothing is skipped silently.
//! - What was given out counts as read when the next poll begins; automatic commits never run ahead of that.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use fusee_core::error::{CallError, OpenError, SeekError};
use fusee_core::ids::{ConsumerId, Group, Queue};
use fusee_core::{Instant, Outcome, PullConfig, Pulled};
use fusee_engine::{Dead, Engine, Handle, Operation};

use crate::builder::in_range;
use crate::error::{CommitError, PollError, StartError, Undecodable, WouldBlock};
use crate::group;
use crate::id;
use crate::pending::{Pending, Steps};
use crate::received::{Decoded, Decoder, Received};

/// Where reading begins in a queue for which the group has committed nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// At the oldest message the broker has.
    First,
    /// At the end: only what comes from now on.
    #[default]
    Last,
    /// At the first message stored at that time or later, by the broker's clock.
    Time(SystemTime),
}

impl From<StartFrom> for fusee_core::StartFrom {
    fn from(from: StartFrom) -> Self {
        match from {
            StartFrom::First => Self::First,
            StartFrom::Last => Self::Last,
            StartFrom::Time(time) => Self::Time(id::unix(time)),
        }
    }
}

/// A place in a queue to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest message the broker has.
    Begin,
    /// Behind the newest message.
    End,
    /// This offset. One that the broker does not have is moved to the nearest it has.
    Offset(i64),
    /// The first message stored at that time or later, by the broker's clock.
    Time(SystemTime),
}

impl From<Position> for fusee_core::Position {
    fn from(position: Position) -> Self {
        match position {
            Position::Begin => Self::Begin,
            Position::End => Self::End,
            Position::Offset(offset) => Self::Offset(offset),
            Position::Time(time) => Self::Time(id::unix(time)),
        }
    }
}

/// Reads the queues it was given, when it is polled.
///
/// It pulls ahead into a bounded cache. The group's offsets are stored by the brokers; a message counts as read when
/// the next poll begins, so that with automatic commits every message is read at least once, even after a crash,
/// as long as it is processed before polling again.
///
/// Dropping it stops its pulls and leaves the group, without a last commit; [`close`](LitePull::close) commits.
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
        Polling { pull: self, until, until_end, read }
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

    /// Stops pulling, commits what was given out if commits are automatic, and leaves the group.
    ///
    /// Starts on the call; dropping the `Pending` leaves at once.
    ///
    /// # Errors
    /// [`CommitError`] as [`commit`](LitePull::commit); the group is left in any case.
    pub fn close(mut self) -> Pending<(), CommitError> {
        if !self.auto_commit {
            return Pending::ready(Ok(()));
        }
        let queues = self.assignment();
        self.pause(&queues);
        let committing =
            self.handle.operate(|client, now, ticket| client.consumer(self.id).commit(now, ticket));
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
        Ok(Outcome::Committed(result)) => result.map_err(CommitError::Failed),
        // The machine answers with nothing else.
        Ok(_) | Err(_) => Err(CommitError::Closed),
    }
}

/// Commits, and leaves the group when it is dropped.
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

/// What a look found.
enum Found {
    Messages(Vec<Received>),
    /// Everything was read and given out.
    End,
    /// Nothing in time; what keeps queues from being read.
    Nothing(Vec<(Queue, CallError)>),
}

/// A poll under way: `.await` it in async code, on any executor, or [`wait`](Polling::wait) for it on a thread.
#[must_use = "a poll takes nothing until it is awaited or waited for"]
pub struct Polling<'a, T> {
    pull: &'a mut LitePull,
    until: Instant,
    until_end: bool,
    read: fn(Found) -> Result<T, PollError>,
}

impl<T> Polling<'_, T> {
    /// Blocks this thread until there are messages or the poll's time is over.
    ///
    /// # Errors
    /// The poll's own, and [`struct@WouldBlock`] where waiting could never end: on the only thread that drives this
    /// client's connections, for example inside a `current_thread` tokio runtime.
    pub fn wait(mut self) -> Result<T, PollError> {
        let engine = Arc::clone(&self.pull.handle);
        loop {
            match engine.wait(Pin::new(&mut self), None) {
                Ok(Some(result)) => return result,
                Ok(None) => {}
                Err(_) => return Err(WouldBlock.into()),
            }
        }
    }
}

impl<T> Future for Polling<'_, T> {
    type Output = Result<T, PollError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { pull, until, until_end, read } = self.get_mut();
        if let Some(damaged) = pull.damaged.pop_front() {
            return Poll::Ready(Err(Box::new(damaged).into()));
        }
        loop {
            let look = |client: &mut fusee_core::Client, now: Instant| {
                look(client, now, pull.id, *until, *until_end)
            };
            let pulled = match pull.handle.poll_consumer(pull.id, cx, look) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) | Poll::Ready(Ok(Look::Closed)) => {
                    return Poll::Ready(Err(PollError::Closed));
                }
                Poll::Ready(Ok(Look::End)) => return Poll::Ready(read(Found::End)),
                Poll::Ready(Ok(Look::Late(trouble))) => return Poll::Ready(read(Found::Nothing(trouble))),
                Poll::Ready(Ok(Look::Pulled(pulled))) => pulled,
            };
            let Decoded { messages, damaged } = pull.decoder.decode(pulled);
            for damaged in &damaged {
                tracing::warn!(group = pull.group.as_str(), "{damaged}");
            }
            pull.damaged.extend(damaged);
            if !messages.is_empty() {
                return Poll::Ready(read(Found::Messages(messages)));
            }
            if let Some(damaged) = pull.damaged.pop_front() {
                return Poll::Ready(Err(Box::new(damaged).into()));
            }
        }
    }
}

impl<T> fmt::Debug for Polling<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polling").field("group", &self.pull.group).finish_non_exhaustive()
    }
}

enum Look {
    Pulled(Pulled),
    End,
    Late(Vec<(Queue, CallError)>),
    Closed,
}

/// What is there now, under the client's lock. `None`: nothing, and it will be told when that changes.
fn look(
    client: &mut fusee_core::Client,
    now: Instant,
    id: ConsumerId,
    until: Instant,
    until_end: bool,
) -> Option<Look> {
    if let Some(pulled) = client.consumer(id).take(now) {
        return Some(Look::Pulled(pulled));
    }
    if client.consumer(id).is_closed() {
        return Some(Look::Closed);
    }
    if until_end && client.consumer(id).reached_end() {
        return Some(Look::End);
    }
    if now >= until {
        return Some(Look::Late(client.consumer(id).trouble()));
    }
    client.consumer(id).wake_at(now, until);
    None
}

/// A lite pull that is about to start: see [`Client::lite_pull`](crate::Client::lite_pull).
#[derive(Debug)]
#[must_use = "a consumer does nothing until it is started"]
pub struct LitePullBuilder {
    handle: Handle,
    group: Box<str>,
    queues: Vec<Queue>,
    from: StartFrom,
    auto_commit: bool,
    commit_interval: Duration,
    pull_messages: i32,
    cached_messages: usize,
    cached_bytes: usize,
}

impl LitePullBuilder {
    pub(crate) fn new(handle: Handle, group: &str) -> Self {
        use fusee_core::limits::client as limits;
        Self {
            handle,
            group: group.into(),
            queues: Vec::new(),
            from: StartFrom::default(),
            auto_commit: true,
            commit_interval: limits::COMMIT_INTERVAL,
            pull_messages: limits::PULL_MESSAGES,
            cached_messages: limits::CACHED_MESSAGES,
            cached_bytes: limits::CACHED_BYTES,
        }
    }

    /// The queues to read: all of a topic ([`Client::queues`](crate::Client::queues)) or chosen ones. They replace the
    /// ones given before. Other members of the group are not asked: to read each queue once, share them out.
    pub fn assign(mut self, queues: impl IntoIterator<Item = Queue>) -> Self {
        self.queues = queues.into_iter().collect();
        self
    }

    /// Where to begin in a queue for which the group has committed nothing. Default: at the end.
    pub const fn from(mut self, from: StartFrom) -> Self {
        self.from = from;
        self
    }

    /// Whether positions are committed every few seconds and on close. Default yes. Otherwise only
    /// [`LitePull::commit`] does.
    pub const fn auto_commit(mut self, auto_commit: bool) -> Self {
        self.auto_commit = auto_commit;
        self
    }

    /// How often automatic commits are made. Default 5 s, from 1 s to 1 h.
    pub const fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit_interval = interval;
        self
    }

    /// How many messages are asked for at once. Default 32, from 1 to 1,024; most brokers give no more than 32.
    pub const fn pull_messages(mut self, messages: i32) -> Self {
        self.pull_messages = messages;
        self
    }

    /// How many messages are pulled ahead, over all queues. Default 65,536, from 1 to 1,000,000.
    pub const fn cached_messages_max(mut self, messages: usize) -> Self {
        self.cached_messages = messages;
        self
    }

    /// How many bytes are pulled ahead, over all queues. Default 256 MiB, from 1 byte to 16 GiB; one reply is always
    /// taken.
    pub const fn cached_bytes_max(mut self, bytes: usize) -> Self {
        self.cached_bytes = bytes;
        self
    }

    /// Joins the group and begins to pull.
    ///
    /// # Errors
    /// [`StartError`] when the group's name is illegal or reserved, an option is out of range, this client is already
    /// a consumer of the group, or it is closed.
    pub fn start(self) -> Pending<LitePull, StartError> {
        Pending::ready(self.open())
    }

    fn open(self) -> Result<LitePull, StartError> {
        const SECOND: Duration = Duration::from_secs(1);
        let group = group::check(&self.group, "DEFAULT_CONSUMER")?;
        in_range("commit_interval", &self.commit_interval, SECOND..=3600 * SECOND, "1 s to 1 h")?;
        in_range("pull_messages", &self.pull_messages, 1..=1024, "1 to 1,024")?;
        in_range("cached_messages_max", &self.cached_messages, 1..=1_000_000, "1 to 1,000,000")?;
        in_range("cached_bytes_max", &(self.cached_bytes as u64), 1..=16 << 30, "1 byte to 16 GiB")?;
        let config = PullConfig {
            from: self.from.into(),
            auto_commit: self.auto_commit,
            commit_interval: self.commit_interval,
            pull_messages: self.pull_messages,
            cached_messages: self.cached_messages,
            cached_bytes: self.cached_bytes,
            ..PullConfig::new(group.clone())
        };
        let queues = self.queues;
        let opened = self.handle.command(|client, now| client.open_pull(now, config, &queues));
        let id = opened.map_err(|_| OpenError::Closed)??;
        Ok(LitePull {
            handle: self.handle,
            id,
            group,
            auto_commit: self.auto_commit,
            decoder: Decoder::default(),
            damaged: VecDeque::new(),
        })
    }
}
