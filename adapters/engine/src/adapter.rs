//! What an adapter must be able to do; everything else is the engine's.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use fusee_core::ids::{Address, ConnId};
use fusee_core::time::Instant;

use crate::engine::Engine;

/// Something to run: a handler's task.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The four questions that differ from runtime to runtime, and whether a thread may wait.
///
/// The engine calls these without its lock held. An adapter holds no rule of the protocol.
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// The time, on a clock that never goes backwards.
    fn now(&self) -> Instant;

    /// Resolves `address`, connects, and carries frames for `conn` until it is lost, without blocking the caller.
    ///
    /// Whatever happens, also when what was started is dropped or cannot be started: [`Engine::lost`] is called for
    /// `conn` once. [`polled`](crate::polled) sees to that for every async runtime.
    fn dial(&self, engine: Arc<Engine>, conn: ConnId, address: Address);

    /// Calls [`Engine::tick`] whenever the time of [`Engine::deadline`] has come, until there is none.
    ///
    /// If that cannot go on, [`Engine::runtime_gone`] is called.
    fn keep_time(&self, engine: Arc<Engine>);

    /// Runs a handler's task. If it cannot run any more it is dropped.
    fn run(&self, task: Task);

    /// Calls `wait`, which blocks this thread until something has come over one of this engine's connections, or
    /// refuses because then nothing could ever come.
    ///
    /// As it stands it refuses on the thread that drove the engine's tasks last. A runtime with threads that take
    /// over from each other may know better.
    fn block(&self, engine: &Engine, wait: &mut dyn FnMut()) -> Result<(), WouldStall> {
        refuse_here(engine, wait)
    }
}

/// Waits, unless this is the thread that drove the engine's tasks last.
pub(crate) fn refuse_here(engine: &Engine, wait: &mut dyn FnMut()) -> Result<(), WouldStall> {
    if engine.was_driven_here() {
        return Err(WouldStall);
    }
    wait();
    Ok(())
}

/// Waiting was refused: this thread is the one that carries the client's bytes, so what is waited for could never
/// come. The caller's mistake: `.await` the operation instead, or wait on another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "waiting on this thread would stop the connections whose answer is waited for; use .await, or another thread"
)]
pub struct WouldStall;
