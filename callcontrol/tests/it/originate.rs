//! New calls.

use std::time::Duration;

use mesh::caller::Scope;
use mesh::ledger::{Home, Ledger as _};
use mesh::testing::eventually;
use proto::call::v1::State;
use proto::callcontrol::v1::{HoldCallRequest, OriginateCallRequest};
use proto::switch::v1::OriginateCall;
use proto::switch::v1::command_request::Command;
use tonic::Code;

use crate::harness::{
    ADMIN, ALICE, CUSTOMER, Harness, NODE, RESELLER, Reply, Switch, call, lease, reason, refusal,
};

fn to(destination: &str) -> OriginateCallRequest {
    OriginateCallRequest { destination: destination.to_owned(), ..OriginateCallRequest::default() }
}

fn from(account_id: &str) -> OriginateCallRequest {
    OriginateCallRequest { account_id: Some(account_id.to_owned()), ..to("102") }
}

fn originated(switch: &Switch) -> OriginateCall {
    match switch.last().command {
        Some(Command::OriginateCall(originate)) => originate,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_started_from_the_session_s_own_account() {
    let harness = Harness::start().await;

    let answer = harness.client.clone().originate_call(harness.request(ALICE, to("+1202"))).await;

    let answer = answer.unwrap().into_inner();
    let asked = originated(&harness.switch);
    assert_eq!(answer.call, Some(call(&asked.call_id, "a")));
    assert_eq!(answer.tracking_id, "t1");
    assert!(asked.call_id.starts_with(&format!("{NODE}.")), "{}", asked.call_id);
    assert_eq!((asked.destination.as_str(), asked.timeout_seconds), ("+1202", 60));
    let account = asked.account.unwrap();
    assert_eq!((account.i_account, account.i_customer, account.i_reseller), (1, 1, 3));
    assert_eq!(harness.switch.last().i_customer, 1);
}

#[tokio::test]
async fn all_that_was_asked_for_is_passed_on() {
    let harness = Harness::start().await;
    let request = OriginateCallRequest {
        i_account: Some(2),
        caller_id: Some("5551234".to_owned()),
        caller_name: Some("Sales".to_owned()),
        timeout: 20,
        ..from("102")
    };

    harness.client.clone().originate_call(harness.request(CUSTOMER, request)).await.unwrap();

    let asked = originated(&harness.switch);
    assert_eq!(asked.account.unwrap().account_id, "102");
    assert_eq!(asked.caller_id.as_deref(), Some("5551234"));
    assert_eq!(asked.caller_name.as_deref(), Some("Sales"));
    assert_eq!(asked.timeout_seconds, 20);
}

#[tokio::test]
async fn accounts_outside_the_scope_look_absent() {
    let harness = Harness::start().await;
    let both = OriginateCallRequest { i_account: Some(2), ..from("101") };
    let other_reseller = Scope::Reseller { i_reseller: 8 };
    let cases = [
        (ALICE, from("102")),
        (ALICE, from("201")),
        (CUSTOMER, from("201")),
        (CUSTOMER, from("999")),
        (CUSTOMER, both),
        (RESELLER, from("201")),
        (other_reseller, from("101")),
    ];

    for (scope, request) in cases {
        let outcome = harness.client.clone().originate_call(harness.request(scope, request)).await;
        assert_eq!(reason(outcome), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()), "{scope:?}");
    }
    assert!(harness.switch.asked().is_empty());
}

#[tokio::test]
async fn accounts_in_the_scope_may_be_used() {
    let harness = Harness::start().await;
    let cases = [(ALICE, "101"), (CUSTOMER, "102"), (RESELLER, "301"), (ADMIN, "201")];

    for (scope, account_id) in cases {
        let request = harness.request(scope, from(account_id));
        harness.client.clone().originate_call(request).await.unwrap();
        assert_eq!(originated(&harness.switch).account.unwrap().account_id, account_id);
    }
}

#[tokio::test]
async fn wrong_params_are_refused_by_name() {
    let harness = Harness::start().await;
    let slow = OriginateCallRequest { timeout: 601, ..to("102") };
    let callback = |address: &str| OriginateCallRequest {
        state_info_callback: Some(address.to_owned()),
        ..to("102")
    };
    let cases = [
        (ALICE, to(""), "MISSING_PARAM", "destination"),
        (ALICE, to("sip:102@host"), "INVALID_PARAM", "destination"),
        (ALICE, to(&"1".repeat(65)), "INVALID_PARAM", "destination"),
        (ALICE, slow, "INVALID_PARAM", "timeout"),
        (ALICE, callback("crm.example.com"), "CALLBACK_REFUSED", "state_info_callback"),
        (ALICE, callback("ftp://crm.example.com/"), "CALLBACK_REFUSED", "state_info_callback"),
        (ALICE, callback("http://localhost:1/"), "CALLBACK_REFUSED", "state_info_callback"),
        (ALICE, callback("http://10.0.0.1/"), "CALLBACK_REFUSED", "state_info_callback"),
        (ALICE, callback("http://169.254.169.254/"), "CALLBACK_REFUSED", "state_info_callback"),
        (CUSTOMER, to("102"), "MISSING_PARAM", "account_id"),
    ];

    for (scope, request, expected, param) in cases {
        let outcome = harness.client.clone().originate_call(harness.request(scope, request)).await;
        let (code, reason, metadata) = refusal(outcome);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, expected));
        assert_eq!(metadata["params"], param);
    }
}

