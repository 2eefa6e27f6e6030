//! A model of an Apache RocketMQ cluster.
//!
//! The model's name server and broker are machines without sockets or clocks: bytes, connection news and time go in,
//! bytes and closes come out. They follow Java's semantics, of the 4.9 and of the 5.x line, and read with a codec
//! of their own. [`Cluster`] puts them on TCP, for your tests and for first steps.

pub mod codec;
pub mod model;
pub mod random;
pub mod serve;
pub mod world;

pub use model::Line;
pub use model::broker::{Code, Op};
pub use serve::Cluster;
