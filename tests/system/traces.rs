//! One request as a collector sees it: from the client's frame through every service to the
//! frames that carry its events.

use std::collections::HashMap;
use std::time::Duration;

use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::collector::Span;
use system_tests::{Client, Collector, Mesh, Up};

/// Spans leave within five seconds; a busy machine may take longer.
const ARRIVED: Duration = Duration::from_secs(30);

/// Waits until `is_whole` has no objection to the spans of the trace that `root` begins.
async fn trace_of(
    collector: &Collector,
    root: &str,
    is_whole: impl Fn(&[Span]) -> Result<(), String>,
) -> Vec<Span> {
    eventually(ARRIVED, "the trace is whole", || async {
        let spans = collector.spans();
        let root = spans.iter().find(|span| span.name() == root).ok_or("no root")?;
        let trace = collector.trace(root.trace_id());
        is_whole(&trace).map_err(|what| format!("{what}: {trace:#?}"))?;
        Ok(trace)
    })
    .await
}

/// The names of the spans from the root to `span`, each with its service.
fn path<'a>(trace: &'a [Span], mut span: &'a Span) -> Vec<String> {
    let by_id: HashMap<&str, &Span> = trace.iter().map(|span| (span.id(), span)).collect();
    let mut path = vec![format!("{}: {}", span.service(), span.name())];
    while let Some(parent) = by_id.get(span.parent()) {
        span = parent;
        path.push(format!("{}: {}", span.service(), span.name()));
    }
    path.reverse();
    path
}

fn deliveries(trace: &[Span]) -> u64 {
    let delivered = trace.iter().filter(|span| span.name() == "deliver CallControl/call_state");
    delivered.filter_map(|span| span.attribute("sockets").as_u64()).sum()
}

fn count(states: &[Value], state: &str) -> usize {
    states.iter().filter(|info| info["state"] == state).count()
}

#[tokio::test]
async fn one_trace_leads_from_the_frame_through_every_service_to_the_events() {
    let collector = Collector::start();
    let endpoint = format!("telemetry.otlp_endpoint={}", collector.endpoint());
    let mesh = Mesh::start_with(&[&endpoint]).await;
    mesh.sim().at_once("101").await;
    mesh.sim().at_once("102").await;
    let mut client = Client::subscribed(mesh.public(), "easymobile").await;

    let call = client
        .must("CallControl/originate_call", json!({"account_id": "101", "destination": "102"}))
        .await["call"]["id"]
        .clone();
    let states = client.call_states_until(|states| count(states, "connected") == 2).await;

    let trace = trace_of(&collector, "request CallControl/originate_call", |trace| {
        let delivered = deliveries(trace);
        let commits = trace.iter().filter(|span| span.name() == "commit").count();
        let is_whole = delivered == states.len() as u64 && commits > 0;
        is_whole.then_some(()).ok_or(format!("{delivered} events, {commits} commits"))
    })
    .await;
    let request = "edge: request CallControl/originate_call";
    let rpc = "callcontrol: rpc cordboard.callcontrol.v1.CallControlService/OriginateCall";
    let command = "switch: switch command CallControl/originate_call";
    let paths: Vec<_> = trace.iter().map(|span| path(&trace, span)).collect();
    let has = |steps: &[&str]| {
        assert!(paths.iter().any(|path| path == steps), "no {steps:?} in {paths:#?}");
    };
    has(&[request]);
    has(&[request, rpc]);
    has(&[request, rpc, command]);
    has(&[request, rpc, command, "switch: switch driver dial"]);
    has(&[request, rpc, command, "switch: commit"]);
    has(&[request, rpc, command, "notifier: notify"]);
    has(&[request, rpc, command, "edge: deliver CallControl/call_state"]);
    // What the switch does later belongs to the trace of what made it do so.
    let signal = "switch: switch signal answered";
    has(&[request, rpc, command, signal]);
    has(&[request, rpc, command, signal, "switch: switch driver hear"]);
    has(&[request, rpc, command, signal, "notifier: notify"]);
    has(&[request, rpc, command, signal, "edge: deliver CallControl/call_state"]);
    assert!(paths.iter().any(|path| path[..2] == [request, rpc] && path[2].starts_with("auth: ")));
    assert!(paths.iter().all(|path| path[0] == request), "{paths:#?}");
    let kind = |name: &str| trace.iter().find(|span| span.name() == name).map(Span::kind);
    assert_eq!(kind("request CallControl/originate_call"), Some("SPAN_KIND_SERVER"));
    assert_eq!(kind("notify"), Some("SPAN_KIND_CONSUMER"));

    // Another command on the call begins another trace, with the events that it causes.
    client.must("CallControl/terminate_call", json!({"call": {"id": call}})).await;
    let states = client.until_over(2).await;
    trace_of(&collector, "request CallControl/terminate_call", |trace| {
        let delivered = deliveries(trace);
        (delivered == states.len() as u64).then_some(()).ok_or(format!("{delivered} events"))
    })
    .await;
}

#[tokio::test]
async fn a_fault_names_its_trace_and_what_is_not_sampled_is_not_exported() {
    let collector = Collector::start();
    let endpoint = format!("telemetry.otlp_endpoint={}", collector.endpoint());
    let up = Up::start_with(&["--set", &endpoint]).await;
    let none = ["--set", &endpoint, "--set", "telemetry.sample_ratio=0"];
    let unsampled = Up::start_with(&none).await;
    let absent = json!({"call": {"id": "sw1.01890a5d-ac96-774b-bcce-b302099a8057"}});

    let mut traces = Vec::new();
    for up in [&unsampled, &up] {
        let mut client = Client::log_in(up.public, "easymobile").await;
        let fault = client.refused("CallControl/terminate_call", absent.clone()).await;
        traces.push(fault.0["data"]["trace_id"].as_str().unwrap().to_owned());
    }

    eventually(ARRIVED, "the fault's trace is there", || async {
        let trace = collector.trace(&traces[1]);
        let root = trace.iter().find(|span| span.parent().is_empty()).ok_or("no root")?;
        let code = root.attribute("code").clone();
        if code == json!(-32004) { Ok(()) } else { Err(format!("{code}")) }
    })
    .await;
    // What the other had to send leaves as it stops.
    assert!(unsampled.process.stop().await);
    assert_eq!(traces[0].len(), 32);
    assert!(collector.trace(&traces[0]).is_empty());
}
