//! Ports that serve one realm each, beside the one for all.

use serde_json::json;
use system_tests::Up;

use crate::raw::{call, post};

fn port_of(up: &Up, realm: &str) -> std::net::SocketAddr {
    let realms = up.process.ready["realms"].as_array().expect("listeners");
    let found = realms.iter().find(|it| it["realm"] == realm).expect("a listener of the realm");
    found["listen"].as_str().expect("text").parse().expect("an address")
}

#[tokio::test]
async fn each_port_knows_the_logins_of_its_own_realm() {
    let listeners = r#"edge.listeners=[
        {listen="127.0.0.1:0",realm="admin"},
        {listen="127.0.0.1:0",realm="customer"},
        {listen="127.0.0.1:0",realm="account"}
    ]"#
    .replace('\n', "");
    let up = Up::start_with(&["--sim-speed", "0", "--set", &listeners]).await;
    let log_in = async |port, login: &str, realm: Option<&str>| {
        let mut params = json!({"login": login, "password": "cordboard"});
        if let Some(realm) = realm {
            params["realm"] = json!(realm);
        }
        let answer = call(port, "Session/login", params, json!({})).await;
        match answer.status {
            200 => Ok(answer.body["access_token"].as_str().expect("a token").to_owned()),
            _ => Err(answer.body["faultcode"].as_str().expect("a faultcode").to_owned()),
        }
    };
    let ports = ["admin", "customer", "account"].map(|realm| (realm, port_of(&up, realm)));

    for (login, own) in [("admin", "admin"), ("easymobile", "customer"), ("101", "account")] {
        for (realm, port) in ports {
            let tried = log_in(port, login, None).await;
            if realm == own {
                tried.unwrap_or_else(|fault| panic!("{login} at {realm}: {fault}"));
                log_in(port, login, Some(own)).await.expect("its own realm may be named");
            } else {
                assert_eq!(tried.unwrap_err(), "Server.Session.auth_failed", "{login} at {realm}");
                let named = log_in(port, login, Some(own)).await;
                assert_eq!(named.unwrap_err(), "Server.Session.auth_failed", "{login} at {realm}");
            }
        }
        let token = log_in(up.public, login, None).await.expect("the public port takes all");
        for (realm, port) in ports {
            let bearer = format!("Authorization: Bearer {token}\r\n");
            let answer = post(port, "/rest/Session/get_session_data", &bearer, "").await;
            let is_own = realm == own;
            assert_eq!(answer.status == 200, is_own, "{login} at {realm}: {}", answer.body);
        }
    }
}
