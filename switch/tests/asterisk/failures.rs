//! Asterisk away, slow, restarted, or not heard for a while.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mesh::health;
use mesh::testing::eventually;
use switch::driver::asterisk::{Asterisk, Config, Deps, Url};
use switch::driver::{
    Cause, Driver as _, DriverError, Endpoint, Event, Op, Origin, Reason, Source,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, Phones, dial_op, ended, id};
use crate::needs_asterisk;
use crate::pbx::{MUSIC, PASSWORD, USER, bridges_are};
use crate::phone::{Manner, PATIENCE};

/// The way from the driver to Asterisk, which can be cut.
pub(crate) struct Cable {
    port: u16,
    pub(crate) is_plugged: watch::Sender<bool>,
}

impl Cable {
    pub(crate) async fn to(port: u16, phones: &Phones) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let is_plugged = watch::Sender::new(true);
        let (plug, tasks) = (is_plugged.clone(), phones.tasks.clone());
        let stop = phones.stop.clone();
        phones.tasks.spawn(async move {
            let accepting = async {
                loop {
                    let Ok((mut near, _)) = listener.accept().await else { continue };
                    let mut plug = plug.subscribe();
                    let stop = stop.clone();
                    tasks.spawn(async move {
                        let carrying = async {
                            if !*plug.borrow_and_update() {
                                return;
                            }
                            let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                            let Ok(mut far) = far else { return };
                            tokio::select! {
                                _ = copy_bidirectional(&mut near, &mut far) => {}
                                _ = plug.wait_for(|is_plugged| !is_plugged) => {}
                            }
                        };
                        stop.run_until_cancelled(carrying).await;
                    });
                }
            };
            stop.run_until_cancelled(accepting).await;
        });
        Self { port: own, is_plugged }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", self.port)
    }
}

/// Cuts the way, and waits until both ends have noticed.
pub(crate) async fn cut(fixture: &Fixture, cable: &Cable) {
    cable.is_plugged.send_replace(false);
    fixture.until_connected(false).await;
    fixture.pbx.until_no_application().await;
}

pub(crate) async fn on_a_cable() -> (Fixture, Cable) {
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let cable = Cable::to(pbx.http_port, &phones).await;
    let url = cable.url();
    (Fixture::with(phones, pbx, &url).await, cable)
}

#[tokio::test]
async fn what_happened_while_nobody_listened_is_told_once() {
    needs_asterisk!();
    let (mut fixture, cable) = on_a_cable().await;
    if fixture.pbx.is_old().await {
        return;
    }
    fixture.connect("stays", "101").await;
    fixture.connect("goes", "102").await;
    fixture.phones.carol.set_manner(Manner::Ring);
    fixture.dial("answers", "103").await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("answers") });

    cut(&fixture, &cable).await;
    fixture.phones.bob.hang_up().await;
    fixture.phones.bob.sees("200 BYE", 1).await;
    fixture.phones.carol.answer().await;
    // Without the application Asterisk keeps a call that is up, and drops one that answers.
    fixture.phones.carol.sees("BYE", 1).await;
    let left = || async {
        let channels = fixture.pbx.get("channels").await;
        let ids: Vec<_> =
            channels.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        if ids == ["stays"] { Ok(()) } else { Err(format!("{ids:?}")) }
    };
    eventually(PATIENCE, "one channel is left", left).await;
    let away = fixture.driver.run(dial_op("x", Endpoint::Phone { account_id: "102".to_owned() }));
    assert!(matches!(away.await, Err(DriverError::Unreachable)));
    cable.is_plugged.send_replace(true);
    fixture.until_connected(true).await;

    let told = [fixture.next().await, fixture.next().await];
    assert_eq!(told, [ended("answers", Cause::HungUp), ended("goes", Cause::HungUp)]);
    fixture.hear("stays", Source::Music).await;
    fixture.phones.alice.hears(MUSIC).await;
    fixture.phones.alice.hang_up().await;
    assert_eq!(fixture.next().await, ended("stays", Cause::HungUp));
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn what_was_wished_for_while_asterisk_was_away_comes_about_at_the_next_connection() {
    needs_asterisk!();
    let (mut fixture, cable) = on_a_cable().await;
    if fixture.pbx.is_old().await {
        return;
    }
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;

    cut(&fixture, &cable).await;
    for (channel, other) in [("a", "b"), ("b", "a")] {
        let source = Source::Parties([id(other)].into());
        let hear = fixture.driver.run(Op::Hear { channel: id(channel), source });
        // A wish that is not mutual yet asks for nothing.
        hear.await.err();
    }
    assert_eq!(fixture.pbx.bridges().await, Vec::<Vec<String>>::new());
    cable.is_plugged.send_replace(true);
    fixture.until_connected(true).await;

    bridges_are(&fixture.pbx, &[vec!["a", "b"]]).await;
    fixture.phones.alice.hears(fixture.phones.bob.tone).await;
    fixture.phones.bob.hears(fixture.phones.alice.tone).await;
}

