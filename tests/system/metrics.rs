//! The metrics of a system that has had traffic, against their declarations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use mesh::testing::eventually;
use serde_json::{Value, json};
use system_tests::http::{send, text};
use system_tests::{Client, Up};

/// One exposed series: its labels.
type Labels = BTreeMap<String, String>;

/// What is exposed: kind and series by the name of the metric.
type Exposed = BTreeMap<String, (String, Vec<(Labels, f64)>)>;

/// Reads Prometheus' text format; the parts of a histogram count as it.
fn parse(text: &str) -> Exposed {
    let mut exposed = Exposed::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            exposed.insert(name.to_owned(), (kind.to_owned(), Vec::new()));
        } else if !line.starts_with('#') && !line.is_empty() {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap().split_terminator(',');
            let labels = labels.map(|label| {
                let (name, value) = label.split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            });
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|part| name.strip_suffix(part))
                .find(|family| exposed.contains_key(*family))
                .unwrap_or(name);
            let (_, all) = exposed.get_mut(family).unwrap_or_else(|| panic!("{family} untyped"));
            all.push((labels.collect(), value.parse().unwrap()));
        }
    }
    exposed
}

fn declared() -> BTreeMap<String, Value> {
    let program = system_tests::process::program();
    let output = std::process::Command::new(program).args(["admin", "metrics", "--json"]).output();
    let all: Vec<Value> = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    all.into_iter().map(|it| (it["name"].as_str().unwrap().to_owned(), it)).collect()
}

fn strings(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

/// A bit of everything: calls, a queue, refusals, each method once, a resume.
async fn traffic(up: &Up) -> Client {
    let mut client = Client::log_in(up.public, "easymobile").await;
    let subscribed = client.must("CallControl/enable_api_notifications", json!({})).await;
    up.sim.at_once("101").await;
    up.sim.at_once("102").await;
    let params = json!({"account_id": "101", "destination": "102"});
    let call = client.must("CallControl/originate_call", params).await["call"]["id"].clone();
    client
        .call_states_until(|all| all.iter().filter(|it| it["state"] == "connected").count() == 2)
        .await;
    client.must("CallControl/terminate_call", json!({"call": {"id": call}})).await;
    client.until_over(2).await;
    let resume = json!({"resume_from": subscribed["cursor"]});
    let mut resumed = Client::log_in(up.public, "easymobile").await;
    resumed.must("CallControl/enable_api_notifications", resume).await;
    resumed.until_over(2).await;
    up.sim.trunk_call("12065550100", "340", "Mary Smith").await;
    client.call_states_until(|all| all.iter().any(|it| it["state"] == "dequeued")).await;
    client.refused("CallControl/no_such_method", json!({})).await;
    for method in proto::api::METHODS {
        let who = json!({"login": "easymobile", "password": "cordboard"});
        let body = json!({"params": {}, "auth_info": who});
        send(up.public, Method::POST, &format!("/rest/{}", method.name), Some(&body))
            .await
            .unwrap();
    }
    client
}

#[tokio::test]
async fn every_exposed_metric_is_declared_and_its_labels_are_of_closed_sets() {
    let up = Up::start().await;
    let _client = traffic(&up).await;
    let declared = declared();
    // A gauge or histogram of something that there is not, such as certificates, has no series.
    let exposed = eventually(Duration::from_secs(10), "every counter is there", || async {
        let exposed = parse(&text(up.admin, "/metrics").await.unwrap());
        let counters = declared.iter().filter(|(_, it)| it["kind"] == "counter");
        let missing: Vec<_> =
            counters.map(|(name, _)| name).filter(|name| !exposed.contains_key(*name)).collect();
        if missing.is_empty() { Ok(exposed) } else { Err(format!("missing: {missing:?}")) }
    })
    .await;

    for (name, (kind, series)) in &exposed {
        let of = declared.get(name).unwrap_or_else(|| panic!("{name} is not declared"));
        assert_eq!(of["kind"], json!(kind), "{name}");
        let names: BTreeSet<_> = of["labels"].as_object().unwrap().keys().collect();
        for (labels, _) in series {
            let own: BTreeSet<_> = labels.keys().filter(|label| *label != "le").collect();
            assert_eq!(own, names, "{name}");
            for label in own {
                let values = strings(&of["labels"][label]);
                assert!(values.contains(labels[label].as_str()), "{name}: {label} {labels:?}");
            }
        }
    }
}

#[tokio::test]
async fn traffic_shows_in_rate_errors_and_duration_of_every_method_and_in_the_gauges() {
    let up = Up::start().await;
    let client = traffic(&up).await;

    let exposed = parse(&text(up.admin, "/metrics").await.unwrap());

    let of_method = |name: &str| -> BTreeSet<&str> {
        exposed[name]
            .1
            .iter()
            .filter_map(|(labels, _)| labels.get("method"))
            .map(String::as_str)
            .collect()
    };
    let methods: BTreeSet<_> = proto::api::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(of_method("edge_requests_total"), methods);
    assert_eq!(of_method("edge_request_duration_seconds"), methods);
    let sum = |name: &str, label: &str, value: &str| -> f64 {
        let of = exposed[name].1.iter();
        of.filter(|(labels, _)| label.is_empty() || labels.get(label).is_some_and(|it| it == value))
            .map(|(_, count)| count)
            .sum()
    };
    let total = |name| sum(name, "", "");
    assert!(total("edge_sockets") >= 1.0);
    for name in [
        "edge_subscriptions",
        "edge_deliveries_total",
        "edge_event_lag_seconds",
        "edge_resumes_total",
        "edge_replayed_events_total",
        "edge_frames_refused_total",
        "notifier_events_read_total",
        "switch_events_total",
        "switch_calls_ended_total",
        "switch_driver_signals_total",
        "switch_lease_remaining_seconds",
        "switch_store_reachable",
        "mesh_switch_nodes",
        "notifier_history_seconds",
    ] {
        assert!(total(name) > 0.0, "{name} is zero");
    }
    assert!(sum("edge_requests_total", "outcome", "bad_params") > 0.0);
    assert!(sum("switch_driver_operations_total", "operation", "dial") >= 2.0);
    assert!(sum("switch_queue_left_total", "reason", "answered") >= 1.0);
    assert!(sum("mesh_commands_total", "outcome", "done") >= 2.0);
    assert!(sum("auth_logins_total", "outcome", "opened") >= 1.0);
    assert!(sum("switch_legs_ended_total", "code", "487") >= 2.0);
    drop(client);
}
