//! One poll: what it finds at the moment it looks, or waits for.
//!
//! Law: what is taken from the machine is given out by the poll that took it, or kept in the reader; a poll that is
//! dropped while it waits has taken nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fusee_core::error::CallError;
use fusee_core::ids::{ConsumerId, Queue};
use fusee_core::{Instant, Pulled};

use super::LitePull;
use crate::error::{PollError, WouldBlock};
use crate::received::{Decoded, Received};

/// What a look found.
pub(super) enum Found {
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

impl<'a, T> Polling<'a, T> {
    pub(super) const fn new(
        pull: &'a mut LitePull,
        until: Instant,
        until_end: bool,
        read: fn(Found) -> Result<T, PollError>,
    ) -> Self {
        Self { pull, until, until_end, read }
    }

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
