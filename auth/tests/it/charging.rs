//! Accounting records become xDRs: of each one, once, whatever ends or is repeated.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::health::State;
use mesh::ledger::memory::MemoryLedger;
use mesh::ledger::{Commit, Ledger, Position, Writer};
use mesh::testing::eventually;
use prost::Message as _;
use proto::auth::v1 as pb;
use proto::options::v1::Realm;
use proto::switch::v1::AccountingRecord;
use proto::switch::v1::accounting_record::{Direction, Rating, Service};
use tonic::Code;

use crate::harness::{Auth, DEMO, of, refusal};

const PATIENCE: Duration = Duration::from_secs(20);

/// 2023-11-14 22:13:20, when the harness's clock begins.
const BEGIN: i64 = 1_700_000_000_000_000;

/// A call of `i_account` to the public network, `seconds` long, that ended at second `end`.
fn record(tag: &str, i_account: i64, end: i64, seconds: i64) -> AccountingRecord {
    AccountingRecord {
        call_id: format!("switch-1.{tag}"),
        tag: tag.to_owned(),
        tracking_id: format!("tracking {tag}"),
        i_customer: 1,
        i_account,
        service: Service::Voice.into(),
        direction: Direction::Outgoing.into(),
        rating: Rating::Ordinary.into(),
        cli: "101".to_owned(),
        cld: "12065550100".to_owned(),
        connect_time_us: BEGIN + (end - seconds) * 1_000_000,
        disconnect_time_us: BEGIN + end * 1_000_000,
        duration_us: seconds * 1_000_000,
        disconnect_cause: 487,
        recording: None,
    }
}

/// Commits records as an engine does; each time as a writer of its own.
async fn commit(ledger: &MemoryLedger, writer: &str, records: &[AccountingRecord]) {
    let records = records.iter().map(|record| Bytes::from(record.encode_to_vec())).collect();
    put(ledger, writer, records).await;
}

async fn put(ledger: &MemoryLedger, writer: &str, accounting: Vec<Bytes>) {
    let commit = Commit {
        partition: 0,
        writer: Writer { node: writer.to_owned(), node_epoch: 1, sequence: 1, log_epoch: None },
        require: Vec::new(),
        state: Vec::new(),
        index: Vec::new(),
        events: Vec::new(),
        accounting,
        renew_epoch: false,
    };
    ledger.commit(&commit).await.unwrap();
}

async fn list(
    auth: &Auth,
    login: &str,
    request: pb::GetXdrListRequest,
) -> Result<pb::GetXdrListResponse, tonic::Status> {
    let tokens = auth.login(login).await;
    Ok(auth.cdr().get_xdr_list(of(&tokens, request)).await?.into_inner())
}

async fn xdrs(auth: &Auth) -> Vec<pb::Xdr> {
    list(auth, "admin", pb::GetXdrListRequest::default()).await.unwrap().xdr_list
}

/// Waits until the list is empty: everything has been taken in.
async fn taken_in(auth: &Auth) {
    eventually(PATIENCE, "the list is trimmed", async || {
        let read = auth.ledger.read_accounting(0, Position::default(), 10).await.unwrap();
        read.entries.is_empty().then_some(()).ok_or(format!("{} records", read.entries.len()))
    })
    .await;
}

#[tokio::test]
async fn a_record_becomes_an_xdr_and_leaves_the_list() {
    let auth = Auth::start().await;

    commit(&auth.ledger, "n1", &[record("a", 1, 90, 61)]).await;
    taken_in(&auth).await;

    let [xdr] = &xdrs(&auth).await[..] else { panic!("one") };
    let call = xdr.call.as_ref().unwrap();
    assert_eq!((call.id.as_str(), call.tag.as_deref()), ("switch-1.a", Some("a")));
    assert_eq!((xdr.account_id.as_str(), xdr.i_customer), ("101", 1));
    assert_eq!(xdr.service(), pb::ChargedService::Voice);
    assert_eq!(xdr.direction(), pb::ChargedDirection::Outgoing);
    assert_eq!((xdr.cli.as_str(), xdr.cld.as_str()), ("101", "12065550100"));
    // 0.012 a minute to numbers that begin with 1.
    assert_eq!((xdr.charged_quantity, xdr.charged_amount.as_str()), (61, "0.0122"));
    assert_eq!((xdr.currency.as_str(), xdr.disconnect_cause), ("USD", 487));
    assert_eq!(xdr.disconnect_time - xdr.connect_time, 61_000_000);
}

