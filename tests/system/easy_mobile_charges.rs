//! Who pays for the conference of `EasyMobile`'s sales managers: story 5 of the manual to its bill.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use system_tests::client::states_of;
use system_tests::{Client, Up};

use crate::charges::{who_pays, xdrs};
use crate::conferences::{PETER, easy_mobile, until};

/// What Alice pays: four participants, herself included, and the calls from Peter, to Bob and to
/// Carol.
const ALICES: [&str; 7] = [
    "101 conferencing outgoing 101 101",
    "101 conferencing outgoing 101 102",
    "101 conferencing outgoing 101 103",
    "101 conferencing outgoing 101 12065550100",
    "101 voice incoming 12065550100 101",
    "101 voice outgoing 101 102",
    "101 voice outgoing 101 103",
];
const BOBS: &str = "102 voice incoming 101 102";
const CAROLS: &str = "103 voice incoming 101 103";

/// Peter calls Alice, she brings in Bob and Carol, hangs up, and then everybody does.
async fn the_conference(up: &Up, alice: &mut Client) {
    let placed = up.sim.trunk_call(PETER, "101", "Peter").await;
    alice.call_states_until(|states| states_of(states, "101").len() == 3).await;
    let params = json!({"call": {"id": placed["call_id"]}, "name": "Contract"});
    let created = alice.must("CallControl/create_on_spot_conference", params).await;
    let id = created["conference"]["i_conference"].clone();
    until(alice, "participant_joined", 2).await;
    for account in ["102", "103"] {
        let params = json!({"i_conference": id, "account_id": account});
        alice.must("CallControl/add_on_spot_conference_participant", params).await;
        until(alice, "participant_joined", 1).await;
    }
    up.sim.hand("101", "hangup").await;
    until(alice, "participant_left", 1).await;
    up.sim.hand("102", "hangup").await;
    up.sim.hand("103", "hangup").await;
    up.sim.far_end(placed["leg"].as_str().unwrap(), "hangup").await;
    until(alice, "ended", 1).await;
}

/// Each leg's charges name it, cost what the tariff says, and last as long as they should.
fn assert_itemised(charged: &[Value]) {
    let of = |row: &str| {
        let found: Vec<_> =
            charged.iter().filter(|xdr| who_pays(std::slice::from_ref(*xdr)) == [row]).collect();
        let [one] = found[..] else { panic!("not one `{row}`: {found:?}") };
        one
    };
    for (one, other) in [
        ("101 conferencing outgoing 101 101", "101 voice incoming 12065550100 101"),
        ("101 conferencing outgoing 101 102", "101 voice outgoing 101 102"),
        ("101 conferencing outgoing 101 102", BOBS),
        ("101 conferencing outgoing 101 103", "101 voice outgoing 101 103"),
        ("101 conferencing outgoing 101 103", CAROLS),
    ] {
        assert_eq!(of(one)["call"], of(other)["call"], "one leg: {one}, {other}");
    }
    let legs: BTreeSet<_> =
        charged.iter().map(|xdr| xdr["call"]["tag"].as_str().unwrap()).collect();
    assert_eq!(legs.len(), 4, "{charged:?}");

    let time = |row: &str, field: &str| of(row)[field].as_str().unwrap().to_owned();
    let gone = time(ALICES[0], "disconnect_time");
    for stays in &ALICES[1..4] {
        assert!(gone <= time(stays, "disconnect_time"), "{stays} goes on without Alice");
    }
    for xdr in charged {
        // A minute costs 0.018 in a conference, 0.012 to numbers that begin with 1, and nothing
        // when one is called.
        let price = match (xdr["service"].as_str(), xdr["direction"].as_str()) {
            (Some("conferencing"), _) => 300,
            (_, Some("outgoing")) => 200,
            _ => 0,
        };
        let seconds = u32::try_from(xdr["charged_quantity"].as_u64().unwrap()).unwrap();
        let amount: f64 = xdr["charged_amount"].as_str().unwrap().parse().unwrap();
        let expected = f64::from(seconds * price) / 1e6;
        assert!((amount - expected).abs() < 1e-9, "{xdr}");
        assert_eq!((&xdr["currency"], &xdr["i_customer"]), (&json!("USD"), &json!(1)), "{xdr}");
    }
}

#[tokio::test]
async fn the_owner_pays_for_each_participant_and_for_its_calls_the_others_for_being_called() {
    let (up, mut alice) = easy_mobile().await;

    the_conference(&up, &mut alice).await;

    let mut everything = ALICES.to_vec();
    everything.extend([BOBS, CAROLS]);
    for login in ["admin", "easymobile"] {
        let mut reader = Client::log_in(up.public, login).await;
        let charged = xdrs(&mut reader, everything.len()).await;
        assert_eq!(who_pays(&charged), everything, "{login}");
        assert_itemised(&charged);
    }
    assert_eq!(who_pays(&xdrs(&mut alice, ALICES.len()).await), ALICES);
    for (login, own) in [("102", BOBS), ("103", CAROLS)] {
        let mut reader = Client::log_in(up.public, login).await;
        assert_eq!(who_pays(&xdrs(&mut reader, 1).await), [own]);
    }

    // A customer's charges are written in order: with this later one, no more can come.
    let mut carol = Client::subscribed(up.public, "103").await;
    let later = up.sim.trunk_call(PETER, "103", "Peter").await;
    carol.call_states_until(|states| states_of(states, "103").len() == 3).await;
    up.sim.far_end(later["leg"].as_str().unwrap(), "hangup").await;
    xdrs(&mut carol, 2).await;
    let mut board = Client::log_in(up.public, "easymobile").await;
    everything.push("103 voice incoming 12065550100 103");
    assert_eq!(who_pays(&xdrs(&mut board, everything.len()).await), everything);
}
