//! Property: the pieces of a body of stored messages, whole or damaged, cover it without gap or overlap, and a whole
//! one survives being written.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::messages(bytes));
