//! The machine driven by hand: what comes in, what goes out, in virtual time. Every step checks every law.

mod bench;
mod chance;
mod closing;
mod connecting;
mod reading;
mod reviewed;
mod reviewed_reading;
mod sending;
