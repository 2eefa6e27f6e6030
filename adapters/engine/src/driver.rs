//! A client's whole life as one future, for executors nobody has heard of: it runs the tasks that a runtime's own
//! executor would.
//!
//! Laws:
//! - A task is polled when it was woken, not because another was.
//! - When the driver is dropped its tasks are dropped with it, and so is whatever is spawned later.
//! - Tasks are polled and dropped with no lock held.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use fusee_core::ids::Address;
use fusee_core::time::Instant;

use crate::adapter::Task;
use crate::options::SocketOptions;
use crate::polled::Runtime;

/// Tasks polled before others on the same executor get their turn.
const POLLS: usize = 64;

/// A runtime whose tasks are run by a [`Driver`] instead of being spawned.
#[derive(Clone, Debug)]
pub struct Driven<R> {
    sockets: R,
    shared: Arc<Shared>,
}

/// Runs the tasks of one client. Poll it, on whatever executor, until it is ready: that is when the client was closed
/// or its last handle dropped, and everything that ran for it has ended. Dropping it earlier ends the client.
#[must_use = "nothing of the client runs unless its driver is polled"]
pub struct Driver {
    shared: Arc<Shared>,
    tasks: Vec<Option<(Task, Waker)>>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    spawned: Vec<Task>,
    woken: VecDeque<usize>,
    parent: Option<Waker>,
    gone: bool,
}

/// The sockets and the clock of `runtime`, and a driver in place of its executor.
pub fn driven<R: Runtime>(runtime: R) -> (Driven<R>, Driver) {
    let shared = Arc::new(Shared::default());
    let driver = Driver { shared: shared.clone(), tasks: Vec::new(), free: Vec::new() };
    (Driven { sockets: runtime, shared }, driver)
}

impl<R: Runtime> Runtime for Driven<R> {
    type Reader = R::Reader;
    type Socket = R::Socket;

    fn now(&self) -> Instant {
        Runtime::now(&self.sockets)
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send {
        self.sockets.sleep_until(at)
    }

    fn resolve(&self, name: &Address) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        self.sockets.resolve(name)
    }

    fn connect(
        &self,
        address: SocketAddr,
        options: SocketOptions,
    ) -> impl Future<Output = io::Result<(Self::Reader, Self::Socket)>> + Send {
        self.sockets.connect(address, options)
    }

    fn spawn(&self, task: Task) {
        let mut state = self.shared.lock();
        let parent = if state.gone {
            drop(state);
            return drop(task);
        } else {
            state.spawned.push(task);
            state.parent.take()
        };
        drop(state);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = &mut *self;
        for _ in 0..POLLS {
            driver.adopt();
            let mut state = driver.shared.lock();
            let Some(index) = state.woken.pop_front() else {
                let all_ended = driver.free.len() == driver.tasks.len() && state.spawned.is_empty();
                let old = state.parent.replace(cx.waker().clone());
                drop(state);
                drop(old);
                return if all_ended { Poll::Ready(()) } else { Poll::Pending };
            };
            drop(state);
            let Some((task, waker)) = driver.tasks.get_mut(index).and_then(Option::as_mut) else { continue };
            if task.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                driver.tasks[index] = None;
                driver.free.push(index);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Driver {
    /// Takes in what was spawned, as woken.
    fn adopt(&mut self) {
        let spawned = std::mem::take(&mut self.shared.lock().spawned);
        for task in spawned {
            let index = self.free.pop().unwrap_or_else(|| {
                self.tasks.push(None);
                self.tasks.len() - 1
            });
            let waker = Waker::from(Arc::new(TaskWaker { index, shared: self.shared.clone() }));
            self.tasks[index] = Some((task, waker));
            self.shared.lock().woken.push_back(index);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.gone = true;
        let (spawned, parent) = (std::mem::take(&mut state.spawned), state.parent.take());
        drop(state);
        drop((spawned, parent));
        self.tasks.clear();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("tasks", &(self.tasks.len() - self.free.len())).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct TaskWaker {
    index: usize,
    shared: Arc<Shared>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.shared.lock();
        if !state.woken.contains(&self.index) {
            state.woken.push_back(self.index);
        }
        let parent = state.parent.take();
        drop(state);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}
