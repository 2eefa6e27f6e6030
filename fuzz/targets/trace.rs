//! Property: a body of trace records reads to its end whatever is in it, and each record that is read survives being
//! written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::trace(bytes));
