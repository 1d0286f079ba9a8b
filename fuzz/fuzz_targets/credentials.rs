//! Headers of a handshake: credentials, origins, forwarded addresses. Lines of `name: value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|byte| *byte == b'\n');
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        Some((name, value.get(1..).unwrap_or_default()))
    });
    edge::fuzzing::headers(headers);
});
