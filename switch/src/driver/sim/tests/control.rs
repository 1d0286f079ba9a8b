use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use mesh::net::{Listener, Network, Target};
use serde_json::{Value, json};

use super::*;

/// A simulated switch with its control port on a free TCP port.
struct Server {
    bench: Bench,
    target: Target,
}

impl Server {
    async fn start() -> Self {
        let bench = Bench::with(&Config { speed: 0.0, ..Config::default() });
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let target = listener.local_target();
        let (tasks, stop) = (bench.tasks.clone(), bench.stop.clone());
        bench.tasks.spawn(crate::driver::sim::control::serve(
            Arc::clone(&bench.sim),
            listener,
            tasks,
            stop,
        ));
        Self { bench, target }
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        let connection = Network::default().connect("sim", &self.target).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.unwrap();
        self.bench.tasks.spawn(connection);
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sim")
            .body(Full::new(bytes::Bytes::from(body.to_owned())))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn post(&self, path: &str, body: &str) -> (StatusCode, Value) {
        self.send(Method::POST, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    async fn is_refused(&self, method: Method, path: &str, body: &str) -> (u16, String) {
        let (status, answer) = self.send(method, path, body).await;
        (status.as_u16(), answer["error"].as_str().unwrap().to_owned())
    }
}

const DONE: StatusCode = StatusCode::OK;

#[tokio::test]
async fn a_phone_is_told_how_to_behave_and_used() {
    let mut server = Server::start().await;

    let put = server.send(Method::PUT, "/sim/phones/101", r#"{"behaviour":"manual"}"#).await;
    assert_eq!(put, (DONE, json!({})));
    server.bench.dial("a", phone("101")).await;
    assert_eq!(server.get("/sim/phones/101").await["behaviour"], "manual");
    assert_eq!(server.post("/sim/phones/101/answer", "").await, (DONE, json!({})));
    server.bench.label("a", "connected").await;
    let keys = r#"{"digits":"1#","gap_ms":5,"call_id":"call-a"}"#;
    assert_eq!(server.post("/sim/phones/101/dtmf", keys).await, (DONE, json!({})));
    assert_eq!(server.get("/sim/phones/101").await["state"], "connected");
    assert_eq!(server.post("/sim/phones/101/hold", "{}").await, (DONE, json!({})));
    server.bench.label("a", "holding").await;
    assert_eq!(server.post("/sim/phones/101/resume", "{}").await, (DONE, json!({})));
    let hangup = server.post("/sim/phones/101/hangup", r#"{"call_id":"call-a"}"#).await;
    assert_eq!(hangup, (DONE, json!({})));
    assert_eq!(server.get("/sim/phones/101").await["state"], "idle");

    let digit = |digit| Event::Digit { channel: id("a"), digit };
    for expected in [
        ringing("a"),
        answered("a"),
        digit('1'),
        digit('#'),
        Event::Held { channel: id("a") },
        Event::Resumed { channel: id("a") },
        hung_up("a"),
    ] {
        assert_eq!(server.bench.next_event().await, expected);
    }
}

#[tokio::test]
async fn a_phone_dials_and_the_trunk_calls() {
    let mut server = Server::start().await;

    let dialled = server.post("/sim/phones/101/dial", r#"{"destination":"102"}"#).await;
    assert_eq!(dialled, (DONE, json!({"call_id": "call-1", "tag": "tag-1"})));
    server.bench.next_offer().await;

    let call = r#"{"from":"12065550100","to":"1733355700","name":"Mary Smith"}"#;
    let called = server.post("/sim/trunk/call", call).await;
    assert_eq!(called, (DONE, json!({"call_id": "call-1", "leg": "tag-1"})));
    let channel = server.bench.next_offer().await;
    server.bench.label_as(channel, "call-1", "tag-1", "early").await;
    assert_eq!(
        server.get("/sim/trunk/legs/tag-1").await,
        json!({"state": "early", "call_id": "call-1", "tag": "tag-1", "hears": "silence"})
    );

    assert_eq!(server.post("/sim/trunk/legs/tag-1/hangup", "").await, (DONE, json!({})));
    assert_eq!(
        server.get("/sim/trunk/legs/tag-1").await,
        json!({"state": "terminated", "reason": "Request Terminated", "reason_code": 487,
            "hears": []})
    );
}

#[tokio::test]
async fn faults_are_switched_on() {
    let server = Server::start().await;
    let fault = |body: &'static str| server.post("/sim/faults", body);

    assert_eq!(fault(r#"{"kind":"drop_commands","count":1}"#).await, (DONE, json!({})));
    let op = Op::Ring { channel: id("a") };
    assert!(server.bench.sim.run(op.clone()).await.is_err());
    assert!(server.bench.sim.run(op).await.is_ok());

    assert_eq!(fault(r#"{"kind":"slow","ms":1}"#).await, (DONE, json!({})));
    assert_eq!(fault(r#"{"kind":"node_crash"}"#).await, (DONE, json!({})));
    assert_eq!(*server.bench.crashes.lock(), 1);
}

#[tokio::test]
async fn refusals_are_sentences() {
    let server = Server::start().await;
    let post = |path, body| server.is_refused(Method::POST, path, body);

    assert_eq!(
        post("/sim/phones/999/dial", r#"{"destination":"1"}"#).await,
        (404, "No account `999` has a phone.".to_owned())
    );
    assert_eq!(
        post("/sim/trunk/legs/x/hangup", "").await,
        (404, "No leg `x` on the trunk.".to_owned())
    );
    assert_eq!(post("/sim/phones/101/sing", "").await.0, 404);
    assert_eq!(post("/sim/trunk/legs/x/answer", "").await.0, 404);
    assert_eq!(post("/", "").await.0, 404);
    assert_eq!(
        post("/sim/phones/101", "").await,
        (405, "This path takes GET, PUT only.".to_owned())
    );
    assert_eq!(server.is_refused(Method::GET, "/sim/faults", "").await.0, 405);
    assert_eq!(post("/sim/phones/101/answer", "").await, (409, "No call rings.".to_owned()));
    assert_eq!(post("/sim/phones/broken/answer", "").await.0, 503);
    for (path, body) in [
        ("/sim/phones/101/dial", ""),
        ("/sim/phones/101/dial", "{"),
        ("/sim/phones/101/dial", r#"{"destination":""}"#),
        ("/sim/phones/101/dial", r#"{"destination":"102","colour":"red"}"#),
        ("/sim/phones/101/dtmf", r#"{"digits":"x"}"#),
        ("/sim/phones/101/hold", r#"{"call":"c"}"#),
        ("/sim/trunk/call", r#"{"from":"12065550100"}"#),
        ("/sim/trunk/legs/x/hold", r#"{"call_id":"c"}"#),
        ("/sim/faults", r#"{"kind":"flood"}"#),
    ] {
        assert_eq!(post(path, body).await.0, 400, "{path} {body}");
    }
    let unknown = post("/sim/phones/101/dial", r#"{"destination":"102","colour":"red"}"#).await.1;
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
    let put = server.is_refused(Method::PUT, "/sim/phones/101", r#"{"behaviour":"odd"}"#).await;
    assert_eq!(put.0, 400);
}

#[tokio::test]
async fn a_refused_call_is_a_conflict() {
    let server = Server::start().await;
    *server.bench.label.lock() = None;

    let refused = server.post("/sim/phones/101/dial", r#"{"destination":"102"}"#).await;

    assert_eq!(refused, (StatusCode::CONFLICT, json!({"error": "The switch refused the call."})));
}

#[tokio::test]
async fn the_control_port_closes_when_stopped() {
    let server = Server::start().await;
    server.get("/sim/phones/101").await;

    server.bench.stop.cancel();
    server.bench.tasks.close();

    server.bench.tasks.wait().await;
    assert!(Network::default().connect("sim", &server.target).await.is_err());
}
