//! What takes time, for async code and for threads alike.
//!
//! Laws: awaiting and waiting are the same polls; what has started goes on whether or not anybody looks; a thread that
//! would wait for itself is told so instead.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fusee_core::Outcome;
use fusee_engine::{Dead, Engine, Operation};

use crate::error::WouldBlock;

/// Something that takes time: `.await` it in async code, on any executor, or [`wait`](Pending::wait) for it on a
/// thread.
///
/// It needs no particular executor: what wakes it are this client's own connections. Dropping one never undoes what
/// has been started; each operation's documentation says what is lost.
///
/// ```no_run
/// # async fn example(producer: fusee::Producer) -> fusee::Result<()> {
/// use fusee::Message;
///
/// let receipt = producer.send(Message::new("orders", "1")).await?; // in async code
/// let receipt = producer.send(Message::new("orders", "2")).wait()?; // on a thread
/// # Ok(()) }
/// ```
#[must_use = "dropping it loses the outcome; `.await` it or `.wait()` for it"]
pub struct Pending<T, E = crate::Error> {
    state: State<T, E>,
}

enum State<T, E> {
    /// Known already; `None` once it was taken.
    Ready(Option<Result<T, E>>),
    /// One operation of the machine, and how its end is read.
    Running { operation: Operation, read: fn(Result<Outcome, Dead>) -> Result<T, E> },
    /// More than one step.
    Steps(Box<dyn Steps<T, E>>),
}

/// An operation of several steps, or one that starts when it is first looked at.
pub(crate) trait Steps<T, E>: Send {
    /// Goes on as far as possible.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, E>>;

    /// Whose connections it waits for, once it has been polled.
    fn engine(&self) -> Option<&Arc<Engine>>;
}

impl<T, E> Pending<T, E> {
    pub(crate) const fn ready(result: Result<T, E>) -> Self {
        Self { state: State::Ready(Some(result)) }
    }

    pub(crate) const fn running(
        operation: Operation,
        read: fn(Result<Outcome, Dead>) -> Result<T, E>,
    ) -> Self {
        Self { state: State::Running { operation, read } }
    }

    pub(crate) fn steps(steps: impl Steps<T, E> + 'static) -> Self {
        Self { state: State::Steps(Box::new(steps)) }
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        match &self.state {
            State::Ready(_) => None,
            State::Running { operation, .. } => Some(operation.engine().clone()),
            State::Steps(steps) => steps.engine().cloned(),
        }
    }
}

impl<T, E: From<WouldBlock>> Pending<T, E> {
    /// Blocks this thread until the outcome is there.
    ///
    /// # Errors
    /// The operation's own, and [`struct@WouldBlock`] where waiting could never end: on the only thread that drives
    /// this client's connections, for example inside a `current_thread` tokio runtime.
    ///
    /// # Panics
    /// When the outcome was taken before, by [`wait_timeout`](Pending::wait_timeout) or a poll.
    pub fn wait(mut self) -> Result<T, E> {
        loop {
            if let Some(result) = self.block(None) {
                return result;
            }
        }
    }

    /// Blocks this thread until the outcome is there or `limit` has passed, which gives `None`. The operation goes on
    /// then, and this can be waited for again.
    ///
    /// # Errors
    /// As [`wait`](Pending::wait).
    ///
    /// # Panics
    /// When the outcome was taken before.
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, E>> {
        // A limit too far off to be written down is none.
        self.block(Instant::now().checked_add(limit))
    }

    fn block(&mut self, limit: Option<Instant>) -> Option<Result<T, E>> {
        let engine = match self.engine() {
            Some(engine) => engine,
            None => {
                // Known already, or it starts when it is first looked at and only then knows whose connections it
                // needs.
                if let Poll::Ready(result) =
                    Pin::new(&mut *self).poll(&mut Context::from_waker(Waker::noop()))
                {
                    return Some(result);
                }
                self.engine()?
            }
        };
        engine.wait(Pin::new(self), limit).unwrap_or_else(|_| Some(Err(WouldBlock.into())))
    }
}

impl<T, E> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        match &mut self.get_mut().state {
            State::Ready(result) => {
                Poll::Ready(result.take().expect("a Pending is polled until it is ready, not after"))
            }
            State::Running { operation, read } => Pin::new(operation).poll(cx).map(*read),
            State::Steps(steps) => steps.poll(cx),
        }
    }
}

// Nothing in it is ever pinned: operations are tickets, and steps live in a box.
impl<T, E> Unpin for Pending<T, E> {}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Ready(Some(_)) => "Pending(ready)",
            State::Ready(None) => "Pending(taken)",
            State::Running { .. } => "Pending(running)",
            State::Steps(_) => "Pending(steps)",
        })
    }
}
