//! What comes to a phone: messages, challenges and descriptions of audio. What is read is read as the same when
//! it is written again.
#![no_main]

use phones::digest::Challenge;
use phones::sip::{Audio, Message};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(message) = Message::parse(bytes) {
        assert_eq!(Message::parse(&message.to_bytes()).as_ref(), Some(&message));
        if message.method().is_some() {
            assert_eq!(message.answer(200, "OK", "tag").code(), Some(200));
        }
        let _ = Challenge::of(&message);
        if let Some(audio) = Audio::parse(message.body()) {
            assert_eq!(Audio::parse(&audio.describe("sendrecv")), Some(audio));
        }
    }
});
