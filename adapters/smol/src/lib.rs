//! fusee on smol: the async-io reactor and smol's global executor.

use fusee_async_io::AsyncIo;

/// A client's home on smol's executor, which starts its threads by itself.
#[must_use]
pub fn runtime() -> AsyncIo {
    AsyncIo::new(|task| smol::spawn(task).detach())
}
