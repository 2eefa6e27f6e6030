//! A running operation, to be awaited by a task or waited for by a thread.
//!
//! Laws: polling or dropping it never moves the operation itself, which runs in the machine; dropping it before its
//! outcome has come gives up the outcome only.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fusee_core::Outcome;
use fusee_core::ids::Ticket;

use crate::adapter::WouldStall;
use crate::engine::Engine;
use crate::guarded::Dead;

/// An operation that was started, whether or not anybody waits for it.
#[derive(Debug)]
#[must_use = "the operation runs regardless, but only this tells how it ended"]
pub struct Operation {
    engine: Arc<Engine>,
    state: State,
}

#[derive(Debug)]
enum State {
    Running(Ticket),
    /// It could not start.
    Dead(Dead),
    Taken,
}

impl Operation {
    pub(crate) fn new(engine: Arc<Engine>, ticket: Result<Ticket, Dead>) -> Self {
        let state = ticket.map_or_else(State::Dead, State::Running);
        Self { engine, state }
    }

    /// The ticket under which the machine knows it, while it runs.
    #[must_use]
    pub const fn ticket(&self) -> Option<Ticket> {
        match &self.state {
            State::Running(ticket) => Some(*ticket),
            State::Dead(_) | State::Taken => None,
        }
    }

    /// The engine that runs it.
    #[must_use]
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Blocks this thread until the outcome has come. Refused on a thread that must not block.
    pub fn wait(self) -> Result<Result<Outcome, Dead>, WouldStall> {
        let engine = self.engine.clone();
        let outcome = engine.wait(pin!(self), None)?;
        Ok(outcome.expect("a wait without limit ends with the outcome"))
    }

    /// The same for at most `limit`; `None` if the outcome has not come by then. The operation goes on.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<Option<Result<Outcome, Dead>>, WouldStall> {
        let engine = self.engine.clone();
        // A limit beyond what the clock can express is none.
        let limit = std::time::Instant::now().checked_add(limit);
        engine.wait(Pin::new(self), limit)
    }
}

impl Future for Operation {
    type Output = Result<Outcome, Dead>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match &self.state {
            State::Running(ticket) => std::task::ready!(self.engine.look(*ticket, cx.waker())),
            State::Dead(dead) => Err(*dead),
            State::Taken => panic!("polled after it was ready"),
        };
        // A dead engine keeps the slot, and the answer stays the same.
        match outcome {
            Ok(_) => self.state = State::Taken,
            Err(dead) => self.state = State::Dead(dead),
        }
        Poll::Ready(outcome)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let State::Running(ticket) = self.state {
            self.engine.forget(ticket);
        }
    }
}
