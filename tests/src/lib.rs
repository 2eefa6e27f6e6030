//! The test bench of fusee: what starts real brokers, what reads their stores independently of the client, and the
//! scenarios that run on every adapter.
//!
//! Laws: nothing here shares a line of codec with the client (a bug must not hide itself), no fixed ports, no sleep as
//! synchronisation, and no process outlives the run that started it, however that run ends.

pub mod broker;
pub mod fake;
pub mod floor;
pub mod measure;
pub mod proxy;
pub mod raw;
pub mod scenario;
pub mod scenarios;
