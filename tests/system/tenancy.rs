//! Two tenants in one system: whatever one asks for by the other's ids, nothing of the other shows,
//! nothing of it changes, and what is foreign answers as what does not exist.
//!
//! Every method of the contract is driven, with params made from its description, so that a new
//! one is in by itself. The choices follow from a seed: `CORDBOARD_SEED=N` repeats or varies a run,
//! and a failure names the seed.

mod harvest;
mod params;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::client::{Client, Fault};
use system_tests::process::Up;
use tokio::time::Instant;

use harvest::Ids;
use params::{Choices, Methods};

/// Times that each method is called in each realm, each time in two forms.
const ROUNDS: usize = 6;

/// Nothing more comes of what was begun when nothing came for so long.
const QUIET: Duration = Duration::from_secs(1);

/// Methods that would end what the test looks through, or lock out who it looks as; what they take from others is seen in
/// tests of their own. The rest of the contract is driven whole.
const LEFT_OUT: [&str; 4] =
    ["Session/login", "Session/logout", "Session/authenticate", "Session/change_password"];

/// One of the two.
struct Tenant {
    customer: &'static str,
    accounts: [&'static str; 2],
    /// What names it and nobody else.
    names: &'static [&'static str],
}

const EASYMOBILE: Tenant = Tenant {
    customer: "easymobile",
    accounts: ["101", "102"],
    names: &["EasyMobile", "easymobile", "Alice", "Carol", "Erin"],
};

const QUICKTASTY: Tenant = Tenant {
    customer: "quicktasty",
    accounts: ["201", "202"],
    names: &["Quick & Tasty", "quicktasty", "Bistro", "Kitchen"],
};

/// A tenant's sockets, subscribed to all that they may see.
struct Seat {
    customer: Client,
    account: Client,
}

impl Seat {
    async fn take(up: &Up, tenant: &Tenant) -> Self {
        Self {
            customer: Client::subscribed(up.public, tenant.customer).await,
            account: Client::subscribed(up.public, tenant.accounts[0]).await,
        }
    }

    fn of(&mut self, realm: &str) -> &mut Client {
        if realm == "customer" { &mut self.customer } else { &mut self.account }
    }

    /// Takes what comes of what was begun, until nothing more does.
    async fn settle(&mut self) {
        for client in [&mut self.customer, &mut self.account] {
            while let Ok(Some(_)) = client.try_event(Instant::now() + QUIET).await {}
        }
    }

    /// What came unasked and has not been looked at.
    async fn events(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        for client in [&mut self.customer, &mut self.account] {
            // An answer comes after all that was sent before it.
            client.must("Session/ping", json!({})).await;
            while let Ok(Some((_, event))) = client.try_event(Instant::now()).await {
                events.push(event.to_string());
            }
        }
        events
    }
}

