//! Bodies of REST requests. The first line is the `Content-Type`, the rest the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (kind, body) = bytes.split_at(end);
    edge::fuzzing::body(kind, body.get(1..).unwrap_or_default());
});