#[tokio::test]
async fn everything_replayed_twice_charges_once() {
    let auth = Auth::start().await;
    let mut all: Vec<_> = (0..450).map(|n| record(&format!("t{n}"), 1 + n % 3, n, 5)).collect();
    all.extend(all.clone());

    commit(&auth.ledger, "n1", &all).await;
    commit(&auth.ledger, "n2", &all).await;
    taken_in(&auth).await;
    commit(&auth.ledger, "n3", &all).await;
    taken_in(&auth).await;

    let request = pb::GetXdrListRequest { limit: 1000, get_total: true, ..Default::default() };
    let listed = list(&auth, "admin", request).await.unwrap();
    assert_eq!((listed.xdr_list.len(), listed.total), (450, Some(450)));
}

#[tokio::test]
async fn records_of_which_nothing_can_be_made_hold_nobody_up() {
    let auth = Auth::start().await;
    let nobody = record("a", 999, 10, 5).encode_to_vec();

    put(&auth.ledger, "n1", vec![Bytes::from_static(b"\xff\xff"), nobody.into()]).await;
    commit(&auth.ledger, "n2", &[record("b", 1, 10, 5)]).await;
    taken_in(&auth).await;

    assert_eq!(xdrs(&auth).await.len(), 1);
}

#[tokio::test]
async fn a_list_that_was_not_trimmed_charges_nobody_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        format!("[database]\nurl = \"sqlite://{}\"\n", folder.path().join("a.db").display());
    let auth = Auth::start_with(&settings, DEMO).await;
    commit(&auth.ledger, "n1", &[record("a", 1, 10, 5), record("b", 1, 20, 5)]).await;
    taken_in(&auth).await;
    let ledger = Arc::clone(&auth.ledger);
    auth.stop().await;

    // As if the process had ended between the transaction and the trimming.
    commit(&ledger, "n2", &[record("a", 1, 10, 5)]).await;
    let auth = Auth::start_over(&settings, DEMO, ledger).await;
    commit(&auth.ledger, "n3", &[record("b", 1, 20, 5), record("c", 1, 30, 5)]).await;
    taken_in(&auth).await;

    let tags: Vec<_> = xdrs(&auth).await.into_iter().filter_map(|xdr| xdr.call?.tag).collect();
    assert_eq!(tags, ["c", "b", "a"]);
}

#[tokio::test]
async fn records_wait_while_the_ledger_is_away() {
    let auth = Auth::start().await;
    commit(&auth.ledger, "n1", &[record("a", 1, 10, 5)]).await;
    taken_in(&auth).await;
    auth.ledger.set_reachable(false);
    eventually(PATIENCE, "it is said", async || match auth.readiness.state_of("auth.accounting") {
        Some(State::Degraded(_)) => Ok(()),
        state => Err(format!("{state:?}")),
    })
    .await;

    auth.ledger.set_reachable(true);
    commit(&auth.ledger, "n2", &[record("b", 1, 20, 5)]).await;
    taken_in(&auth).await;

    assert_eq!(xdrs(&auth).await.len(), 2);
}

