//! Property: no body inflates past its bound, and a codec that saw garbage still works.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::inflate(bytes));
