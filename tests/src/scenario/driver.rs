//! What carries a scenario's clients, and the scenario itself.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use fusee::{Client, ClientBuilder, ConnectError, Pending, Runtime};

/// A way to run clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Driver {
    /// tokio with worker threads.
    Tokio,
    /// tokio on one thread.
    Current,
    /// Threads, no async runtime.
    Threads,
    /// smol.
    Smol,
    /// async-std.
    AsyncStd,
    /// An executor that nobody has heard of: the client's driver, polled by a thread that sleeps between wake-ups.
    Driven,
}

impl Driver {
    /// All of them, in the order of the table.
    pub const ALL: &'static [Self] =
        &[Self::Tokio, Self::Current, Self::Threads, Self::Smol, Self::AsyncStd, Self::Driven];

    /// Those on tokio.
    pub const TOKIO: &'static [Self] = &[Self::Tokio, Self::Current];

    /// Those on which a thread may wait.
    pub const WAITING: &'static [Self] =
        &[Self::Tokio, Self::Threads, Self::Smol, Self::AsyncStd, Self::Driven];

    /// As in the table and in names of topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Current => "current",
            Self::Threads => "threads",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
            Self::Driven => "driven",
        }
    }

    /// What a client is told to run on.
    pub const fn runtime(self) -> Runtime {
        match self {
            Self::Tokio | Self::Current => Runtime::Tokio,
            Self::Threads => Runtime::Blocking,
            Self::Smol => Runtime::Smol,
            Self::AsyncStd => Runtime::AsyncStd,
            Self::Driven => Runtime::AsyncIo,
        }
    }

    /// Runs a future to its end, with this driver's runtime around it.
    pub fn run<F: Future>(self, future: F) -> F::Output {
        match self {
            Self::Tokio => multi_thread().block_on(future),
            Self::Current => current_thread().block_on(future),
            // The others have threads of their own, or need none.
            Self::Threads | Self::Smol | Self::AsyncStd | Self::Driven => block_on(future),
        }
    }

    /// Connects a client of these settings.
    pub fn connect(self, builder: ClientBuilder) -> Pending<Client, ConnectError> {
        if self != Self::Driven {
            return builder.connect();
        }
        let (connecting, driver) = builder.into_driver();
        // It ends when the client does.
        thread::spawn(move || block_on(driver));
        connecting
    }

    /// Lets time pass.
    pub async fn sleep(self, time: Duration) {
        match self {
            Self::Tokio | Self::Current => tokio::time::sleep(time).await,
            // Nothing else runs on this thread.
            Self::Threads | Self::Smol | Self::AsyncStd | Self::Driven => thread::sleep(time),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A tokio runtime with two workers.
pub fn multi_thread() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("the system has threads")
}

/// A tokio runtime on the calling thread.
pub fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system has a poller")
}

/// The least executor: this thread, asleep until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    block_on_unless(future, &AtomicBool::new(false)).expect("nobody ends it before")
}

/// As `block_on`, until the future is over or it is told to end, which a wake-up lets it see.
pub fn block_on_unless<F: Future>(future: F, over: &AtomicBool) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    while !over.load(Ordering::SeqCst) {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        thread::park();
    }
    None
}