#[tokio::test]
async fn everybody_lists_the_charges_of_its_scope() {
    let auth = Auth::start().await;
    let of_two = AccountingRecord { i_customer: 2, ..record("d", 6, 40, 5) };
    let records = [record("a", 1, 10, 5), record("b", 2, 20, 5), record("c", 1, 30, 5), of_two];
    commit(&auth.ledger, "n1", &records).await;
    taken_in(&auth).await;
    let tags = async |login: &str, request: pb::GetXdrListRequest| {
        let listed = list(&auth, login, request).await.unwrap();
        listed.xdr_list.into_iter().filter_map(|xdr| xdr.call?.tag).collect::<Vec<_>>()
    };

    for (login, expected) in [
        ("admin", &["d", "c", "b", "a"][..]),
        ("telco", &["d", "c", "b", "a"]),
        ("easymobile", &["c", "b", "a"]),
        ("quicktasty", &["d"]),
        ("101", &["c", "a"]),
        ("103", &[]),
    ] {
        assert_eq!(tags(login, pb::GetXdrListRequest::default()).await, expected, "{login}");
    }
    let by_id = pb::GetXdrListRequest { account_id: Some("101".into()), ..Default::default() };
    assert_eq!(tags("easymobile", by_id.clone()).await, ["c", "a"]);
    assert_eq!(tags("101", by_id).await, ["c", "a"]);
    let by_key = pb::GetXdrListRequest { i_account: Some(2), ..Default::default() };
    assert_eq!(tags("telco", by_key.clone()).await, ["b"]);
    let both = pb::GetXdrListRequest { account_id: Some("101".into()), ..by_key.clone() };
    for (login, request) in [("101", by_key), ("quicktasty", both.clone()), ("admin", both)] {
        let refused = list(&auth, login, request).await;
        assert_eq!(refusal(refused), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()), "{login}");
    }
    let foreign = pb::GetXdrListRequest { i_customer: Some(2), ..Default::default() };
    let refused = list(&auth, "easymobile", foreign.clone()).await;
    assert_eq!(refusal(refused), (Code::NotFound, "CUSTOMER_NOT_FOUND".to_owned()));
    assert_eq!(tags("admin", foreign).await, ["d"]);
    let page = pb::GetXdrListRequest { limit: 1, offset: 1, ..Default::default() };
    assert_eq!(tags("easymobile", page).await, ["b"]);
    let time = pb::GetXdrListRequest {
        from_date: Some(BEGIN + 20_000_000),
        to_date: Some(BEGIN + 40_000_000),
        ..Default::default()
    };
    assert_eq!(tags("admin", time).await, ["c", "b"]);
    let conferencing = pb::GetXdrListRequest {
        service: pb::ChargedService::Conferencing.into(),
        ..Default::default()
    };
    assert!(tags("admin", conferencing).await.is_empty());
}

#[tokio::test]
async fn credit_is_granted_in_slices_and_given_back_with_the_record() {
    let directory = DEMO.replacen("credit_limit = \"100.00\"", "credit_limit = \"0.01\"", 1);
    let auth = Auth::start_with("", &directory).await;
    let grant = async |tag: &str, i_account: i64, seconds: i64| {
        let charge = Some(record(tag, i_account, 0, 0));
        let request = pb::ReserveCreditRequest { charge, seconds };
        auth.accounting().reserve_credit(request).await.map(|answer| answer.into_inner().seconds)
    };

    // A second costs 0.0002, so the limit of 0.01 is 50 seconds.
    assert_eq!(grant("a", 1, 30).await.unwrap(), Some(30));
    assert_eq!(grant("a", 1, 60).await.unwrap(), Some(50));
    assert_eq!(grant("b", 1, 30).await.unwrap(), Some(0));
    let nobody = grant("b", 999, 30).await;
    assert_eq!(refusal(nobody), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    commit(&auth.ledger, "n1", &[record("a", 1, 20, 20)]).await;
    taken_in(&auth).await;
    assert_eq!(grant("b", 1, 60).await.unwrap(), Some(30));

    let keys = ["a", "b"].map(|tag| pb::AccountingKey {
        tag: tag.to_owned(),
        i_account: 1,
        service: Service::Voice.into(),
    });
    let request = pb::FindAccountedRequest { keys: keys.to_vec() };
    let found = auth.accounting().find_accounted(request).await.unwrap().into_inner();
    assert_eq!(found.accounted, [true, false]);
}

#[tokio::test]
async fn charges_need_the_component_of_their_own() {
    let auth = Auth::start().await;

    let tokens = auth.try_login("301", "cordboard", Realm::Account).await.unwrap();

    let listed = auth.cdr().get_xdr_list(of(&tokens, pb::GetXdrListRequest::default())).await;
    assert!(listed.unwrap().into_inner().xdr_list.is_empty());
}
