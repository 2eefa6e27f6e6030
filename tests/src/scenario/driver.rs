//! What carries a scenario's clients, and the scenario itself.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use fusee::Runtime;

/// A way to run clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Driver {
    /// tokio with worker threads.
    Tokio,
    /// tokio on one thread.
    Current,
    /// Threads, no async runtime.
    Threads,
}

impl Driver {
    /// All of them, in the order of the table.
    pub const ALL: &'static [Self] = &[Self::Tokio, Self::Current, Self::Threads];

    /// Those on tokio.
    pub const TOKIO: &'static [Self] = &[Self::Tokio, Self::Current];

    /// Those on which a thread may wait.
    pub const WAITING: &'static [Self] = &[Self::Tokio, Self::Threads];

    /// As in the table and in names of topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Current => "current",
            Self::Threads => "threads",
        }
    }

    /// What a client is told to run on.
    pub const fn runtime(self) -> Runtime {
        match self {
            Self::Tokio | Self::Current => Runtime::Tokio,
            Self::Threads => Runtime::Blocking,
        }
    }

    /// Runs a future to its end, with this driver's runtime around it.
    pub fn run<F: Future>(self, future: F) -> F::Output {
        match self {
            Self::Tokio => multi_thread().block_on(future),
            Self::Current => current_thread().block_on(future),
            Self::Threads => block_on(future),
        }
    }

    /// Lets time pass.
    pub async fn sleep(self, time: Duration) {
        match self {
            Self::Tokio | Self::Current => tokio::time::sleep(time).await,
            // Nothing else runs on this thread.
            Self::Threads => thread::sleep(time),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tokio runtime with two workers.
fn multi_thread() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("the system has threads")
}

/// A tokio runtime on the calling thread.
fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system has a poller")
}

/// The least executor: this thread, asleep until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
