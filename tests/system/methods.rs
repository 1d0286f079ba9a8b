//! Every method that the contract declares, from outside.

use proto::api::METHODS;
use serde_json::{Value, json};
use system_tests::{Client, Up};

/// A login of the demo directory in each realm.
const LOGINS: [(&str, proto::options::v1::Realm); 4] = [
    ("admin", proto::options::v1::Realm::Admin),
    ("telco", proto::options::v1::Realm::Reseller),
    ("easymobile", proto::options::v1::Realm::Customer),
    ("101", proto::options::v1::Realm::Account),
];

#[tokio::test]
async fn every_method_is_refused_without_a_session_unless_it_needs_none() {
    let up = Up::start().await;
    let mut nobody = Client::connect(up.public).await.unwrap();

    for method in METHODS.iter().filter(|method| !method.anonymous) {
        for name in std::iter::once(&method.name).chain(method.aliases) {
            let fault = nobody.refused(name, json!({})).await;
            assert_eq!(fault.code(), -32001, "{name}: {fault:?}");
        }
    }
}

#[tokio::test]
async fn every_method_is_refused_in_a_realm_that_may_not_call_it() {
    let up = Up::start().await;
    for (login, realm) in LOGINS {
        let mut client = Client::log_in(up.public, login).await;
        for method in METHODS.iter().filter(|method| !method.realms.contains(&realm)) {
            let fault = client.refused(method.name, json!({})).await;
            assert_eq!(fault.code(), -32003, "{} as {login}: {fault:?}", method.name);
        }
    }
}

#[tokio::test]
async fn every_method_is_routed_and_names_unknown_and_missing_params() {
    let up = Up::start().await;
    let mut admin = Client::log_in(up.public, "admin").await;
    for method in METHODS {
        if !method.realms.contains(&proto::options::v1::Realm::Admin) || ends_session(method.name) {
            continue;
        }
        let fault = admin.refused(method.name, json!({"no_such_param": 1})).await;
        assert_eq!(fault.code(), -32602, "{}: {fault:?}", method.name);
        assert!(fault.faultcode().ends_with(".unknown_param"), "{}: {fault:?}", method.name);
        assert_eq!(fault.0["data"]["params"], json!(["no_such_param"]), "{}", method.name);

        let answer = admin.call(method.name, json!({})).await.unwrap();
        match answer {
            Err(fault) if fault.code() == -32602 => {
                let named =
                    fault.0["data"]["params"].as_array().is_some_and(|named| !named.is_empty());
                assert!(named, "{} names no param: {fault:?}", method.name);
            }
            Err(fault) => {
                let faultcode = Value::from(fault.faultcode());
                assert_ne!(fault.code(), -32601, "{} is not routed: {faultcode}", method.name);
                assert_ne!(fault.code(), -32603, "{} broke: {faultcode}", method.name);
            }
            Ok(_) => {}
        }
    }
}

/// These change the session under the test.
fn ends_session(name: &str) -> bool {
    ["Session/logout", "Session/login", "Session/authenticate"].contains(&name)
}
