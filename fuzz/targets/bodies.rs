//! Property: making a body standard is bounded and changes nothing the second time; no reader of bodies panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::bodies(bytes));
