//! Property: names, addresses and subscriptions that are taken keep what they promise.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fusee_fuzz::names(bytes));
