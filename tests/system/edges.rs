//! Two edges: what a session is and has does not depend on which one it uses.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::client::PATIENCE;
use system_tests::{Client, Mesh};
use tokio::time::{Instant, timeout};

use crate::raw::call;

const LIST: &str = "CallControl/get_sip_calls_list";
const DISABLED: &str = "Server.CallControl.sip.disabled_api_notifications";

#[tokio::test]
async fn a_session_is_one_whichever_edge_it_uses() {
    let mesh = Mesh::start().await;
    let (_edge, other) = mesh.another_edge().await;
    let one = mesh.public();
    let login = json!({"login": "101", "password": "cordboard"});
    let tokens = call(one, "Session/login", login, json!({})).await.body;
    let by_id = json!({"session_id": tokens["session_id"]});
    let by_token = json!({"access_token": tokens["access_token"]});

    // Named by its id where it was not opened.
    let data = call(other, "Session/get_session_data", json!({}), by_id.clone()).await;
    assert_eq!((data.status, &data.body["login"]), (200, &json!("101")));

    // Subscribed over REST here, listed there.
    let listed = call(other, LIST, json!({}), by_token.clone()).await;
    assert_eq!(listed.body["faultcode"], DISABLED);
    let enabled = call(one, "CallControl/enable_api_notifications", json!({}), by_token.clone());
    assert_eq!(enabled.await.body["success"], 1);
    let listed = call(other, LIST, json!({}), by_token.clone()).await;
    assert_eq!((listed.status, &listed.body["calls_list"]), (200, &json!([])), "{}", listed.body);
    let disabled = call(one, "CallControl/disable_api_notifications", json!({}), by_id).await;
    assert_eq!(disabled.body["success"], 1);
    let listed = call(other, LIST, json!({}), by_token.clone()).await;
    assert_eq!(listed.body["faultcode"], DISABLED);

    // Subscribed on a socket here, listed there; not any more when the socket ends.
    let mut socket = Client::connect(one).await.unwrap();
    socket.must("Session/authenticate", by_token.clone()).await;
    socket.must("CallControl/enable_api_notifications", json!({})).await;
    assert_eq!(call(other, LIST, json!({}), by_token.clone()).await.status, 200);
    drop(socket);
    let end = Instant::now() + PATIENCE;
    while call(other, LIST, json!({}), by_token.clone()).await.status == 200 {
        assert!(Instant::now() < end, "the note stays");
    }
}

#[tokio::test]
async fn a_session_that_is_ended_falls_silent_on_every_edge_and_its_call_goes_on() {
    let mesh = Mesh::start().await;
    let (_edge, other) = mesh.another_edge().await;
    let login = json!({"login": "easymobile", "password": "cordboard"});
    let tokens = call(mesh.public(), "Session/login", login, json!({})).await.body;
    let token = json!({"access_token": tokens["access_token"]});
    let mut sockets = Vec::new();
    for edge in [mesh.public(), other] {
        let mut client = Client::connect(edge).await.unwrap();
        client.must("Session/authenticate", token.clone()).await;
        client.must("CallControl/enable_api_notifications", json!({})).await;
        sockets.push(client);
    }
    let mut witness = Client::subscribed(other, "101").await;
    let call_of = json!({"account_id": "101", "destination": "102"});
    sockets[0].must("CallControl/originate_call", call_of).await;
    let connected =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() >= 2;
    witness.call_states_until(connected).await;

    let begin = Instant::now();
    let ended = call(mesh.public(), "Session/logout", json!({}), token).await;
    assert_eq!(ended.body["success"], 1);
    for client in &mut sockets {
        let silence = async {
            loop {
                match client.next_message().await {
                    Some(tokio_tungstenite::tungstenite::Message::Close(frame)) => {
                        return frame.map(|frame| u16::from(frame.code));
                    }
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        let code = timeout(Duration::from_secs(5), silence).await.expect("it is closed");
        assert_eq!(code, Some(4403));
    }
    // A loaded machine may take longer than the second that the contract gives.
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());

    let list = witness.must(LIST, json!({})).await;
    let states: Vec<_> =
        list["calls_list"].as_array().unwrap().iter().map(|leg| leg["state"].clone()).collect();
    assert_eq!(states, ["connected", "connected"], "the call goes on");
}

#[tokio::test]
async fn a_changed_role_narrows_the_sockets_of_every_edge_and_closes_none() {
    let mesh = Mesh::start().await;
    let (_edge, other) = mesh.another_edge().await;
    let mut sockets = Vec::new();
    for edge in [mesh.public(), other] {
        sockets.push(Client::subscribed(edge, "102").await);
    }
    let mut board = Client::subscribed(other, "easymobile").await;

    mesh.admin(&["role", "set", "call control", "call_control=none"]);
    let begin = Instant::now();
    for client in &mut sockets {
        while client.call(LIST, json!({})).await.expect("it stays open").is_ok() {
            // A loaded machine may take longer than the second that the contract gives.
            assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        }
    }

    let call_of = json!({"account_id": "101", "destination": "102"});
    let placed = board.must("CallControl/originate_call", call_of).await;
    let connected =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() >= 2;
    board.call_states_until(connected).await;
    let call = json!({"call": placed["call"]});
    for client in &mut sockets {
        for method in [LIST, "CallControl/enable_api_notifications"] {
            assert_eq!(client.refused(method, json!({})).await.code(), -32003, "{method}");
        }
        assert_eq!(client.refused("CallControl/hold_call", call.clone()).await.code(), -32003);
        let data = client.must("Session/get_session_data", json!({})).await;
        assert_eq!(data["permissions"]["call_control"], "none", "{data}");
        client.nothing_for(Duration::from_millis(50)).await;
    }

    mesh.admin(&["role", "set", "call control", "call_control=modify"]);
    let begin = Instant::now();
    for client in &mut sockets {
        while client.call("CallControl/enable_api_notifications", json!({})).await.unwrap().is_err()
        {
            assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        }
    }
    board.must("CallControl/terminate_call", call).await;
    for client in &mut sockets {
        client.until_over(1).await;
    }
}
