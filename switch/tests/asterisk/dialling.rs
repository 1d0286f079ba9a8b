//! Phones and numbers are dialled.

use switch::driver::{Cause, Driver as _, DriverError, Endpoint, Event, Op};

use crate::fixture::{Fixture, dial_op, ended, id, label};
use crate::needs_asterisk;
use crate::phone::Manner;

#[tokio::test]
async fn a_phone_that_answers_rings_and_is_answered() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.phones.alice.set_manner(Manner::Ring);

    fixture.dial("a", "101").await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("a") });
    let shown = fixture.phones.alice.shown();
    fixture.phones.alice.answer().await;

    assert_eq!(fixture.next().await, Event::Answered { channel: id("a") });
    assert_eq!(shown, ("Caller".to_owned(), "555".to_owned()));
    let channels = fixture.driver.channels().await.unwrap();
    let [channel] = &channels[..] else { panic!("{channels:?}") };
    assert!(channel.is_answered);
    assert_eq!((&channel.id, &channel.label), (&id("a"), &label("trying")));

    fixture.hang_up("a", 487).await;
    fixture.phones.alice.sees("BYE", 1).await;
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_phone_that_refuses_ends_with_its_code() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    // An older one tells a Q.850 cause alone, which not every code has.
    let codes: &[u16] = if fixture.pbx.is_old().await {
        &[486, 603, 480, 404, 410, 484, 503]
    } else {
        &[486, 603, 480, 404, 408, 410, 484, 488, 500, 503, 600]
    };
    for &code in codes {
        fixture.phones.bob.set_manner(Manner::Refuse(code));
        let channel = format!("refused-{code}");
        fixture.dial(&channel, "102").await;
        assert_eq!(fixture.next().await, ended(&channel, Cause::Refused(code)), "{code}");
    }

    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_phone_that_is_not_registered_ends_at_once() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    for (account, code) in [("109", 480), ("nobody", 480), ("101@trunk", 480)] {
        let channel = format!("to-{code}-{}", account.len());
        fixture.dial(&channel, account).await;
        assert_eq!(fixture.next().await, ended(&channel, Cause::Refused(code)), "{account}");
    }
    assert!(fixture.listed().await.is_empty());
}

#[tokio::test]
async fn a_number_is_dialled_through_the_trunk() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    let endpoint = Endpoint::Trunk { number: "+12065550100".to_owned() };
    fixture.run(dial_op("t", endpoint)).await;

    assert_eq!(fixture.next().await, Event::Ringing { channel: id("t") });
    assert_eq!(fixture.next().await, Event::Answered { channel: id("t") });
    assert_eq!(fixture.phones.trunk.log()[0], "INVITE +12065550100");
    fixture.phones.trunk.hang_up().await;
    assert_eq!(fixture.next().await, ended("t", Cause::HungUp));

    let elsewhere = Endpoint::Trunk { number: "1@101".to_owned() };
    fixture.run(dial_op("x", elsewhere)).await;
    assert_eq!(fixture.next().await, ended("x", Cause::Refused(404)));
    fixture.until_empty().await;
}

#[tokio::test]
async fn a_dialled_channel_that_is_given_up_stops_ringing() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.phones.alice.set_manner(Manner::Ring);
    fixture.dial("a", "101").await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("a") });

    fixture.hang_up("a", 480).await;

    fixture.phones.alice.sees("CANCEL", 1).await;
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
    // Hung up twice is hung up.
    fixture.hang_up("a", 480).await;
}

#[tokio::test]
async fn operations_on_a_channel_that_is_gone_succeed() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.connect("a", "101").await;
    fixture.phones.alice.hang_up().await;
    assert_eq!(fixture.next().await, ended("a", Cause::HungUp));

    for channel in ["a", "never"].map(id) {
        for op in [
            Op::Ring { channel: channel.clone() },
            Op::Answer { channel: channel.clone() },
            Op::PickUp { channel: channel.clone() },
            Op::SendDigits { channel: channel.clone(), digits: "1".to_owned() },
            Op::Label { channel: channel.clone(), label: label("x") },
        ] {
            fixture.run(op).await;
        }
        fixture.hang_up(&channel.0, 487).await;
    }
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_phone_to_be_answered_are_refused() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.phones.alice.set_manner(Manner::Ring);
    fixture.dial("a", "101").await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("a") });

    let again = dial_op("a", Endpoint::Phone { account_id: "102".to_owned() });
    let refusals = [
        fixture.driver.run(again).await.unwrap_err(),
        fixture.driver.run(Op::PickUp { channel: id("a") }).await.unwrap_err(),
    ];

    for refusal in refusals {
        assert!(matches!(refusal, DriverError::Refused(_)), "{refusal}");
    }
    assert_eq!(fixture.listed().await, ["a"]);
}
