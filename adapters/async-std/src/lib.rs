//! fusee on async-std: the async-io reactor and async-std's executor.
//!
//! async-std is not maintained any more, and advisory databases say so; its authors point to smol. This crate is for
//! programs that are on it already; nothing else of fusee depends on it.

use fusee_async_io::AsyncIo;

/// A client's home on async-std's executor, which starts its threads by itself.
#[must_use]
pub fn runtime() -> AsyncIo {
    AsyncIo::new(|task| drop(async_std::task::spawn(task)))
}
