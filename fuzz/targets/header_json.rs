//! Property: a JSON header that is read is written and read again as itself, in both encodings, and an independent
//! decoder agrees.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::header_json(bytes));
