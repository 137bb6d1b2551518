#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookmq_fuzz_targets::rules::run(data));
