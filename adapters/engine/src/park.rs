//! Waiting for a future on a plain thread.
//!
//! Law: a wake-up that comes before the wait is not lost, and none is taken from anybody else: this has its own
//! flag and does not touch the token of `std::thread::park`, which belongs to the application.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// A thread's bed and its bell.
#[derive(Debug, Default)]
pub struct Parker {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Parker {
    /// Sleeps until woken, or until `limit`. Returns at once if woken since the last sleep.
    pub fn park(&self, limit: Option<Instant>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            rung = match limit.map(|limit| limit.saturating_duration_since(Instant::now())) {
                None => self.bell.wait(rung).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => self.bell.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        *rung = false;
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let was = std::mem::replace(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner), true);
        if !was {
            self.bell.notify_one();
        }
    }
}

thread_local! {
    /// One parker a thread is enough, except while a wait runs inside another one.
    static SPARE: Cell<Option<(Arc<Parker>, Waker)>> = const { Cell::new(None) };
}

/// Polls `future` on this thread until it is ready.
pub fn block_on<F: Future>(future: F) -> F::Output {
    drive(pin!(future), None).expect("without a limit only the output ends the wait")
}

/// Polls `future` on this thread until it is ready, or until `limit` has passed.
pub(crate) fn drive<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    limit: Option<Instant>,
) -> Option<F::Output> {
    // The thread's locals may be gone already when it ends.
    let (parker, waker) = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_else(|| {
        let parker = Arc::new(Parker::default());
        (parker.clone(), parker.into())
    });
    let mut cx = Context::from_waker(&waker);
    let output = loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            break Some(output);
        }
        if limit.is_some_and(|limit| limit <= Instant::now()) {
            break None;
        }
        parker.park(limit);
    };
    SPARE.try_with(|spare| spare.set(Some((parker, waker)))).unwrap_or_default();
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let mut polls = 0;
        let ready = std::future::poll_fn(|cx| {
            polls += 1;
            if polls == 3 {
                return Poll::Ready(polls);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(drive(pin!(ready), None), Some(3));
    }

    #[test]
    fn a_wait_inside_a_wait_keeps_its_own_bell() {
        let mut polls = 0;
        let outer = std::future::poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            assert_eq!(drive(pin!(std::future::ready(())), None), Some(()));
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        });
        assert_eq!(drive(pin!(outer), None), Some(()));
    }

    #[test]
    fn a_limit_ends_the_wait() {
        let now = Instant::now();
        assert_eq!(drive(pin!(std::future::pending::<()>()), Some(now)), None);
    }
}
