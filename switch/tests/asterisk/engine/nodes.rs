//! Two nodes, each with an Asterisk of its own: calls come to one and belong to the other.

use proto::call::v1::CallRef;
use proto::switch::v1::HoldCall;
use proto::switch::v1::command_request::Command;
use switch::driver::asterisk::{self, Url};

use super::harness::{ALICE, BOB, CAROL, Harness, Service, TRUNK};
use crate::fixture::Phones;
use crate::needs_asterisk;
use crate::pbx::{MUSIC, Pbx};
use crate::phone::Manner;

const BYE: &str = "terminated 487 BYE Received";

/// The phones belong to the Asterisk of `switch-2`; Alice's and Bob's customer is at home on
/// `switch-1`, which the harness commands.
struct Nodes {
    harness: Harness,
    other: Service,
    other_pbx: Pbx,
}

impl Nodes {
    async fn start() -> Self {
        let phones = Phones::start().await;
        let all = [&phones.alice, &phones.bob, &phones.carol, &phones.trunk];
        let [other_pbx, pbx] = Pbx::pair(&all, ["switch-2", "switch-1"]).await;
        let config = asterisk::Config { url: Url::new(pbx.url()), ..asterisk::Config::default() };
        let harness = Harness::configured(phones, pbx, config).await;
        harness.phones.bob.set_manner(Manner::Refuse(486));
        let first = harness.originate("101", "102").await;
        harness.until_last(&first, ALICE, "terminated 486 Busy Here").await;
        harness.phones.bob.set_manner(Manner::Answer);
        harness.phones.alice.sees("BYE", 1).await;
        let other = harness.another_node("switch-2", &other_pbx).await;
        Self { harness, other, other_pbx }
    }

    async fn until_empty(&self) {
        self.harness.until_empty().await;
        self.other_pbx.until_empty().await;
    }
}

#[tokio::test]
async fn a_phone_s_call_is_the_home_s_from_its_first_event_on() {
    needs_asterisk!();
    let nodes = Nodes::start().await;
    if nodes.other_pbx.is_old().await {
        return;
    }
    let harness = &nodes.harness;
    let (alice, bob) = (&harness.phones.alice, &harness.phones.bob);

    alice.call("102").await;
    let call = harness.new_call().await;

    assert!(call.starts_with("switch-1."), "{call}");
    harness.until(&call, ALICE, &["trying", "early", "connected"]).await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    assert_eq!(bob.shown(), ("Alice".to_owned(), "101".to_owned()));
    alice.hears(bob.tone).await;
    bob.hears(alice.tone).await;
    let leg = CallRef { id: call.clone(), tag: Some(harness.tag(&call, ALICE).await) };
    harness.command(Command::HoldCall(HoldCall { call: Some(leg) })).await;
    bob.until_heard(&[(MUSIC, true), (alice.tone, false)]).await;
    bob.hang_up().await;
    alice.sees("BYE", 2).await;
    harness.until_last(&call, ALICE, BYE).await;
    nodes.until_empty().await;
    nodes.other.stop().await;
}

#[tokio::test]
async fn a_call_from_outside_comes_with_the_caller_s_name_and_the_far_end_s_refusal() {
    needs_asterisk!();
    let nodes = Nodes::start().await;
    if nodes.other_pbx.is_old().await {
        return;
    }
    let harness = &nodes.harness;
    let trunk = &harness.phones.trunk;

    trunk.call_as("101", "Mr Smith", "4915550100").await;
    let call = harness.new_call().await;
    harness.until(&call, TRUNK, &["trying", "early", "connected"]).await;
    harness.until(&call, ALICE, &["trying", "ringing", "connected"]).await;
    let shown = ("Mr Smith".to_owned(), "4915550100".to_owned());
    assert_eq!(harness.phones.alice.shown(), shown);
    trunk.hears(harness.phones.alice.tone).await;
    trunk.hang_up().await;
    harness.phones.alice.sees("BYE", 2).await;

    harness.phones.alice.set_manner(Manner::Refuse(486));
    trunk.call_as("101", "Mr Smith", "4915550100").await;
    trunk.sees("486", 1).await;
    nodes.until_empty().await;
}

#[tokio::test]
async fn a_phone_that_both_asterisks_miss_is_told_of_by_the_home_alone() {
    needs_asterisk!();
    let nodes = Nodes::start().await;
    let phone = nodes.harness.phones.another("109", 1500.0).await;
    nodes.harness.until_phone("109", &["unregistered"]).await;

    // Registered at the other Asterisk, it is not at the home's.
    phone.set_server(nodes.other_pbx.sip_port);
    phone.register(true).await;
    phone.sees("200 REGISTER", 1).await;
    phone.set_server(nodes.harness.pbx.sip_port);
    phone.register(true).await;

    nodes.harness.until_phone("109", &["unregistered", "available"]).await;
}

#[tokio::test]
async fn two_customers_at_home_on_two_nodes_talk() {
    needs_asterisk!();
    let nodes = Nodes::start().await;
    if nodes.other_pbx.is_old().await {
        return;
    }
    let harness = &nodes.harness;
    let (alice, carol) = (&harness.phones.alice, &harness.phones.carol);
    // Carol's call comes to the node that becomes her customer's home.
    carol.call("999").await;
    carol.sees("404", 1).await;
    harness.new_call().await;

    let call = harness.originate("101", "103").await;

    harness.until_last(&call, ALICE, "connected").await;
    let hers = harness.new_call().await;
    assert!(hers.starts_with("switch-2."), "{hers}");
    harness.until_last(&hers, CAROL, "connected").await;
    alice.hears(carol.tone).await;
    carol.hears(alice.tone).await;
    carol.hang_up().await;
    harness.until_last(&call, ALICE, BYE).await;
    harness.until_last(&hers, CAROL, BYE).await;
    nodes.until_empty().await;
}
