//! Property: ids, receipts and handles read back as they were written.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::ids(bytes));
