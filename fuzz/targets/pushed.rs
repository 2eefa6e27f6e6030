//! Property: every request of a broker reads as something or as an error, and no request type panics on it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::pushed(bytes));
