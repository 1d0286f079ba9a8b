//! Subscriptions and live events.

use proto::call::v1::{CallInfo, State};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{ACCOUNT, ADMIN, CUSTOMER, Harness, OTHER_ACCOUNT};

const ENABLE: &str = "CallControl/enable_api_notifications";
const DISABLE: &str = "CallControl/disable_api_notifications";

#[tokio::test(start_paused = true)]
async fn events_of_the_own_scope_come_to_who_subscribed() {
    let harness = Harness::start().await;
    let mut account = harness.client(ACCOUNT).await;
    let mut customer = harness.client(CUSTOMER).await;
    let mut admin = harness.client(ADMIN).await;
    let mut bystander = harness.client(ACCOUNT).await;

    let answer = account.enable(json!({})).await;
    customer.enable(json!({})).await;
    admin.enable(json!({})).await;
    harness.log.call(1, "one", State::Ringing);
    harness.log.call(2, "two", State::Ringing);
    harness.log.foreign_call("three");

    let event = account.event().await;
    assert_eq!(event["jsonrpc"], "2.0");
    assert_eq!(event["method"], "CallControl/call_state");
    assert_eq!(event["params"]["subscription_id"], answer["subscription_id"]);
    assert_eq!(event["params"]["call_info"]["state"], "ringing");
    assert_eq!(event["params"]["call_info"]["tracking_id"], "one");
    account.nothing().await;
    assert_eq!(customer.tracking_ids(2).await, ["one", "two"]);
    customer.nothing().await;
    assert_eq!(admin.tracking_ids(3).await, ["one", "two", "three"]);
    bystander.nothing().await;
    assert_eq!(answer["success"], 1);
    assert_eq!(answer["cursor_expires_in"], 3_600);
}

#[tokio::test(start_paused = true)]
async fn an_event_has_one_id_in_every_subscription() {
    let harness = Harness::start().await;
    let mut account = harness.client(ACCOUNT).await;
    let mut admin = harness.client(ADMIN).await;
    account.enable(json!({})).await;
    admin.enable(json!({})).await;

    harness.log.call(1, "one", State::Ringing);

    let (first, second) = (account.event().await, admin.event().await);
    assert_eq!(first["params"]["event_id"], second["params"]["event_id"]);
    assert_ne!(first["params"]["subscription_id"], second["params"]["subscription_id"]);
}

#[tokio::test(start_paused = true)]
async fn filters_keep_out_what_is_not_wanted() {
    let harness = Harness::start().await;
    let mut states = harness.client(CUSTOMER).await;
    let mut kinds = harness.client(CUSTOMER).await;
    let by_states = states.enable(json!({"states": ["connected"]})).await;
    let by_kinds = kinds.enable(json!({"kinds": ["queue_stats"]})).await;

    harness.log.call(1, "one", State::Ringing);
    harness.log.call(1, "two", State::Connected);
    harness.log.queue(3);

    assert_eq!(states.tracking_ids(1).await, ["two"]);
    assert_eq!(states.event().await["method"], "CallControl/queue_stats");
    let stats = kinds.event().await;
    assert_eq!(stats["method"], "CallControl/queue_stats");
    assert_eq!(stats["params"]["queue"]["i_c_queue"], 3);
    kinds.nothing().await;
    assert_ne!(by_states["subscription_id"], by_kinds["subscription_id"]);
    assert_eq!(harness.log.scopes(), 1, "both filters share the scope");
}