#[tokio::test]
async fn nothing_of_one_tenant_shows_at_the_other() {
    let seed = std::env::var("CORDBOARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let generous = ["edge.requests_per_second=100000", "edge.request_burst=100000"];
    let mut args = vec!["--sim-speed", "0"];
    args.extend(generous.iter().flat_map(|set| ["--set", set]));
    let up = Up::start_with(&args).await;
    let methods = Methods::of_the_contract();

    for (attacker, victim) in [(&EASYMOBILE, &QUICKTASTY), (&QUICKTASTY, &EASYMOBILE)] {
        attack(&up, &methods, attacker, victim, seed).await;
    }
}

async fn attack(up: &Up, methods: &Methods, attacker: &Tenant, victim: &Tenant, seed: u64) {
    let (mut own, mut foreign) = (Seat::take(up, attacker).await, Seat::take(up, victim).await);
    let own_ids = live(&mut own, attacker, attacker).await;
    let foreign_ids = live(&mut foreign, victim, attacker).await;
    let mut marks = foreign_ids.marks(&own_ids, victim.names);
    // What tenants choose freely belongs to nobody, and may come back to who said it too.
    marks.retain(|mark| !chosen_by(victim, attacker).contains(mark));
    assert!(marks.len() > 10, "the victim has little that could show: {marks:?}");
    own.settle().await;
    foreign.settle().await;
    let before = state(&mut foreign).await;

    let mut choices = Choices::new(seed);
    for realm in ["customer", "account"] {
        for method in methods.names().filter(|method| !LEFT_OUT.contains(method)) {
            for _ in 0..ROUNDS {
                let (asked, absent) = methods.params(method, &own_ids, &foreign_ids, &mut choices);
                let what =
                    || format!("seed {seed}, {} as {realm}: {method} {asked}", attacker.customer);
                let client = own.of(realm);
                let answer = client.call(method, asked.clone()).await;
                let answer = answer.unwrap_or_else(|error| panic!("{}: {error:#}", what()));
                shows_none(&text_of(&answer), &marks, &asked.to_string(), &what);

                // With ids of nobody in the place of foreign ones, all else the same.
                if let (Err(fault), Some(absent)) = (answer, absent) {
                    let other = client.call(method, absent.clone()).await.expect("an answer");
                    let other = other.expect_err(&format!("{}: only refused as foreign", what()));
                    assert_eq!(kind(&fault), kind(&other), "{} and {absent}", what());
                }
            }
            for event in own.events().await {
                let what = || format!("seed {seed}, an event after {method} as {realm}: {event}");
                shows_none(&event, &marks, "", &what);
            }
        }
    }

    let unasked = foreign.events().await;
    assert_eq!(unasked, [] as [String; 0], "seed {seed}: the victim heard of it");
    assert_eq!(state(&mut foreign).await, before, "seed {seed}: the victim was changed");
    for seat in [&mut own, &mut foreign] {
        clear(seat).await;
    }
}

/// Has a tenant do what leaves ids of every kind, and gives them.
async fn live(seat: &mut Seat, tenant: &Tenant, attacker: &Tenant) -> Ids {
    let [from, to] = tenant.accounts;
    let [request_id, slot] = chosen_by(tenant, attacker);
    let call = json!({"account_id": from, "destination": to, "request_id": request_id});
    let made = seat.customer.must("CallControl/originate_call", call).await;
    let id = made["call"]["id"].clone();
    let connected =
        |states: &[Value]| states.iter().filter(|info| info["state"] == "connected").count() >= 2;
    seat.customer.call_states_until(connected).await;
    let park = json!({"account_id": from, "destination": to});
    let parked = seat.account.must("CallControl/originate_call", park).await;
    // What is not served, or not sold to the tenant, leaves no ids.
    for (method, params) in [
        ("OnSpotConference/create_on_spot_conference", json!({"call": {"id": id}, "name": from})),
        ("CallControl/start_recording", json!({"call": {"id": id}})),
        ("CallControl/park_call", json!({"call": parked["call"], "slot": slot})),
    ] {
        drop(seat.customer.call(method, params).await.expect("an answer"));
    }
    let mut ids = Ids::default();
    ids.gather(&made);
    ids.gather(&parked);
    ids.add("request_id", json!(request_id));
    for method in Methods::lists() {
        if let Ok(list) = seat.customer.call(method, json!({})).await.expect("an answer") {
            ids.gather(&list);
        }
    }
    let again = seat.customer.must("CallControl/enable_api_notifications", json!({})).await;
    ids.gather(&again);
    ids
}

/// Names that a tenant gives, as any other might; others in each of the two attacks.
fn chosen_by(tenant: &Tenant, attacker: &Tenant) -> [String; 2] {
    let (from, of) = (tenant.accounts[0], attacker.accounts[0]);
    [format!("request of {from}, {of}"), format!("slot of {from}, {of}")]
}

/// What a tenant sees of itself.
async fn state(seat: &mut Seat) -> Vec<Value> {
    let mut seen = Vec::new();
    // Charges and recordings of calls that have ended are written a little later.
    let is_late = |method: &&str| method.starts_with("CDR/") || method.contains("recording");
    for method in Methods::lists().into_iter().filter(|method| !is_late(method)) {
        let answer = seat.customer.call(method, json!({})).await.expect("an answer");
        let mut answer = answer.unwrap_or_default();
        params::forget_times(&mut answer);
        seen.push(answer);
    }
    seen
}

/// Ends a tenant's calls.
async fn clear(seat: &mut Seat) {
    seat.customer.must("CallControl/enable_api_notifications", json!({})).await;
    let end = Instant::now() + system_tests::client::PATIENCE;
    loop {
        let list = seat.customer.must("CallControl/get_sip_calls_list", json!({})).await;
        let legs = list["calls_list"].as_array().cloned().unwrap_or_default();
        let calls: BTreeSet<&str> =
            legs.iter().filter_map(|leg| leg["call"]["id"].as_str()).collect();
        if calls.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "the calls do not end: {calls:?}");
        for id in calls {
            let end = json!({"call": {"id": id}});
            drop(seat.customer.call("CallControl/terminate_call", end).await.expect("an answer"));
        }
    }
}

fn text_of(answer: &Result<Value, Fault>) -> String {
    match answer {
        Ok(result) => result.to_string(),
        Err(fault) => fault.0.to_string(),
    }
}

/// What a fault says apart from the words, which may repeat what was asked for.
fn kind(fault: &Fault) -> (i64, String) {
    (fault.code(), fault.faultcode().to_owned())
}

/// What the client said itself may come back.
fn shows_none(text: &str, marks: &BTreeSet<String>, said: &str, what: &impl Fn() -> String) {
    for mark in marks.iter().filter(|mark| !said.contains(mark.as_str())) {
        assert!(!text.contains(mark.as_str()), "`{mark}` shows: {}\n{text}", what());
    }
}
