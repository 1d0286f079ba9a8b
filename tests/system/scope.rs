//! Who may do and see what.

use std::time::Duration;

use serde_json::json;
use system_tests::{Client, Up};

#[tokio::test]
async fn an_account_without_the_role_is_refused() {
    let up = Up::start().await;
    let mut dave = Client::log_in(up.public, "104").await;

    for method in ["CallControl/enable_api_notifications", "CallControl/get_sip_calls_list"] {
        let fault = dave.refused(method, json!({})).await;
        assert_eq!(fault.code(), -32003, "{fault:?}");
        assert!(fault.faultcode().ends_with(".access_denied"), "{fault:?}");
    }
}

#[tokio::test]
async fn another_tenants_call_and_an_absent_one_give_the_same_answer() {
    let up = Up::start().await;
    up.sim.manual("102").await;
    let dialled = up.sim.dial("101", "102").await;
    let foreign = json!({"id": dialled["call_id"]});
    let absent = json!({"id": "switch-1.0190000000007000800000000000dead"});
    for login in ["quicktasty", "201", "visacenter"] {
        let mut stranger = Client::subscribed(up.public, login).await;
        for method in ["terminate_call", "hold_call", "answer_call", "get_call_info", "reject_call"]
        {
            let method = format!("CallControl/{method}");
            let mut first = stranger.refused(&method, json!({"call": foreign})).await;
            let mut second = stranger.refused(&method, json!({"call": absent})).await;

            assert_eq!(first.code(), -32004, "{login} {method}");
            for fault in [&mut first, &mut second] {
                fault.0["data"]["trace_id"].take();
                let message = fault.0["message"].as_str().unwrap_or_default();
                let bare = message
                    .replace(foreign["id"].as_str().unwrap(), "ID")
                    .replace(absent["id"].as_str().unwrap(), "ID");
                fault.0["message"] = json!(bare);
            }
            assert_eq!(first, second, "{login} {method}");
        }
        let list = stranger.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
        assert_eq!(list["total"], 0);
        stranger.nothing_for(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn unknown_methods_and_params_are_named() {
    let up = Up::start().await;
    let mut alice = Client::log_in(up.public, "101").await;

    let fault = alice.refused("CallControl/hold_the_line", json!({})).await;
    assert_eq!(fault.code(), -32601);
    let params = json!({"call": {"id": "x"}, "tga": "y"});
    let fault = alice.refused("CallControl/hold_call", params).await;
    assert_eq!(
        (fault.code(), fault.faultcode()),
        (-32602, "Client.CallControl.hold_call.unknown_param")
    );
    assert_eq!(fault.0["data"]["params"], json!(["tga"]));
    let fault = alice.refused("CallControl/hold_call", json!({})).await;
    assert_eq!(fault.faultcode(), "Client.CallControl.hold_call.missing_param");
    assert_eq!(fault.0["data"]["params"], json!(["call"]));
    let fault = alice.refused("CallControl/hold_call", json!({"call": 7})).await;
    assert_eq!(fault.faultcode(), "Client.CallControl.hold_call.invalid_param");
}

#[tokio::test]
async fn an_account_sees_its_own_calls_and_no_others_of_its_customer() {
    let up = Up::start().await;
    for account in ["101", "102", "103"] {
        up.sim.at_once(account).await;
    }
    let mut carol = Client::subscribed(up.public, "103").await;
    let mut bob = Client::subscribed(up.public, "102").await;

    up.sim.dial("101", "102").await;
    bob.call_states_until(|states| {
        states.iter().filter(|s| s["state"] == "connected").count() == 2
    })
    .await;

    let list = carol.must("CallControl/get_sip_calls_list", json!({})).await;
    assert_eq!(list["calls_list"], json!([]));
    let list = bob.must("CallControl/get_sip_calls_list", json!({"get_total": 1})).await;
    assert_eq!(list["total"], 2);
    carol.nothing_for(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn a_list_needs_a_subscription() {
    let up = Up::start().await;
    let mut alice = Client::log_in(up.public, "101").await;

    let fault = alice.refused("CallControl/get_sip_calls_list", json!({})).await;

    assert_eq!(fault.faultcode(), "Server.CallControl.sip.disabled_api_notifications");
}

#[tokio::test]
async fn a_subscription_outside_the_scope_is_refused_as_if_there_were_no_such_thing() {
    let up = Up::start().await;
    let mut bistro = Client::log_in(up.public, "quicktasty").await;
    let mut telco = Client::log_in(up.public, "telco").await;

    for params in [json!({"i_customer": 1}), json!({"i_account": 1}), json!({"i_customer": 99})] {
        let fault = bistro.refused("CallControl/enable_api_notifications", params).await;
        assert_eq!(fault.code(), -32004, "{fault:?}");
    }
    telco.must("CallControl/enable_api_notifications", json!({"i_customer": 2})).await;
    let fault =
        telco.refused("CallControl/enable_api_notifications", json!({"i_customer": 99})).await;
    assert_eq!(fault.faultcode(), "Client.CallControl.enable_api_notifications.customer_not_found");
}