#[tokio::test(start_paused = true)]
async fn the_same_subscription_has_the_same_id_and_one_delivery() {
    let harness = Harness::start().await;
    let mut client = harness.client(ACCOUNT).await;
    let mut other = harness.client(CUSTOMER).await;

    let own = client.enable(json!({})).await;
    let named = client.enable(json!({"i_account": 1})).await;
    let of_other = other.enable(json!({"i_account": 1})).await;
    harness.log.call(1, "one", State::Ringing);

    assert_eq!(own["subscription_id"], named["subscription_id"]);
    assert_eq!(own["subscription_id"], of_other["subscription_id"]);
    assert_eq!(client.tracking_ids(1).await, ["one"]);
    client.nothing().await;
    assert_eq!(other.tracking_ids(1).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn several_subscriptions_of_a_socket_each_get_the_event() {
    let harness = Harness::start().await;
    let mut client = harness.client(ADMIN).await;
    let wide = client.enable(json!({})).await;
    let narrow = client.enable(json!({"i_customer": 1})).await;

    harness.log.call(1, "one", State::Ringing);

    let mut ids = [client.event().await, client.event().await]
        .map(|event| event["params"]["subscription_id"].as_str().unwrap().to_owned());
    let mut expected =
        [wide, narrow].map(|answer| answer["subscription_id"].as_str().unwrap().to_owned());
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_subscription_is_silent() {
    let harness = Harness::start().await;
    let mut client = harness.client(CUSTOMER).await;
    let first = client.enable(json!({})).await;
    client.enable(json!({"i_account": 2})).await;

    let id = json!({"subscription_id": first["subscription_id"]});
    client.call(DISABLE, id.clone()).await.unwrap();
    harness.log.call(1, "one", State::Ringing);
    harness.log.call(2, "two", State::Ringing);

    assert_eq!(client.tracking_ids(1).await, ["two"]);
    let again = client.call(DISABLE, id).await.unwrap_err();
    assert_eq!(again["code"], -32004);
    assert_eq!(client.call(DISABLE, json!({})).await, Ok(json!({"success": 1})));
    assert_eq!(client.call(DISABLE, json!({})).await, Ok(json!({"success": 1})));
    harness.log.call(2, "three", State::Ringing);
    client.nothing().await;
    assert_eq!(harness.log.scopes(), 0, "the notifier is told");
}

#[tokio::test(start_paused = true)]
async fn a_socket_takes_its_subscriptions_with_it() {
    let harness = Harness::start().await;
    let token = harness.token(ACCOUNT);
    let mut client = harness.client_with(&token).await;
    let mut other = harness.client_with(&token).await;
    client.enable(json!({})).await;

    drop(client);

    let look = || async {
        let scopes = harness.log.scopes();
        if scopes == 0 { Ok(()) } else { Err(format!("{scopes} scopes")) }
    };
    mesh::testing::eventually(crate::support::PATIENCE, "no scope", look).await;
    other.call("CallControl/hold_call", json!({"call": {"id": "c"}})).await.unwrap();
    assert_eq!(harness.callcontrol.last("x-cordboard-subscribed").as_deref(), Some("0"));
}

#[tokio::test(start_paused = true)]
async fn what_is_outside_the_scope_looks_absent() {
    let harness = Harness::start().await;
    let fault = async |client: &mut Client, params: Value| {
        let fault = client.call(ENABLE, params).await.unwrap_err();
        assert_eq!(fault["code"], -32004, "{fault}");
        fault["data"]["faultcode"].as_str().unwrap().rsplit('.').next().unwrap().to_owned()
    };
    let mut account = harness.client(ACCOUNT).await;
    let mut customer = harness.client(CUSTOMER).await;
    let mut admin = harness.client(ADMIN).await;

    assert_eq!(fault(&mut account, json!({"i_account": 2})).await, "account_not_found");
    assert_eq!(fault(&mut account, json!({"i_customer": 1})).await, "customer_not_found");
    assert_eq!(fault(&mut customer, json!({"i_customer": 2})).await, "customer_not_found");
    assert_eq!(fault(&mut customer, json!({"i_account": 77})).await, "account_not_found");
    assert_eq!(fault(&mut admin, json!({"i_customer": 7})).await, "customer_not_found");
    let number = json!({"access_number": "1"});
    assert_eq!(fault(&mut customer, number).await, "access_number_not_found");
    assert_eq!(fault(&mut customer, json!({"i_c_queue": 77})).await, "queue_not_found");
    // This one auth would allow and the notifier does not.
    assert_eq!(fault(&mut customer, json!({"i_c_queue": 9})).await, "queue_not_found");
    for allowed in [json!({"access_number": "1733"}), json!({"i_c_queue": 3})] {
        customer.enable(allowed).await;
    }
    let two = customer.call(ENABLE, json!({"i_account": 1, "i_c_queue": 3})).await.unwrap_err();
    assert_eq!(two["data"]["params"], json!(["i_account", "i_c_queue"]));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_and_the_events_after_it_leave_nothing_out() {
    let harness = Harness::start().await;
    harness
        .callcontrol
        .add_call(CallInfo { tracking_id: "before".to_owned(), ..CallInfo::default() });
    let mut client = harness.client(OTHER_ACCOUNT).await;

    let answer = client.enable(json!({"include_snapshot": 1})).await;
    harness.log.call(2, "after", State::Ringing);

    assert_eq!(answer["calls_list"][0]["tracking_id"], "before");
    assert_eq!(harness.callcontrol.last("x-cordboard-subscribed").as_deref(), Some("1"));
    assert_eq!(client.tracking_ids(1).await, ["after"]);
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_before_the_first_event() {
    let harness = Harness::start().await;
    let mut other = harness.client(CUSTOMER).await;
    other.enable(json!({})).await;
    let mut client = harness.client(CUSTOMER).await;
    let enable = json!([
        {"jsonrpc": "2.0", "id": 1, "method": ENABLE},
        {"jsonrpc": "2.0", "id": 2, "method": "CallControl/hold_call",
         "params": {"call": {"id": "slow"}}},
    ]);

    client.send(enable.to_string()).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    harness.log.call(1, "one", State::Ringing);
    assert_eq!(other.tracking_ids(1).await, ["one"]);

    assert!(client.next().await.is_array(), "the batch waits for its slow part");
    assert_eq!(client.tracking_ids(1).await, ["one"]);
}
