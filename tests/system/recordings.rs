//! Recordings, from the command to the file.

use std::time::Duration;

use http::Method;
use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::http::download;
use system_tests::{Client, Up};

/// Alice and Bob talk; gives the call.
async fn talking() -> (Up, Client, Value) {
    let up = Up::start_with(&["--sim-speed", "0"]).await;
    let mut alice = Client::subscribed(up.public, "101").await;
    up.sim.at_once("101").await;
    up.sim.at_once("102").await;
    let call = alice.must("CallControl/originate_call", json!({"destination": "102"})).await;
    let is_through =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() == 2;
    alice.call_states_until(is_through).await;
    (up, alice, json!({"id": call["call"]["id"]}))
}

async fn list(client: &mut Client, params: Value) -> Vec<Value> {
    let answer = client.must("CallControl/get_recording_list", params).await;
    answer["recording_list"].as_array().unwrap().clone()
}

async fn token(up: &Up, login: &str) -> String {
    let mut client = Client::connect(up.public).await.unwrap();
    let params = json!({"login": login, "password": "cordboard"});
    let session = client.must("Session/login", params).await;
    session["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_call_is_recorded_listed_and_fetched() {
    let (up, mut alice, call) = talking().await;

    assert_eq!(
        alice.must("CallControl/start_recording", json!({"call": call})).await,
        json!({"success": 1})
    );
    alice.must("CallControl/start_recording", json!({"call": call})).await;
    let begun = alice.call_state().await;
    assert_eq!(begun["state"], "connected");
    assert_eq!(begun["caused_by"]["method"], "CallControl/start_recording");
    let recording = begun["recording"].clone();
    assert_eq!(recording["active"], 1);
    let id = recording["i_recording"].as_str().unwrap().to_owned();
    assert_eq!(recording["path"], format!("1/{id}.wav"));
    assert_eq!(list(&mut alice, json!({})).await, Vec::<Value>::new(), "it goes on");
    alice.must("CallControl/terminate_call", json!({"call": call})).await;
    let all = alice.until_over(2).await;
    let ended = all.iter().find(|info| info["recording"] != Value::Null).unwrap();
    assert_eq!(
        (&ended["recording"]["i_recording"], &ended["recording"]["active"]),
        (&json!(id), &json!(0))
    );

    let mut board = Client::log_in(up.public, "easymobile").await;
    let kept = eventually(Duration::from_secs(10), "the recording is listed", || async {
        let mut board = Client::log_in(up.public, "easymobile").await;
        list(&mut board, json!({"call": call})).await.pop().ok_or_else(|| "none".to_owned())
    })
    .await;
    assert_eq!((&kept["i_recording"], &kept["account_id"]), (&json!(id), &json!("101")));
    assert_eq!((&kept["call"]["id"], &kept["i_customer"]), (&call["id"], &json!(1)));
    let narrowed = json!({"account_id": "102", "get_total": 1, "from_date": "2020-01-01 00:00:00"});
    let answer = board.must("CallControl/get_recording_list", narrowed).await;
    assert_eq!(
        (answer["recording_list"].as_array().unwrap().len(), &answer["total"]),
        (1, &json!(1))
    );
    assert_eq!(list(&mut board, json!({"account_id": "103"})).await.len(), 0);
    let charged = eventually(Duration::from_secs(10), "both are charged", || async {
        let mut board = Client::log_in(up.public, "easymobile").await;
        let listed = board.must("CDR/get_xdr_list", json!({})).await;
        let xdrs = listed["xdr_list"].as_array().unwrap().clone();
        if xdrs.len() == 2 { Ok(xdrs) } else { Err(format!("{xdrs:?}")) }
    })
    .await;
    for xdr in charged {
        let is_recorded = xdr["account_id"] == "101";
        let expected = if is_recorded { &recording["path"] } else { &Value::Null };
        assert_eq!(&xdr["recording"], expected, "{xdr}");
    }
    let foreign = board.refused("CallControl/get_recording_list", json!({"i_customer": 2})).await;
    assert_eq!(foreign.faultcode(), "Client.CallControl.get_recording_list.customer_not_found");

    let path = format!("/recordings/{id}");
    for login in ["101", "102", "easymobile", "telco", "admin"] {
        let token = token(&up, login).await;
        let (status, headers, file) =
            download(up.public, Method::GET, &path, Some(&token)).await.unwrap();
        assert_eq!(status, 200, "{login}");
        assert_eq!(headers["content-type"], "audio/wav");
        assert!(file.starts_with(b"RIFF") && json!(file.len()) == kept["size"], "{login}");
        let (_, headers, nothing) =
            download(up.public, Method::HEAD, &path, Some(&token)).await.unwrap();
        assert_eq!(
            (
                json!(headers["content-length"].to_str().unwrap().parse::<u64>().unwrap()),
                nothing.len()
            ),
            (kept["size"].clone(), 0)
        );
    }
}

#[tokio::test]
async fn what_is_foreign_looks_absent_and_who_is_nobody_gets_nothing() {
    let (up, mut alice, call) = talking().await;
    alice.must("CallControl/start_recording", json!({"call": call})).await;
    let id = alice.call_state().await["recording"]["i_recording"].as_str().unwrap().to_owned();
    assert_eq!(
        alice.must("CallControl/stop_recording", json!({"call": call})).await,
        json!({"success": 1})
    );
    assert_eq!(alice.call_state().await["recording"]["active"], 0);
    alice.must("CallControl/stop_recording", json!({"call": call})).await;
    let path = format!("/recordings/{id}");
    let own = token(&up, "101").await;
    let fetched = |path: String, token: Option<String>| async move {
        download(up.public, Method::GET, &path, token.as_deref()).await.unwrap().0.as_u16()
    };
    eventually(Duration::from_secs(10), "the recording is there", || async {
        match fetched(path.clone(), Some(own.clone())).await {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;

    // Carol was no party; the bistro is another customer; Dave's role grants nothing.
    for (login, status) in [("103", 404), ("quicktasty", 404), ("104", 403)] {
        let token = token(&up, login).await;
        assert_eq!(fetched(path.clone(), Some(token)).await, status, "{login}");
    }
    assert_eq!(fetched(path.clone(), None).await, 401);
    assert_eq!(fetched(path, Some("no.such.token".to_owned())).await, 401);
    for absent in
        ["/recordings/", "/recordings/x", "/recordings/switch-1.x", "/recordings/..%2f..%2fetc"]
    {
        assert_eq!(fetched(absent.to_owned(), Some(own.clone())).await, 404, "{absent}");
    }
    let mut bistro = Client::log_in(up.public, "quicktasty").await;
    assert_eq!(list(&mut bistro, json!({})).await.len(), 0);
    let fault = bistro.refused("CallControl/start_recording", json!({"call": call})).await;
    assert_eq!(fault.code(), -32004);
}
