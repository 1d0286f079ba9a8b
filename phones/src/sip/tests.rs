use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const INVITE: &str = "INVITE sip:101@127.0.0.1:5062 SIP/2.0\r\n\
    v: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKx\r\n\
    From: \"Mr \r\n Smith\" <sip:4915550100@127.0.0.1>;tag=a\r\n\
    To: <sip:101@127.0.0.1>\r\ni: c@h\r\nCSeq: 7 INVITE\r\nl: 4\r\n\r\nbodyand more";

#[test]
fn a_request_is_read_with_short_names_and_folded_headers() {
    let invite = Message::parse(INVITE.as_bytes()).unwrap();

    assert_eq!((invite.method(), invite.addressee()), (Some("INVITE"), "101"));
    assert_eq!(invite.party("From"), ("Mr Smith".to_owned(), "4915550100".to_owned()));
    assert_eq!(invite.branch(), "z9hG4bKx");
    assert_eq!(invite.sequence(), (7, "INVITE"));
    assert_eq!(invite.body(), "body");
    let answer = invite.answer(180, "Ringing", "own");
    assert_eq!((answer.code(), answer.header("to")), (Some(180), "<sip:101@127.0.0.1>;tag=own"));
}

#[test]
fn what_is_cut_short_or_has_too_many_headers_is_no_message() {
    let cut = INVITE.replace("l: 4", "l: 40");
    let many = INVITE.replace("l: 4", &"x: y\r\n".repeat(200));

    for text in [cut, many, "INVITE sip:1@h SIP/2.0\r\n".to_owned(), "\r\n\r\n".to_owned()] {
        assert_eq!(Message::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn what_was_read_is_written_and_read_as_the_same() {
    let folded = INVITE.replace("l: 4", "x:\r\n\ty\r\n \r\nL: 4");
    let full = INVITE.replace("l: 4", &format!("{}l: 4", "x: y\r\n".repeat(MOST_HEADERS - 5)));

    for text in [folded, full] {
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(Message::parse(&message.to_bytes()), Some(message));
    }
}

#[test]
fn a_value_cannot_bring_a_header_of_its_own() {
    let message = Message::new("INFO sip:1@h SIP/2.0").with("From", "x\r\nTo: <sip:2@h>");

    let read = Message::parse(&message.to_bytes()).unwrap();

    assert_eq!((read.header("From"), read.header("To")), ("x  To: <sip:2@h>", ""));
}

#[test]
fn audio_is_read_as_it_was_described() {
    let address = IpAddr::from(Ipv4Addr::LOCALHOST);
    for events in [None, Some(101)] {
        let audio = Audio { at: (address, 4000), events };

        assert_eq!(Audio::parse(&audio.describe("sendrecv")), Some(audio));
    }
    assert_eq!(Audio::parse("v=0\r\nm=video 1 RTP/AVP 0\r\n"), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(
        values in proptest::collection::vec("[ -~]{0,30}", 0..10),
        body in "[ -~\r\n]{0,60}",
    ) {
        let mut message = Message::new("INFO sip:1@h SIP/2.0");
        for value in values {
            message = message.with("X", value.trim());
        }
        let message = message.with_body("text/plain", body);

        prop_assert_eq!(Message::parse(&message.to_bytes()), Some(message));
    }

    #[test]
    fn audio_that_is_described_somehow_is_read_as_what_can_be_described(
        text in "(c=IN IP4 [0-9.]{1,12}\r\n|m=audio [0-9]{1,6} RTP\r\n|a=rtpmap:[0-9]{1,4} telephone-event/8000\r\n){0,5}",
    ) {
        if let Some(audio) = Audio::parse(&text) {
            prop_assert_eq!(Audio::parse(&audio.describe("sendrecv")), Some(audio));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Some(message) = Message::parse(&bytes) {
            prop_assert_eq!(message.answer(200, "OK", "tag").code(), Some(200));
        }
    }
}
