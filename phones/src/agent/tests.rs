//! Two agents without a switch between them, and a switch of a few lines that wants to know who calls.

use std::net::Ipv4Addr;

use super::*;
use crate::phone::Phone;
use crate::provider::Provider;
use crate::sip::Audio;

const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bench {
    fn new() -> Self {
        Self { tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    fn settings(&self, user: &str, password: Option<&str>) -> Settings {
        let credentials = password
            .map(|password| Credentials { user: user.to_owned(), password: password.to_owned() });
        Settings {
            user: user.to_owned(),
            credentials,
            address: Ipv4Addr::LOCALHOST.into(),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        }
    }

    /// Alice and Bob; what either dials comes to the other.
    async fn pair(&self) -> [Phone; 2] {
        let alice = Phone::start(self.settings("101", None), 500.0).await.unwrap();
        let bob = Phone::start(self.settings("102", None), 700.0).await.unwrap();
        alice.set_switch(bob.inner.address);
        bob.set_switch(alice.inner.address);
        [alice, bob]
    }
}

async fn hears(agent: &Agent, since: Instant, tone: f64) {
    let voice = agent.voice(&agent.newest().unwrap()).unwrap();
    voice.until_heard(since, &[(tone, true)], 1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn two_talk_until_one_hangs_up() {
    let bench = Bench::new();
    let [alice, bob] = bench.pair().await;
    bob.set_manner(Manner::AnswerAfter(Duration::from_millis(20)));
    let begin = Instant::now();

    let call = alice.dial("102", "Al\"ice", "101").await.unwrap();
    alice.sees("180", 1, PATIENCE).await.unwrap();
    alice.sees("200", 1, PATIENCE).await.unwrap();

    let received = bob.until_called("102", PATIENCE).await.unwrap();
    assert_eq!(bob.shown(&received), Some(("Al ice".to_owned(), "101".to_owned())));
    hears(&alice, begin, 700.0).await;
    hears(&bob, begin, 500.0).await;
    alice.press(&call, '5').await.unwrap();
    assert!(matches!(alice.press(&call, 'x').await, Err(Error::Key('x'))));
    alice.hold(&call, true).await.unwrap();
    alice.sees("200", 2, PATIENCE).await.unwrap();
    bob.hang_up(&received).await.unwrap();
    alice.sees("BYE", 1, PATIENCE).await.unwrap();
    bob.sees("200 BYE", 1, PATIENCE).await.unwrap();
    assert_eq!((alice.newest(), bob.newest()), (None, None));
}

#[tokio::test]
async fn a_call_is_refused_given_up_or_declined() {
    let bench = Bench::new();
    let [alice, bob] = bench.pair().await;

    bob.set_manner(Manner::Refuse(486));
    alice.dial("102", "", "101").await.unwrap();
    alice.sees("486", 1, PATIENCE).await.unwrap();
    bob.set_manner(Manner::Ring);
    let call = alice.dial("102", "", "101").await.unwrap();
    alice.sees("180", 1, PATIENCE).await.unwrap();
    alice.hang_up(&call).await.unwrap();
    alice.sees("487", 1, PATIENCE).await.unwrap();
    alice.dial("102", "", "101").await.unwrap();
    alice.sees("180", 2, PATIENCE).await.unwrap();
    bob.hang_up(&bob.rings().unwrap()).await.unwrap();
    alice.sees("603", 1, PATIENCE).await.unwrap();

    assert_eq!(bob.log(), ["INVITE 102", "INVITE 102", "CANCEL", "INVITE 102"]);
    assert_eq!((alice.newest(), bob.newest()), (None, None));
}

#[tokio::test]
async fn an_answer_that_crosses_the_hang_up_is_taken_back() {
    let bench = Bench::new();
    let [alice, bob] = bench.pair().await;
    bob.set_manner(Manner::Ring);
    let call = alice.dial("102", "", "101").await.unwrap();
    let received = bob.until_called("102", PATIENCE).await.unwrap();
    alice.sees("180", 1, PATIENCE).await.unwrap();

    // On one thread: Bob's answer is on its way, and Alice has not seen it.
    bob.answer(&received).await.unwrap();
    assert_eq!(alice.of(&call, |call| call.is_up), Some(false));
    alice.hang_up(&call).await.unwrap();

    bob.sees("BYE", 1, PATIENCE).await.unwrap();
    alice.sees("200 BYE", 1, PATIENCE).await.unwrap();
    assert_eq!((alice.newest(), bob.newest()), (None, None));
}

#[tokio::test]
async fn a_phone_that_rings_answers_when_it_is_notified_of_talk() {
    let bench = Bench::new();
    let [alice, bob] = bench.pair().await;
    bob.set_manner(Manner::Deaf(489));
    let call = alice.dial("102", "", "101").await.unwrap();
    alice.sees("180", 1, PATIENCE).await.unwrap();
    let talk = |notify: Message| notify.with("Event", "talk");

    alice.in_dialog(&call, "NOTIFY", talk).await.unwrap();
    alice.sees("489 NOTIFY", 1, PATIENCE).await.unwrap();
    assert!(bob.rings().is_some());
    bob.set_manner(Manner::Ring);
    alice.in_dialog(&call, "NOTIFY", |notify| notify.with("Event", "hold")).await.unwrap();
    alice.sees("200 NOTIFY", 1, PATIENCE).await.unwrap();
    assert!(bob.rings().is_some());
    alice.in_dialog(&call, "NOTIFY", talk).await.unwrap();

    alice.sees("200", 1, PATIENCE).await.unwrap();
    assert_eq!(bob.rings(), None);
    assert_eq!(bob.log(), ["INVITE 102", "NOTIFY talk", "NOTIFY hold", "NOTIFY talk"]);
}

#[tokio::test]
async fn a_provider_has_several_calls_each_with_its_own_tone() {
    let bench = Bench::new();
    let provider = bench.settings("provider", None);
    let provider = Provider::start(provider, Duration::ZERO).await.unwrap();
    let trunk = Phone::start(bench.settings("trunk", None), 500.0).await.unwrap();
    trunk.set_switch(provider.inner.address);
    let begin = Instant::now();

    for (number, tone) in [("12065550177", 2_670.0), ("12065550188", 2_780.0)] {
        trunk.dial(number, "", "101").await.unwrap();
        hears(&trunk, begin, tone).await;
    }

    for number in ["12065550177", "12065550188"] {
        assert!(provider.newest_of(number).is_some(), "{number}");
    }
    for code in ["486", "603", "480", "404"] {
        trunk.dial(&format!("120655501{code}"), "", "101").await.unwrap();
        trunk.sees(code, 1, PATIENCE).await.unwrap();
    }
    trunk.dial("12065550000", "", "101").await.unwrap();
    let rings = provider.until_called("12065550000", PATIENCE).await.unwrap();
    assert_eq!(provider.rings(), Some(rings));
}

/// A switch that takes what comes with the right `Authorization`, and challenges the rest; the first
/// datagram of each request is lost.
async fn challenging(bench: &Bench) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let stop = bench.stop.clone();
    let serving = async move {
        let mut buffer = vec![0; 65_536];
        let mut seen: Vec<String> = Vec::new();
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::parse(&buffer[..length]).unwrap();
            let branch = request.branch().to_owned();
            if request.method() == Some("ACK") || !seen.contains(&branch) {
                seen.push(branch);
                continue;
            }
            let is_right = request.header("Authorization").contains("username=\"101\"")
                && request.header("Authorization").contains("nonce=\"n\"");
            let answer = match request.header("From").contains("sip:101@") {
                true if is_right => {
                    let audio = Audio { at: (Ipv4Addr::LOCALHOST.into(), 9), events: None };
                    let ok = request.answer(200, "OK", "switch").with("Contact", "<sip:switch@h>");
                    ok.with_body("application/sdp", audio.describe("sendrecv"))
                }
                true => request
                    .answer(401, "Unauthorized", "switch")
                    .with("WWW-Authenticate", "Digest realm=\"asterisk\",nonce=\"n\",qop=\"auth\""),
                false => request.answer(403, "Forbidden", "switch"),
            };
            // A refusal comes twice.
            for _ in 0..if answer.code() == Some(401) { 2 } else { 1 } {
                socket.send_to(&answer.to_bytes(), from).await.unwrap();
            }
        }
    };
    bench.tasks.spawn(async move {
        stop.run_until_cancelled(serving).await;
    });
    address
}

#[tokio::test]
async fn a_challenge_is_answered_and_what_is_lost_is_sent_again() {
    let bench = Bench::new();
    let switch = challenging(&bench).await;
    let phone = Phone::start(bench.settings("101", Some("s3cret")), 500.0).await.unwrap();
    assert!(matches!(phone.register(PATIENCE).await, Err(Error::NoSwitch)));
    phone.set_switch(switch);

    phone.register(PATIENCE).await.unwrap();
    phone.dial("102", "", "101").await.unwrap();
    phone.sees("200", 1, PATIENCE).await.unwrap();

    assert_eq!(phone.log(), ["200 REGISTER", "200"]);
}

#[tokio::test]
async fn a_call_that_is_given_up_before_the_challenge_is_not_placed() {
    let bench = Bench::new();
    let phone = Phone::start(bench.settings("101", Some("s3cret")), 500.0).await.unwrap();
    phone.set_switch(challenging(&bench).await);

    let call = phone.dial("102", "", "101").await.unwrap();
    phone.hang_up(&call).await.unwrap();

    phone.sees("401", 1, PATIENCE).await.unwrap();
    assert_eq!(phone.newest(), None);
}

#[tokio::test]
async fn a_registration_that_is_refused_is_an_error() {
    let bench = Bench::new();
    let switch = challenging(&bench).await;
    for (user, password, code) in [("101", None, 401), ("102", Some("s3cret"), 403)] {
        let phone = Phone::start(bench.settings(user, password), 500.0).await.unwrap();
        phone.set_switch(switch);

        let refused = phone.register(PATIENCE).await;

        assert!(matches!(refused, Err(Error::NotRegistered(is)) if is == code), "{refused:?}");
    }
}
