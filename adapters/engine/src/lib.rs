//! The shell that every adapter of fusee shares.
//!
//! `fusee_core::Client` is a pure machine. This crate gives it what it must not have itself: a lock, wakers for who
//! waits, connections and a clock. What differs from runtime to runtime stands behind one small trait, [`Adapter`];
//! what is the same for all runtimes that poll stands in [`polled`].
//!
//! ```text
//! callers ──▶ Engine: lock, step, drain, unlock ──▶ wakers, dials, a lone request's own write
//!                ▲                        │
//!         frames │                        ▼ requests
//!              Intake ◀── socket ◀── Wire: encode, one write for many frames
//! ```
//!
//! - [`Engine::command`] and [`Engine::operate`] give commands to the machine; an [`Operation`] is a future and has
//!   `wait`.
//! - A [`Handle`] keeps the client open; operations, connections and the clock only keep it alive.
//! - Nothing here knows a rule of the protocol.

mod adapter;
mod after;
pub mod codec;
mod connection;
mod credentials;
mod driver;
mod engine;
mod epoch;
mod gate;
mod guarded;
mod lost;
mod notes;
mod operation;
mod options;
mod outbox;
mod park;
pub mod polled;
mod settings;
mod slots;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod wire;

/// What the gate is made of; its model in `tests/gate.rs` puts loom's in the place of it.
mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU8, Ordering};
}

pub use adapter::{Adapter, Task, WouldStall};
pub use connection::{Intake, Lease, Pulse};
pub use credentials::{Credential, Credentials};
pub use driver::{Driven, Driver, driven};
pub use engine::{Engine, Handle};
pub use epoch::Epoch;
pub use guarded::Dead;
pub use lost::{lost_why, not_tls};
pub use operation::Operation;
pub use options::SocketOptions;
pub use park::{Parker, block_on};
pub use settings::Settings;
pub use tls::{Seal, Tls};
#[cfg(feature = "tls")]
pub use tls::{TlsBuilder, TlsError};
pub use wire::{Outlet, PollWritable, Socket, Traffic, Wire};
