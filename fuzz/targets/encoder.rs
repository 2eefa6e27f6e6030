//! Property: what is encoded is read by an independent decoder as what it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::encoder(bytes));
