//! Property: a client that hears arbitrary answers keeps its laws, and every command ends once and in time.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::client(bytes));