#[tokio::test]
async fn a_callback_goes_to_the_node_with_the_states_that_are_wanted() {
    let harness = Harness::start().await;
    let request = OriginateCallRequest {
        // An address by number, so that no name has to be known.
        state_info_callback: Some("https://198.41.0.4/calls".to_owned()),
        state_info_events: vec![State::Connected.into(), State::Terminated.into()],
        ..to("102")
    };

    harness.client.clone().originate_call(harness.request(ALICE, request)).await.unwrap();

    let asked = originated(&harness.switch);
    assert_eq!(asked.state_info_callback.as_deref(), Some("https://198.41.0.4/calls"));
    assert_eq!(asked.state_info_events, ["connected", "terminated"]);
}

#[tokio::test]
async fn a_customer_s_calls_go_to_one_node() {
    let harness = Harness::start().await;
    harness.client.clone().originate_call(harness.request(ALICE, to("102"))).await.unwrap();
    let other = harness.add_node("main-1").await;

    for _ in 0..5 {
        harness.client.clone().originate_call(harness.request(ALICE, to("102"))).await.unwrap();
    }

    assert_eq!(harness.switch.done(), 6);
    assert_eq!(other.done(), 0);
}

#[tokio::test]
async fn a_draining_node_gets_no_new_customer() {
    let harness = Harness::start().await;
    let other = harness.add_node("main-1").await;
    lease(&*harness.ledger, NODE, 1, false).await;

    eventually(Duration::from_secs(5), "the call goes to the other node", || async {
        harness.client.clone().originate_call(harness.request(ALICE, to("102"))).await.unwrap();
        if other.done() > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn a_customer_that_has_moved_is_followed() {
    // Believed for longer than the test lasts.
    let harness = Harness::start_with(callcontrol::Config {
        home_cache: Duration::from_hours(1),
        ..callcontrol::Config::default()
    })
    .await;
    harness.client.clone().originate_call(harness.request(ALICE, to("102"))).await.unwrap();
    let other = harness.add_node("main-1").await;
    let home = harness.ledger.home(1).await.unwrap();
    let moved = Home { node: "main-1".to_owned(), node_epoch: 1 };
    harness.ledger.set_home(1, home.as_ref(), &moved).await.unwrap();
    harness.switch.reply(Reply::Refuse(Code::Unavailable, "WRONG_NODE"));

    let request = OriginateCallRequest { request_id: Some("r1".to_owned()), ..to("102") };
    harness.client.clone().originate_call(harness.request(ALICE, request)).await.unwrap();

    assert_eq!(other.done(), 1);
    assert!(originated(&other).call_id.starts_with("main-1."));
}

#[tokio::test]
async fn without_the_store_customers_with_a_known_home_call_on() {
    let harness = Harness::start().await;
    harness.client.clone().originate_call(harness.request(ALICE, to("102"))).await.unwrap();
    harness.ledger.set_reachable(false);

    harness.client.clone().originate_call(harness.request(ALICE, to("102"))).await.unwrap();
    let other = harness.client.clone().originate_call(harness.request(ADMIN, from("201"))).await;

    assert_eq!(reason(other), (Code::Unavailable, "STORE_UNREACHABLE".to_owned()));
}

#[tokio::test]
async fn the_call_that_was_started_is_found_by_its_id() {
    let harness = Harness::start().await;
    let other = harness.add_node("main-1").await;
    let request = harness.request(ADMIN, from("301"));
    let started = harness.client.clone().originate_call(request).await.unwrap().into_inner();
    let switch = if other.done() > 0 { &other } else { &harness.switch };

    let hold = HoldCallRequest { call: started.call, request_id: None };
    harness.client.clone().hold_call(harness.request(ADMIN, hold)).await.unwrap();

    assert_eq!(switch.done(), 2);
}
