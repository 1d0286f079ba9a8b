//! A phone that rings is made to answer, over Asterisk's manager interface.

use proto::call::v1::CallRef;
use proto::switch::v1::AnswerCall;
use proto::switch::v1::command_request::Command;
use switch::driver::asterisk::{Config, Url};
use switch::driver::{Cause, Driver as _, DriverError, Endpoint, Event, Op};
use tempfile::TempDir;

use crate::engine::harness::{ALICE, BOB, Harness};
use crate::fixture::{Fixture, Phones, dial_op, id};
use crate::needs_asterisk;
use crate::pbx::{MANAGER_PASSWORD, Pbx, READER};
use crate::phone::Manner;

const DEFAULT_USER: &str = "cordboard";

/// The driver logs in at the manager interface as `user` with the password in a file of `folder`.
fn config(pbx: &Pbx, folder: &TempDir, user: &str, password: &str) -> Config {
    let file = folder.path().join("manager-password");
    std::fs::write(&file, password).unwrap();
    Config {
        url: Url::new(pbx.url()),
        manager_user: user.to_owned(),
        manager_password_file: Some(file),
        ..Config::default()
    }
}

async fn with_manager(phones: Phones, pbx: Pbx, user: &str, password: &str) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&pbx, &folder, user, password);
    Fixture::configured(phones, pbx, config).await
}

async fn started(user: &str, password: &str) -> Fixture {
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    with_manager(phones, pbx, user, password).await
}

/// Bob's phone rings, as channel `b`.
async fn ring(fixture: &mut Fixture, manner: Manner) {
    fixture.phones.bob.set_manner(manner);
    fixture.dial("b", "102").await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("b") });
}

fn pick_up(channel: &str) -> Op {
    Op::PickUp { channel: id(channel) }
}

/// Why it is refused.
async fn refusal(fixture: &Fixture, channel: &str) -> String {
    match fixture.driver.run(pick_up(channel)).await {
        Err(DriverError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_phone_that_rings_is_made_to_answer() {
    needs_asterisk!();
    let mut fixture = started(DEFAULT_USER, MANAGER_PASSWORD).await;
    fixture.connect("a", "101").await;
    ring(&mut fixture, Manner::Ring).await;

    fixture.run(pick_up("b")).await;

    assert_eq!(fixture.next().await, Event::Answered { channel: id("b") });
    fixture.hear_each_other(&["a", "b"]).await;
    fixture.phones.alice.hears(fixture.phones.bob.tone).await;
    fixture.run(pick_up("b")).await;
    assert_eq!(fixture.phones.bob.log(), ["INVITE 102", "NOTIFY talk"]);
    for channel in ["a", "b"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.run(pick_up("b")).await;
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_call_is_answered_by_a_command() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&pbx, &folder, DEFAULT_USER, MANAGER_PASSWORD);
    let harness = Harness::configured(phones, pbx, config).await;
    let (alice, bob) = (&harness.phones.alice, &harness.phones.bob);
    bob.set_manner(Manner::Ring);
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing"]).await;

    let whole = CallRef { id: call.clone(), tag: None };
    harness.command(Command::AnswerCall(AnswerCall { call: Some(whole) })).await;

    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    harness.until(&call, ALICE, &["trying", "ringing", "early", "connected"]).await;
    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    assert_eq!(bob.log(), ["INVITE 102", "NOTIFY talk"]);
}

#[tokio::test]
async fn a_phone_that_refuses_goes_on_ringing() {
    needs_asterisk!();
    for code in [489, 405, 400] {
        let mut fixture = started(DEFAULT_USER, MANAGER_PASSWORD).await;
        ring(&mut fixture, Manner::Deaf(code)).await;

        fixture.run(pick_up("b")).await;
        fixture.phones.bob.sees("NOTIFY talk", 1).await;
        fixture.phones.bob.answer().await;

        assert_eq!(fixture.next().await, Event::Answered { channel: id("b") }, "{code}");
    }
}

#[tokio::test]
async fn a_phone_that_says_there_is_no_such_call_loses_it() {
    needs_asterisk!();
    let mut fixture = started(DEFAULT_USER, MANAGER_PASSWORD).await;
    ring(&mut fixture, Manner::Deaf(481)).await;

    fixture.run(pick_up("b")).await;

    let end = fixture.next().await;
    let is_refusal = matches!(end, Event::Ended { cause: Cause::Refused(_), .. });
    assert!(is_refusal, "{end:?}");
    fixture.phones.bob.sees("BYE", 1).await;
    fixture.until_empty().await;
}

/// The test's endpoint 109 has `CORDBOARD_TALK=no`.
#[tokio::test]
async fn a_phone_whose_endpoint_says_so_is_told_nothing() {
    needs_asterisk!();
    let mut fixture = started(DEFAULT_USER, MANAGER_PASSWORD).await;
    let other = fixture.phones.another("109", 1500.0).await;
    other.set_server(fixture.pbx.sip_port);
    other.set_manner(Manner::Deaf(481));
    other.register(true).await;
    other.sees("200 REGISTER", 1).await;
    fixture.dial("x", "109").await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("x") });

    let why = refusal(&fixture, "x").await;

    assert!(why.contains("CORDBOARD_TALK"), "{why}");
    assert_eq!(other.log()[1..], ["INVITE 109"]);
}

#[tokio::test]
async fn what_keeps_a_phone_from_being_made_to_answer_is_said() {
    needs_asterisk!();
    for (user, password, says) in [
        (DEFAULT_USER, "wrong", "does not take user and password"),
        (READER, MANAGER_PASSWORD, "write = system"),
    ] {
        let mut fixture = started(user, password).await;
        ring(&mut fixture, Manner::Ring).await;

        let why = refusal(&fixture, "b").await;

        assert!(why.contains(says) && !why.contains(password), "{why}");
        assert_eq!(fixture.phones.bob.log(), ["INVITE 102"]);
        assert!(!format!("{:?}", fixture.driver).contains(password));
    }
}

#[tokio::test]
async fn without_a_manager_interface_nothing_is_sent() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let mut pbx = phones.pbx().await;
    pbx.set_file("manager.conf", "[general]\nenabled = no\n");
    pbx.restart().await;
    let mut fixture = with_manager(phones, pbx, DEFAULT_USER, MANAGER_PASSWORD).await;
    ring(&mut fixture, Manner::Ring).await;

    let why = refusal(&fixture, "b").await;

    assert!(why.contains("webenabled"), "{why}");
    fixture.phones.bob.answer().await;
    assert_eq!(fixture.next().await, Event::Answered { channel: id("b") });
}

#[tokio::test]
async fn only_called_phones_are_made_to_answer() {
    needs_asterisk!();
    let mut fixture = started(DEFAULT_USER, MANAGER_PASSWORD).await;
    fixture.phones.alice.call("340").await;
    let Event::Offered { channel, .. } = fixture.next().await else { panic!("an offer") };
    fixture.phones.trunk.set_manner(Manner::Ring);
    let endpoint = Endpoint::Trunk { number: "12065550100".to_owned() };
    fixture.run(dial_op("trunk-leg", endpoint)).await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("trunk-leg") });

    for channel in [channel.0.as_str(), "trunk-leg"] {
        assert_eq!(refusal(&fixture, channel).await, "this is no called phone");
    }

    assert_eq!(fixture.phones.trunk.log(), ["INVITE 12065550100"]);
}

#[tokio::test]
async fn unless_it_is_configured_no_phone_is_made_to_answer() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    ring(&mut fixture, Manner::Ring).await;

    let why = refusal(&fixture, "b").await;

    assert!(why.contains("manager_password_file"), "{why}");
}
