//! Calls come in: from phones, from the trunk, from another customer of this switch.

use mesh::testing::eventually;
use switch::driver::{Cause, ChannelId, Endpoint, Event, Op, Origin, Shown, Source};

use crate::fixture::{Fixture, dial_op, ended, id, label};
use crate::needs_asterisk;
use crate::phone::PATIENCE;

/// The next event has to be an offer.
async fn offered(fixture: &mut Fixture) -> (ChannelId, Origin, String) {
    match fixture.next().await {
        Event::Offered { channel, origin, dialled } => (channel, origin, dialled),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_phone_that_dials_is_offered_rung_and_answered() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    fixture.phones.alice.call("340").await;
    let (channel, origin, dialled) = offered(&mut fixture).await;
    assert_eq!(origin, Origin::Phone { account_id: "101".to_owned() });
    assert_eq!(dialled, "340");

    fixture.hear(&channel.0, Source::Ringback).await;
    assert!(!fixture.phones.alice.log().contains(&"180".to_owned()));
    fixture.run(Op::Ring { channel: channel.clone() }).await;
    fixture.phones.alice.sees("180", 1).await;
    fixture.run(Op::Answer { channel: channel.clone() }).await;
    fixture.phones.alice.sees("200", 1).await;
    fixture.phones.alice.hears(crate::pbx::RINGBACK).await;

    fixture.phones.alice.hang_up().await;
    assert_eq!(fixture.next().await, ended(&channel.0, Cause::HungUp));
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_call_from_outside_shows_who_calls() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    fixture.phones.trunk.call_as("12065550100", "Mr Smith", "4915550100").await;

    let (channel, origin, dialled) = offered(&mut fixture).await;
    let from = Shown { number: "4915550100".to_owned(), name: "Mr Smith".to_owned() };
    assert_eq!((origin, dialled.as_str()), (Origin::Trunk { from }, "12065550100"));

    fixture.run(Op::Label { channel: channel.clone(), label: label("early") }).await;
    let listed = switch::driver::Driver::channels(fixture.driver.as_ref()).await.unwrap();
    assert_eq!(listed[0].label, label("early"));
    assert!(!listed[0].is_answered);
    let path = format!("channels/{channel}/variable?variable=CORDBOARD_LABEL");
    eventually(PATIENCE, "the label can be seen on the channel", || async {
        let variable = fixture.pbx.try_get(&path).await?;
        let is_so = variable["value"] == "cordboard switch-1.call tag early";
        if is_so { Ok(()) } else { Err(variable.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_gives_up_has_hung_up() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;
    fixture.phones.alice.call("340").await;
    let (channel, ..) = offered(&mut fixture).await;
    fixture.run(Op::Ring { channel: channel.clone() }).await;
    fixture.phones.alice.sees("180", 1).await;

    fixture.phones.alice.hang_up().await;

    assert_eq!(fixture.next().await, ended(&channel.0, Cause::HungUp));
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_refused_caller_is_told_the_code() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    if fixture.pbx.is_old().await {
        return;
    }
    for code in [404, 408, 410, 480, 484, 486, 488, 500, 503, 403, 603] {
        fixture.phones.alice.call("340").await;
        let (channel, ..) = offered(&mut fixture).await;
        fixture.hang_up(&channel.0, code).await;
        fixture.phones.alice.sees(&code.to_string(), 1).await;
    }

    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_call_to_another_customer_is_a_pair_of_channels() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    fixture.run(dial_op("outer", Endpoint::Join { number: "201".to_owned() })).await;
    let (inner, origin, dialled) = offered(&mut fixture).await;
    let from = Shown { number: "555".to_owned(), name: "Caller".to_owned() };
    assert_eq!((origin, dialled.as_str()), (Origin::Join { from }, "201"));

    fixture.run(Op::Ring { channel: inner.clone() }).await;
    assert_eq!(fixture.next().await, Event::Ringing { channel: id("outer") });
    fixture.run(Op::Answer { channel: inner.clone() }).await;
    assert_eq!(fixture.next().await, Event::Answered { channel: id("outer") });

    // A phone on each side: they hear each other through the pair.
    fixture.connect("a", "101").await;
    fixture.connect("b", "102").await;
    fixture.hear_each_other(&["a", "outer"]).await;
    fixture.hear_each_other(&["b", &inner.0]).await;
    fixture.phones.alice.hears(fixture.phones.bob.tone).await;
    fixture.phones.bob.hears(fixture.phones.alice.tone).await;

    fixture.hang_up(&inner.0, 487).await;
    assert_eq!(fixture.next().await, ended("outer", Cause::HungUp));
    for channel in ["a", "b"] {
        fixture.hang_up(channel, 487).await;
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}

#[tokio::test]
async fn a_refused_pair_ends_with_the_code() {
    needs_asterisk!();
    let mut fixture = Fixture::start().await;

    for code in [486, 404, 480, 603, 402, 302] {
        let outer = format!("outer-{code}");
        fixture.run(dial_op(&outer, Endpoint::Join { number: "201".to_owned() })).await;
        let (inner, ..) = offered(&mut fixture).await;
        fixture.hang_up(&inner.0, code).await;
        assert_eq!(fixture.next().await, ended(&outer, Cause::Refused(code)));
    }
    fixture.until_empty().await;
    assert_eq!(fixture.rest(), []);
}
