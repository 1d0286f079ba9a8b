//! The REST twin: what a socket does, each request by itself.

use std::net::SocketAddr;

use proto::api::METHODS;
use proto::options::v1::Realm;
use serde_json::{Value, json};
use system_tests::client::{states_of, states_of_trunk};
use system_tests::{Client, Up};

use crate::raw::call;

/// An application that has no socket.
struct Poster {
    public: SocketAddr,
    token: Value,
}

impl Poster {
    async fn log_in(public: SocketAddr, login: &str) -> Self {
        let params = json!({"login": login, "password": "cordboard"});
        let tokens = call(public, "Session/login", params, json!({})).await.body;
        Self { public, token: json!({"access_token": tokens["access_token"]}) }
    }

    async fn must(&self, method: &str, params: Value) -> Value {
        let answer = call(self.public, method, params, self.token.clone()).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.body);
        answer.body
    }

    async fn refused(&self, method: &str, params: Value) -> Value {
        let answer = call(self.public, method, params, self.token.clone()).await;
        assert_eq!(answer.status, 500, "{method}: {}", answer.body);
        answer.body["faultcode"].clone()
    }
}

#[tokio::test]
async fn a_call_is_placed_held_handed_over_parked_and_ended_over_rest() {
    let up = Up::start_with(&["--sim-speed", "0", "--pstn-answer-ms", "0"]).await;
    for account in ["101", "102", "103"] {
        up.sim.at_once(account).await;
    }
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let poster = Poster::log_in(up.public, "easymobile").await;
    let last_is = |states: &[Value], account: &str, state: &str| {
        states_of(states, account).last().is_some_and(|last| last == state)
    };

    let to_pstn = json!({"account_id": "101", "destination": "12065550199"});
    let started = poster.must("CallControl/originate_call", to_pstn).await;
    let of_call = json!({"call": {"id": started["call"]["id"]}});
    let with = |more: Value| {
        let mut params = of_call.clone();
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let mut all = board.call_states_until(|states| last_is(states, "101", "connected")).await;
    poster.must("CallControl/hold_call", of_call.clone()).await;
    assert_eq!(up.sim.hears("101").await, json!("silence"));
    poster.must("CallControl/resume_call", of_call.clone()).await;
    poster.must("CallControl/transfer_call", with(json!({"destination": "102"}))).await;
    all.extend(board.call_states_until(|states| last_is(states, "102", "connected")).await);
    let info = poster.must("CallControl/get_call_info", of_call.clone()).await;
    assert!(info.to_string().contains("12065550199"), "{info}");
    let tag = all.iter().rfind(|info| info["i_account"] == 2).unwrap()["call"]["tag"].clone();
    let by_102 = json!({"call": {"id": started["call"]["id"], "tag": tag}});
    let slot = poster.must("CallControl/park_call", by_102).await["slot"].clone();
    let retrieve = json!({"slot": slot, "account_id": "103"});
    poster.must("CallControl/retrieve_call", retrieve).await;
    all.extend(board.call_states_until(|states| last_is(states, "103", "connected")).await);
    assert_eq!(up.sim.hears("103").await, json!(["12065550199"]));
    let asked = json!({"include_unsubscribed": 1, "get_total": 1});
    let list = poster.must("CallControl/get_sip_calls_list", asked).await;
    assert_eq!(list["total"], 2, "{list}");
    poster.must("CallControl/terminate_call", of_call.clone()).await;
    all.extend(board.call_states_until(|states| last_is(states, "103", "terminated")).await);

    assert!(states_of_trunk(&all).contains(&"parked".to_owned()), "{all:?}");
    let again = poster.refused("CallControl/terminate_call", of_call).await;
    assert_eq!(again, "Client.CallControl.terminate_call.call_not_found");
}

#[tokio::test]
async fn every_method_is_routed_over_rest_as_on_a_socket() {
    let up = Up::start().await;
    let poster = Poster::log_in(up.public, "admin").await;
    for method in METHODS {
        let is_own = method.realms.contains(&Realm::Admin) && !method.anonymous;
        if !is_own || method.name.starts_with("Session/") {
            continue;
        }
        for name in std::iter::once(&method.name).chain(method.aliases) {
            let fault = poster.refused(name, json!({"no_such_param": 1})).await;
            let is_it = fault.as_str().is_some_and(|code| code.ends_with(".unknown_param"));
            assert!(is_it, "{name}: {fault}");
        }
    }
}
