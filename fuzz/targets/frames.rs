//! Property: the same bytes give the same frames and the same error however they are cut, and no byte is lost or made
//! up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::frames(bytes));
