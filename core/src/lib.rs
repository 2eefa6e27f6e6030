//! The Apache RocketMQ client as one pure state machine.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
mod consumer;
mod cx;
mod directory;
pub mod error;
pub mod ids;
pub mod limits;
mod link;
mod producer;
pub mod rng;
mod router;
mod slab;
pub mod time;
mod timers;
pub mod wire;

pub use client::config::{Config, Position, PullConfig, SendConfig, StartFrom};
pub use client::note::{Note, Unexpected};
pub use client::peers::{ConnState, Lost};
pub use client::{Client, ConsumerMut, Input, Outcome, Output, ProducerMut, Report};
pub use consumer::Pulled;
pub use link::{Outgoing, What};
pub use producer::{Choice, Prepared, Receipt};
pub use time::{Instant, UnixMillis};
