//! Hands on the simulated phones and the trunk.

use std::net::SocketAddr;

use http::Method;
use serde_json::{Value, json};

use crate::http::send;

/// The simulator's control port.
#[derive(Clone, Copy, Debug)]
pub struct Sim {
    /// Its address.
    pub address: SocketAddr,
}

impl Sim {
    async fn must(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = send(self.address, method, path, body.as_ref())
            .await
            .unwrap_or_else(|error| panic!("{path}: {error:#}"));
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Sets how a phone takes calls.
    pub async fn set(&self, account: &str, behaviour: Value) {
        self.must(Method::PUT, &format!("/sim/phones/{account}"), Some(behaviour)).await;
    }

    /// Lets a phone ring until told.
    pub async fn manual(&self, account: &str) {
        self.set(account, json!({"behaviour": "manual"})).await;
    }

    /// Lets a phone answer at once.
    pub async fn at_once(&self, account: &str) {
        self.set(account, json!({"behaviour": "answer_after", "ms": 0})).await;
    }

    /// A phone dials; gives `call_id` and `tag`.
    pub async fn dial(&self, account: &str, destination: &str) -> Value {
        let body = json!({"destination": destination});
        self.must(Method::POST, &format!("/sim/phones/{account}/dial"), Some(body)).await
    }

    /// `answer`, `hangup`, `hold`, `resume` or `decline` on a phone.
    pub async fn hand(&self, account: &str, what: &str) {
        self.must(Method::POST, &format!("/sim/phones/{account}/{what}"), Some(json!({}))).await;
    }

    /// Keys pressed on a phone.
    pub async fn keys(&self, account: &str, digits: &str) {
        let body = json!({"digits": digits, "gap_ms": 0});
        self.must(Method::POST, &format!("/sim/phones/{account}/dtmf"), Some(body)).await;
    }

    /// A call from the public network; gives `call_id` and `leg`.
    pub async fn trunk_call(&self, from: &str, to: &str, name: &str) -> Value {
        let body = json!({"from": from, "to": to, "name": name});
        self.must(Method::POST, "/sim/trunk/call", Some(body)).await
    }

    /// `hangup`, `hold` or `resume` at the far end of a trunk leg.
    pub async fn far_end(&self, leg: &str, what: &str) {
        let path = format!("/sim/trunk/legs/{leg}/{what}");
        self.must(Method::POST, &path, Some(json!({}))).await;
    }

    /// Keys pressed at the far end of a trunk leg.
    pub async fn far_end_keys(&self, leg: &str, digits: &str) {
        let body = json!({"digits": digits, "gap_ms": 0});
        self.must(Method::POST, &format!("/sim/trunk/legs/{leg}/dtmf"), Some(body)).await;
    }

    /// A phone as it is.
    pub async fn phone(&self, account: &str) -> Value {
        self.must(Method::GET, &format!("/sim/phones/{account}"), None).await
    }

    /// What a phone's user hears.
    pub async fn hears(&self, account: &str) -> Value {
        self.phone(account).await["hears"].clone()
    }

    /// A trunk leg as it is.
    pub async fn leg(&self, leg: &str) -> Value {
        self.must(Method::GET, &format!("/sim/trunk/legs/{leg}"), None).await
    }
}
