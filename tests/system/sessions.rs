//! Sessions from login to end, on every face that they have.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{Client, Up};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::raw::{call, post};

const JSON: &str = "Content-Type: application/json\r\n";

/// Waits until the socket is closed; gives the code.
async fn close_code(client: &mut Client) -> u16 {
    loop {
        match client.next_message().await {
            Some(Message::Close(Some(frame))) => return frame.code.into(),
            Some(_) => {}
            None => panic!("the connection ended without a close frame"),
        }
    }
}

/// A socket of the session of `tokens`.
async fn socket_of(up: &Up, tokens: &Value) -> Client {
    let mut client = Client::connect(up.public).await.unwrap();
    let token = json!({"access_token": tokens["access_token"]});
    client.must("Session/authenticate", token).await;
    client
}

/// Opens a session without a socket of its own.
async fn tokens_of(up: &Up, login: &str) -> Value {
    let params = json!({"login": login, "password": "cordboard"});
    let answer = call(up.public, "Session/login", params, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn is_alive(client: &mut Client) -> bool {
    client.call("Session/get_session_data", json!({})).await.is_ok_and(|answer| answer.is_ok())
}

/// Lets 101 call 102 and waits until `witness` has heard that they talk.
async fn talk(up: &Up, witness: &mut Client) {
    up.sim.at_once("102").await;
    up.sim.dial("101", "102").await;
    witness
        .call_states_until(|states| {
            states.iter().filter(|info| info["state"] == "connected").count() == 2
        })
        .await;
}

#[tokio::test]
async fn a_refresh_token_gives_the_same_answer_twice_and_its_socket_goes_on() {
    let up = Up::start().await;
    let first = tokens_of(&up, "101").await;
    let mut socket = socket_of(&up, &first).await;
    let refresh = json!({"refresh_token": first["refresh_token"]});

    let second = socket.must("Session/refresh_access_token", refresh.clone()).await;
    let again = call(up.public, "Session/refresh_access_token", refresh, json!({})).await.body;

    assert_eq!(second["session_id"], first["session_id"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    for name in ["session_id", "access_token", "refresh_token", "expires_at"] {
        assert_eq!(again[name], second[name], "{name}");
    }
    let refresh = json!({"refresh_token": second["refresh_token"]});
    socket.must("Session/refresh_access_token", refresh).await;
    assert!(is_alive(&mut socket).await);
}

#[tokio::test]
async fn a_refresh_token_used_again_later_ends_the_session_and_no_other() {
    let up =
        Up::start_with(&["--sim-speed", "0", "--set", "auth.session.refresh_tolerance=0s"]).await;
    let first = tokens_of(&up, "101").await;
    let mut socket = socket_of(&up, &first).await;
    let mut other = Client::log_in(up.public, "101").await;
    let refresh = async |tokens: &Value| {
        let params = json!({"refresh_token": tokens["refresh_token"]});
        call(up.public, "Session/refresh_access_token", params, json!({})).await
    };
    let second = refresh(&first).await;
    assert_eq!(second.status, 200, "{}", second.body);

    let reused = refresh(&first).await;
    let since = Instant::now();

    let failed = json!("Server.Session.refresh_access_token.refresh_failed");
    assert_eq!((reused.status, &reused.body["faultcode"]), (500, &failed));
    assert_eq!(close_code(&mut socket).await, 4403);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(refresh(&second.body).await.body["faultcode"], failed);
    assert!(is_alive(&mut other).await);
}

#[tokio::test]
async fn logout_closes_the_other_sockets_of_the_session_and_the_call_goes_on() {
    let up = Up::start().await;
    let mut bob = Client::subscribed(up.public, "102").await;
    let tokens = tokens_of(&up, "101").await;
    let mut first = socket_of(&up, &tokens).await;
    let mut second = socket_of(&up, &tokens).await;
    second.must("CallControl/enable_api_notifications", json!({})).await;
    let mut other = Client::log_in(up.public, "101").await;
    talk(&up, &mut bob).await;

    assert_eq!(first.must("Session/logout", json!({})).await, json!({"success": 1}));
    let since = Instant::now();

    assert_eq!(close_code(&mut second).await, 4403);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(close_code(&mut first).await, 4403);
    assert_eq!(up.sim.hears("101").await, json!(["102"]));
    assert!(is_alive(&mut other).await);
    let auth_info = json!({"access_token": tokens["access_token"]});
    let ended = call(up.public, "Session/get_session_data", json!({}), auth_info).await;
    assert_eq!(ended.body["faultcode"], "Server.Session.check_auth.auth_failed");
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let ended = call(up.public, "Session/refresh_access_token", refresh, json!({})).await;
    assert_eq!(ended.status, 500);
    up.sim.hand("101", "hangup").await;
    bob.until_over(2).await;
}

#[tokio::test]
async fn a_changed_password_ends_all_sessions_of_the_user_and_the_call_goes_on() {
    let up = Up::start().await;
    let mut bob = Client::subscribed(up.public, "102").await;
    let tokens = tokens_of(&up, "101").await;
    let mut own = socket_of(&up, &tokens).await;
    let mut of_the_same_session = socket_of(&up, &tokens).await;
    let mut other = Client::subscribed(up.public, "101").await;
    talk(&up, &mut bob).await;
    let method = "Session/change_password";
    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});

    let wrong = own.refused(method, change("wrong", "a better one")).await;
    let short = own.refused(method, change("cordboard", "short")).await;
    let same = own.refused(method, change("cordboard", "cordboard")).await;
    assert_eq!(
        (wrong.code(), wrong.faultcode()),
        (-32001, "Server.Session.change_password.auth_failed")
    );
    assert_eq!(short.faultcode(), "Client.Session.change_password.invalid_param");
    assert_eq!(same.faultcode(), "Client.Session.change_password.password_refused");
    assert!(is_alive(&mut other).await, "nothing has changed yet");

    let changed = own.must(method, change("cordboard", "a better one")).await;
    let since = Instant::now();

    assert_eq!(changed, json!({"success": 1}));
    for socket in [&mut own, &mut of_the_same_session, &mut other] {
        assert_eq!(close_code(socket).await, 4403);
    }
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let refused = bob.refused("Session/refresh_access_token", refresh).await;
    assert_eq!(refused.faultcode(), "Server.Session.refresh_access_token.refresh_failed");
    assert_eq!(up.sim.hears("101").await, json!(["102"]));
    let mut again = Client::connect(up.public).await.unwrap();
    let login = |password: &str| json!({"login": "101", "password": password});
    let old = again.refused("Session/login", login("cordboard")).await;
    assert_eq!(old.faultcode(), "Server.Session.auth_failed");
    again.must("Session/login", login("a better one")).await;
    assert!(is_alive(&mut bob).await);
}

#[tokio::test]
async fn a_password_changed_over_rest_is_good_no_more_at_once() {
    let up = Up::start().await;
    let with = |password: &str| json!({"login": "103", "password": password});
    let change = json!({"old_password": "cordboard", "new_password": "a better one"});
    let data = async |password: &str| {
        call(up.public, "Session/get_session_data", json!({}), with(password)).await
    };
    assert_eq!(data("cordboard").await.status, 200);

    let changed = call(up.public, "Session/change_password", change, with("cordboard")).await;

    assert_eq!((changed.status, changed.body), (200, json!({"success": 1})));
    let refused = data("cordboard").await.body["faultcode"].clone();
    assert_eq!(refused, "Server.Session.check_auth.auth_failed");
    assert_eq!(data("a better one").await.status, 200);
}

#[tokio::test]
async fn a_session_below_has_the_scope_and_the_rights_of_who_it_is_opened_for() {
    let up = Up::start().await;
    let method = "Session/login_to_realm";
    let whom = |login: &str, realm: &str| json!({"login": login, "realm": realm});

    for (opener, login, realm, alone) in [
        ("admin", "telco", "reseller", "i_reseller"),
        ("admin", "easymobile", "customers", "i_customer"),
        ("admin", "101", "account", "i_account"),
        ("telco", "easymobile", "customer", "i_customer"),
        ("telco", "101", "accounts", "i_account"),
    ] {
        let mut client = Client::log_in(up.public, opener).await;
        let tokens = client.must(method, whom(login, realm)).await;
        let data = client.must("Session/get_session_data", json!({})).await;
        assert_eq!(data["session_id"], tokens["session_id"], "{opener} as {login}");
        assert_eq!(data["login"], login);
        assert_eq!(data["realm"], realm.trim_end_matches('s'));
        assert!(data[alone].as_i64().is_some_and(|id| id > 0), "{data}");
        assert_eq!(data["is_super_user"], 0, "{data}");
    }
    for (opener, login, realm) in [
        ("telco", "admin", "admin"),
        ("telco", "telco", "reseller"),
        ("telco", "nobody", "customer"),
        ("telco", "101", "customer"),
        ("admin", "admin", "admin"),
    ] {
        let mut client = Client::log_in(up.public, opener).await;
        let fault = client.refused(method, whom(login, realm)).await;
        assert_eq!(fault.code(), -32004, "{opener} as {login}: {fault:?}");
        assert!(fault.faultcode().ends_with(".login_not_found"), "{fault:?}");
        assert!(is_alive(&mut client).await);
    }
    for opener in ["easymobile", "101"] {
        let mut client = Client::log_in(up.public, opener).await;
        let fault = client.refused(method, whom("102", "account")).await;
        assert_eq!(fault.code(), -32003, "{fault:?}");
    }
}

#[tokio::test]
async fn a_session_below_replaces_the_openers_on_its_socket_alone() {
    let up = Up::start().await;
    let tokens = tokens_of(&up, "telco").await;
    let mut telco = socket_of(&up, &tokens).await;
    let mut acting = socket_of(&up, &tokens).await;
    acting.must("CallControl/enable_api_notifications", json!({})).await;

    let dave = json!({"login": "104", "realm": "account"});
    let over_rest = json!({"access_token": tokens["access_token"]});
    let rest = call(up.public, "Session/login_to_realm", dave.clone(), over_rest).await;
    assert_eq!(rest.status, 200, "{}", rest.body);
    assert_eq!(rest.header("set-cookie"), None, "the browser stays who it was");
    assert!(is_alive(&mut acting).await);
    acting.must("Session/login_to_realm", dave.clone()).await;

    // He has no call control, and nobody below him.
    for (method, params) in
        [("CallControl/enable_api_notifications", json!({})), ("Session/login_to_realm", dave)]
    {
        let fault = acting.refused(method, params).await;
        assert_eq!(fault.code(), -32003, "{method}: {fault:?}");
    }
    let data = telco.must("Session/get_session_data", json!({})).await;
    assert_eq!(data["login"], "telco");
    telco.must("CallControl/enable_api_notifications", json!({})).await;
    talk(&up, &mut telco).await;
    assert!(is_alive(&mut acting).await);
    acting.nothing_for(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_later_login_on_a_socket_replaces_the_session_and_ends_its_subscriptions() {
    let up = Up::start().await;
    let mut witness = Client::subscribed(up.public, "easymobile").await;
    let mut board = Client::subscribed(up.public, "easymobile").await;
    let login = json!({"login": "quicktasty", "password": "cordboard"});

    board.must("Session/login", login).await;
    talk(&up, &mut witness).await;
    board.must("CallControl/enable_api_notifications", json!({})).await;
    up.sim.at_once("202").await;
    up.sim.dial("201", "202").await;

    let info = board.call_state().await;
    assert_eq!(info["caller"]["account_id"], "201", "the first event is of the new scope");
    let data = board.must("Session/get_session_data", json!({})).await;
    assert_eq!(data["login"], "quicktasty");
}

#[tokio::test]
async fn a_session_is_named_over_rest_in_every_form() {
    let up = Up::start().await;
    let path = "/rest/Session/get_session_data";
    let multipart = |name: &str, value: &Value| {
        format!(
            "--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n--xx--\r\n"
        )
    };
    let encoded = |value: &Value| value.to_string().replace('%', "%25").replace('"', "%22");
    let login = json!({"login": "101", "password": "cordboard"});
    let form = format!("params={}", encoded(&login));
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let opened = post(up.public, "/rest/Session/login/", kind, &form).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
    let (token, id) = (&opened.body["access_token"], &opened.body["session_id"]);
    let text = token.as_str().unwrap();
    let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();

    let as_multipart = "Content-Type: multipart/form-data; boundary=xx\r\n";
    for (headers, body) in [
        (format!("{JSON}Authorization: Bearer {text}\r\n"), String::new()),
        (format!("{JSON}Authorization: Bearer {text}\r\n"), "{}".to_owned()),
        (format!("{JSON}Cookie: {cookie}\r\n"), "{}".to_owned()),
        (JSON.to_owned(), json!({"auth_info": {"access_token": token}}).to_string()),
        (JSON.to_owned(), json!({"auth_info": {"session_id": id}}).to_string()),
        (JSON.to_owned(), json!({"auth_info": login}).to_string()),
        (JSON.to_owned(), json!({"auth_info": login.to_string()}).to_string()),
        (kind.to_owned(), format!("auth_info={}&params=%7B%7D", encoded(&login))),
        (as_multipart.to_owned(), multipart("auth_info", &json!({"session_id": id}))),
    ] {
        let answer = post(up.public, path, &headers, &body).await;
        assert_eq!(answer.status, 200, "{headers}{body}: {}", answer.body);
        assert_eq!(answer.body["login"], "101");
    }
    for (auth_info, faultcode) in [
        (json!({}), "Client.check_auth.envelope_missed"),
        (json!({"login": "101", "password": "x"}), "Server.Session.check_auth.auth_failed"),
        (json!({"access_token": "x"}), "Client.Session.check_auth.failed_to_process_access_token"),
    ] {
        let answer = call(up.public, "Session/get_session_data", json!({}), auth_info).await;
        assert_eq!((answer.status, &answer.body["faultcode"]), (500, &json!(faultcode)));
        assert!(answer.body["faultstring"].is_string());
    }

    let headers = format!("{JSON}Cookie: {cookie}\r\n");
    let ended = post(up.public, "/rest/Session/logout", &headers, "{}").await;
    assert_eq!(ended.body, json!({"success": 1}));
    assert!(ended.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    let answer = post(up.public, path, &headers, "{}").await;
    assert_eq!(answer.body["faultcode"], "Server.Session.check_auth.auth_failed");
}

#[tokio::test]
async fn a_session_lives_from_login_over_two_refreshes_to_logout_on_one_socket() {
    let up = Up::start_with(&[
        "--sim-speed",
        "0",
        "--set",
        "auth.session.access_token_lifetime=5s",
        "--set",
        "auth.session.refresh_tolerance=1s",
        "--set",
        "edge.expiry_notice=2s",
    ])
    .await;
    let mut alice = Client::connect(up.public).await.unwrap();
    let login = json!({"login": "101", "password": "cordboard"});
    let mut tokens = alice.must("Session/login", login).await;
    alice.must("CallControl/enable_api_notifications", json!({})).await;
    let expires_at = |tokens: &Value| tokens["expires_at"].as_str().unwrap().to_owned();

    // Twice it is told that its time is nearly over: once it takes new tokens itself, once another
    // connection takes them for it.
    for is_own in [true, false] {
        let (method, params) = alice.event().await;
        assert_eq!(method, "Session/token_expiring");
        assert_eq!(params["session_id"], tokens["session_id"]);
        assert_eq!(params["expires_at"], tokens["expires_at"]);
        assert!((1..=2).contains(&params["expires_in"].as_i64().unwrap()), "{params}");
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        let method = "Session/refresh_access_token";
        let fresh = if is_own {
            alice.must(method, refresh).await
        } else {
            call(up.public, method, refresh, json!({})).await.body
        };
        assert_eq!(fresh["session_id"], tokens["session_id"]);
        assert!(expires_at(&fresh) > expires_at(&tokens), "{fresh}");
        tokens = fresh;
    }
    // What the first refresh gave is over when the third notice comes.
    let (method, params) = alice.event().await;
    assert_eq!(
        (method.as_str(), &params["expires_at"]),
        ("Session/token_expiring", &tokens["expires_at"])
    );

    up.sim.at_once("102").await;
    let placed = alice.must("CallControl/originate_call", json!({"destination": "102"})).await;
    let info = alice.call_state().await;
    assert_eq!(info["call"]["id"], placed["call"]["id"]);
    assert_eq!(alice.must("Session/logout", json!({})).await, json!({"success": 1}));
    assert_eq!(close_code(&mut alice).await, 4403);
}
