//! From a text frame to the encoded request of a service, or to the error that is answered.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| edge::fuzzing::frame(text));
