//! Property: what is put reads back, and what would be split or lost by reading is refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::properties(bytes));