#[tokio::test]
async fn every_call_is_lost_when_asterisk_dies_and_new_ones_work() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;
    fixture.hear_each_other(&["a", "b"]).await;

    fixture.pbx.kill().await;
    fixture.until_connected(false).await;
    let hear = Op::Hear { channel: id("a"), source: Source::Music };
    assert!(matches!(fixture.driver.run(hear).await, Err(DriverError::Unreachable)));
    assert!(matches!(fixture.driver.channels().await, Err(DriverError::Unreachable)));
    assert_eq!(
        fixture.readiness.state_of("switch.asterisk"),
        Some(health::State::Degraded("event socket broke".to_owned()))
    );
    fixture.pbx.restart().await;
    fixture.until_connected(true).await;

    let mut told = [fixture.next().await, fixture.next().await];
    told.sort_by_key(|event| event.channel().cloned());
    assert_eq!(told, [ended("a", Cause::Lost), ended("b", Cause::Lost)]);
    for phone in [&fixture.phones.alice, &fixture.phones.bob] {
        phone.forget();
    }
    fixture.connect("c", "101").await;
    fixture.connect("d", "102").await;
    fixture.hear_each_other(&["c", "d"]).await;
    bridges_are(&fixture.pbx, &[vec!["c", "d"]]).await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_stalled_asterisk_holds_no_operation_longer_than_its_deadline() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;

    fixture.pbx.signal("STOP").await;
    let talk = |other: &str| Source::Parties([id(other)].into());
    let hear =
        |channel: &str, source| fixture.driver.run(Op::Hear { channel: id(channel), source });
    let outcomes = tokio::join!(hear("a", talk("b")), hear("b", talk("a")));
    fixture.pbx.signal("CONT").await;

    assert!(matches!(outcomes, (_, Err(DriverError::Unreachable))), "{outcomes:?}");
    fixture.until_connected(true).await;
    fixture.hear_each_other(&["a", "b"]).await;
    fixture.phones.alice.hears(fixture.phones.bob.tone).await;
    fixture.phones.bob.hears(fixture.phones.alice.tone).await;
    bridges_are(&fixture.pbx, &[vec!["a", "b"]]).await;
}

#[tokio::test]
async fn a_bridge_that_somebody_took_down_is_made_again() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    for (channel, account) in [("a", "101"), ("b", "102"), ("c", "103")] {
        fixture.connect(channel, account).await;
    }
    fixture.hear_each_other(&["a", "b"]).await;

    let bridge = fixture.pbx.get("bridges").await[0]["id"].as_str().unwrap().to_owned();
    fixture.pbx.delete(&format!("bridges/{bridge}")).await;
    fixture.hear_each_other(&["a", "b", "c"]).await;

    fixture.phones.carol.until_heard(&[(fixture.phones.alice.tone, true)]).await;
}

