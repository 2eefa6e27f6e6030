//! Waiting for one direction of a socket, by a waker of its own.
//!
//! Law: once the reactor has woken the waker, the next poll says that the socket is ready. The reactor itself says so
//! only of events that one of its later turns delivers; where its own thread takes the turns, that is always one turn
//! too early, and whoever asks it waits, is woken at once, and asks again, dozens of times for an event.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Whether a task waits for a direction, and what wakes it.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    /// The reactor has the waker, or had it and woke it.
    armed: AtomicBool,
    fired: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Interest {
    fn wake(self: Arc<Self>) {
        self.fired.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Interest {
    /// Ready once the direction is, as far as the reactor knows. `ask` hands a waker to the reactor; one task asks.
    pub(crate) fn poll(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        self.will_wake(cx.waker());
        if self.armed.load(Ordering::Relaxed) {
            if !self.fired.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            self.armed.store(false, Ordering::Relaxed);
            return Poll::Ready(Ok(()));
        }
        self.fired.store(false, Ordering::Relaxed);
        let asked = ask(&mut Context::from_waker(&Waker::from(Arc::clone(self))));
        self.armed.store(asked.is_pending(), Ordering::Relaxed);
        asked
    }

    /// Before `fired` is looked at: what fires after that wakes this task.
    fn will_wake(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_fired_is_ready_once_and_the_task_that_polled_last_is_woken() {
        let interest = Arc::new(Interest::default());
        let (first, last) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut reactor = None;
        for round in 1..=3 {
            for task in [&first, &last, &last] {
                let waker = Waker::from(Arc::clone(task));
                let polled = interest.poll(&mut Context::from_waker(&waker), |cx| {
                    assert!(reactor.replace(cx.waker().clone()).is_none(), "it is asked once");
                    Poll::Pending
                });
                assert!(polled.is_pending());
            }
            reactor.take().expect("it was asked").wake();
            assert_eq!((first.0.load(Ordering::Relaxed), last.0.load(Ordering::Relaxed)), (0, round));
            let waker = Waker::from(Arc::clone(&last));
            let polled = interest.poll(&mut Context::from_waker(&waker), |_| unreachable!("it has fired"));
            assert!(matches!(polled, Poll::Ready(Ok(()))));
        }
        let waker = Waker::from(last);
        let polled = interest.poll(&mut Context::from_waker(&waker), |_| Poll::Ready(Ok(())));
        assert!(matches!(polled, Poll::Ready(Ok(()))), "what is ready at once needs no waker");
    }
}
