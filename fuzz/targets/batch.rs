//! Property: the entries of a batch cover it without gap or overlap, in order, and survive being written; an inner
//! batch has as many messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::batch(bytes));