#[tokio::test]
async fn wrong_passwords_are_said_without_saying_them() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let readiness = health::Readiness::new();
    let (signals, _events) = mpsc::channel(16);
    let url = format!("http://{USER}:not-it@127.0.0.1:{}", pbx.http_port);
    let config = Config { url: Url::new(url), ..Config::default() };

    let stop = CancellationToken::new();
    let health = readiness.component("switch.asterisk");
    let deps = Deps { signals, health, tasks: phones.tasks.clone(), stop: stop.clone() };
    let driver = Arc::new(Asterisk::new(&config, deps).unwrap());

    eventually(PATIENCE, "it is said", || async {
        match readiness.state_of("switch.asterisk") {
            Some(health::State::Degraded(why)) if why.contains("password") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let refusal = driver.channels().await.unwrap_err();
    assert!(matches!(&refusal, DriverError::Refused(text) if text.starts_with("401")), "{refusal}");
    assert!(!format!("{driver:?}").contains("not-it"));
    stop.cancel();
}

#[tokio::test]
async fn a_call_that_comes_in_while_nobody_listens_is_offered_or_ended_by_asterisk() {
    needs_asterisk!();
    let (mut fixture, cable) = on_a_cable().await;
    if fixture.pbx.is_old().await {
        return;
    }

    cut(&fixture, &cable).await;
    fixture.phones.alice.call("340").await;
    // The dialplan goes on when the application is not there: it hangs up.
    eventually(PATIENCE, "the caller is refused, or waits", || async {
        let waits = !fixture.pbx.get("channels").await.as_array().unwrap().is_empty();
        let log = fixture.phones.alice.log();
        if waits || !log.is_empty() { Ok(()) } else { Err(format!("{log:?}")) }
    })
    .await;
    cable.is_plugged.send_replace(true);
    fixture.until_connected(true).await;

    fixture.phones.bob.call("341").await;
    loop {
        match fixture.next().await {
            Event::Offered { channel, origin: Origin::Phone { account_id }, dialled } => {
                fixture.hang_up(&channel.0, 480).await;
                if account_id == "102" {
                    assert_eq!(dialled, "341");
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    fixture.until_empty().await;
}

#[tokio::test]
async fn whoever_takes_the_application_over_is_outlived() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    let (signals, _events) = mpsc::channel(16);
    let config = Config { url: Url::new(fixture.pbx.url()), ..Config::default() };
    let stop = CancellationToken::new();
    let health = health::Readiness::new().component("other");
    let tasks = fixture.phones.tasks.clone();

    let other =
        Asterisk::new(&config, Deps { signals, health, tasks, stop: stop.clone() }).unwrap();
    other.connected().wait_for(|is_connected| *is_connected).await.unwrap();
    fixture.until_connected(false).await;
    let state = fixture.readiness.state_of("switch.asterisk");
    assert!(
        matches!(&state, Some(health::State::Degraded(why)) if why.contains("another client")),
        "{state:?}"
    );
    stop.cancel();

    fixture.until_connected(true).await;
    fixture.connect("b", "102").await;
    fixture.phones.alice.hang_up().await;
    assert_eq!(fixture.next().await, ended("a", Cause::HungUp));
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn who_does_not_come_into_another_bridge_is_no_longer_in_the_old_one() {
    needs_asterisk!();
    // Into the first bridge it comes, into the second not.
    let times = AtomicUsize::new(0);
    let mut fixture = Fixture::refusing(move |request| {
        request.ends_with("/addChannel?channel=b") && times.fetch_add(1, Ordering::AcqRel) == 1
    })
    .await;
    for (channel, account) in [("a", "101"), ("b", "102"), ("c", "103"), ("d", "trunk")] {
        fixture.connect(channel, account).await;
    }
    fixture.hear_each_other(&["a", "b", "d"]).await;
    fixture.hear("c", Source::Parties([id("b")].into())).await;

    let wish = Op::Hear { channel: id("b"), source: Source::Parties([id("c")].into()) };
    assert!(fixture.driver.run(wish.clone()).await.is_err());

    let bridges = fixture.pbx.bridges().await;
    assert!(bridges.contains(&vec!["a".to_owned(), "d".to_owned()]), "{bridges:?}");
    fixture.run(wish).await;
    let phones = &fixture.phones;
    phones.bob.until_heard(&[(phones.carol.tone, true), (phones.alice.tone, false)]).await;
    phones.carol.until_heard(&[(phones.bob.tone, true), (phones.alice.tone, false)]).await;
}

#[tokio::test]
async fn a_hang_up_that_is_refused_once_leaves_nothing() {
    needs_asterisk!();
    let mut fixture =
        Fixture::refusing(|request| request.starts_with("DELETE /ari/channels/a?")).await;
    for (channel, account) in [("a", "101"), ("b", "102"), ("c", "103")] {
        fixture.connect(channel, account).await;
    }
    // c hears a, and a hears nobody: so there is an ear to take down.
    fixture.hear_each_other(&["a", "b"]).await;
    fixture.hear("c", Source::Parties([id("a")].into())).await;
    fixture.phones.carol.hears(fixture.phones.alice.tone).await;

    let reason = Reason { code: 487, text: "over".to_owned() };
    let hang_up = Op::Hangup { channel: id("a"), reason };
    assert!(fixture.driver.run(hang_up.clone()).await.is_err());
    fixture.run(hang_up).await;

    fixture.phones.alice.sees("BYE", 1).await;
    for channel in ["b", "c"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}
