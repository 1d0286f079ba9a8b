//! Lists of living legs.

use std::sync::Arc;

use mesh::caller::Scope;
use mesh::cursor::Cursor;
use mesh::ledger::partition_of;
use mesh::ledger::redis::{RedisConfig, RedisLedger};
use mesh::metadata;
use mesh::testing::redis::RedisServer;
use proto::call::v1::State;
use proto::callcontrol::v1::{GetSipCallsListRequest, GetSipCallsListResponse};
use tonic::{Code, Status};

use crate::harness::{ADMIN, ALICE, CUSTOMER, Harness, PARTITIONS, RESELLER, leg, reason};

/// Three legs of customer 1 (two of account 1), one each of customers 2 and 4.
async fn with_legs() -> Harness {
    let harness = Harness::start().await;
    harness.put_leg(leg(1, 1, 10, State::Connected)).await;
    harness.put_leg(leg(1, 2, 30, State::Ringing)).await;
    harness.put_leg(leg(1, 1, 50, State::Ringing)).await;
    harness.put_leg(leg(2, 3, 20, State::Connected)).await;
    let mut below_the_reseller = leg(4, 4, 40, State::Ringing);
    below_the_reseller.i_reseller = 3;
    harness.put_leg(below_the_reseller).await;
    harness
}

fn all() -> GetSipCallsListRequest {
    GetSipCallsListRequest::default()
}

async fn list(
    harness: &Harness,
    scope: Scope,
    request: GetSipCallsListRequest,
) -> Result<GetSipCallsListResponse, Status> {
    let request = harness.request(scope, request);
    harness.client.clone().get_sip_calls_list(request).await.map(tonic::Response::into_inner)
}

/// Starts of the legs, in the list's order.
async fn starts(harness: &Harness, scope: Scope, request: GetSipCallsListRequest) -> Vec<i64> {
    let list = list(harness, scope, request).await.unwrap();
    list.calls_list.iter().map(|leg| leg.start_time).collect()
}

#[tokio::test]
async fn each_realm_sees_its_own_legs_oldest_first() {
    let harness = with_legs().await;

    assert_eq!(starts(&harness, ALICE, all()).await, [10, 50]);
    assert_eq!(starts(&harness, CUSTOMER, all()).await, [10, 30, 50]);
    assert_eq!(starts(&harness, RESELLER, all()).await, [10, 30, 40, 50]);
    assert_eq!(starts(&harness, ADMIN, all()).await, [10, 20, 30, 40, 50]);
}

#[tokio::test]
async fn a_list_can_be_narrowed() {
    let harness = with_legs().await;
    let ringing = || GetSipCallsListRequest { state: State::Ringing.into(), ..all() };
    let of_account = |i_account| GetSipCallsListRequest { i_account: Some(i_account), ..all() };
    let of_customer = |i_customer| GetSipCallsListRequest { i_customer: Some(i_customer), ..all() };

    assert_eq!(starts(&harness, ALICE, ringing()).await, [50]);
    assert_eq!(starts(&harness, CUSTOMER, ringing()).await, [30, 50]);
    assert_eq!(starts(&harness, RESELLER, ringing()).await, [30, 40, 50]);
    assert_eq!(starts(&harness, CUSTOMER, of_account(2)).await, [30]);
    assert_eq!(starts(&harness, ADMIN, of_account(3)).await, [20]);
    assert_eq!(starts(&harness, RESELLER, of_customer(4)).await, [40]);
    assert_eq!(starts(&harness, ALICE, of_account(1)).await, [10, 50]);
}

#[tokio::test]
async fn a_list_of_a_queue_has_the_calls_that_are_or_were_in_it() {
    let harness = with_legs().await;
    let mut queued = leg(1, 2, 60, State::Queued);
    queued.i_c_queues = vec![9];
    harness.put_leg(queued).await;
    let of_queue = |i_c_queue| GetSipCallsListRequest { i_c_queue: Some(i_c_queue), ..all() };

    assert_eq!(starts(&harness, CUSTOMER, of_queue(9)).await, [60]);
    let both = GetSipCallsListRequest { i_account: Some(2), ..of_queue(9) };
    assert_eq!(starts(&harness, CUSTOMER, both).await, [60]);
    let unknown = list(&harness, CUSTOMER, of_queue(8)).await;
    assert_eq!(reason(unknown), (Code::NotFound, "QUEUE_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn what_is_outside_the_scope_looks_absent() {
    let harness = with_legs().await;
    let of_account = |i_account| GetSipCallsListRequest { i_account: Some(i_account), ..all() };
    let of_customer = |i_customer| GetSipCallsListRequest { i_customer: Some(i_customer), ..all() };
    let both = GetSipCallsListRequest { i_account: Some(3), ..of_customer(1) };
    let cases = [
        (ALICE, of_customer(2), "CUSTOMER_NOT_FOUND"),
        (ALICE, of_account(2), "ACCOUNT_NOT_FOUND"),
        (CUSTOMER, of_customer(2), "CUSTOMER_NOT_FOUND"),
        (CUSTOMER, of_account(3), "ACCOUNT_NOT_FOUND"),
        (RESELLER, of_customer(2), "CUSTOMER_NOT_FOUND"),
        (RESELLER, of_account(3), "ACCOUNT_NOT_FOUND"),
        (ADMIN, of_customer(7), "CUSTOMER_NOT_FOUND"),
        (ADMIN, both, "ACCOUNT_NOT_FOUND"),
    ];

    for (scope, request, expected) in cases {
        let outcome = list(&harness, scope, request).await;
        assert_eq!(reason(outcome), (Code::NotFound, expected.to_owned()), "{scope:?}");
    }
}

#[tokio::test]
async fn a_list_is_read_in_pages() {
    let harness = with_legs().await;
    let page = |offset, limit| GetSipCallsListRequest { offset, limit, get_total: true, ..all() };

    for (scope, legs) in [(CUSTOMER, vec![10, 30, 50]), (ADMIN, vec![10, 20, 30, 40, 50])] {
        let total = i64::try_from(legs.len()).unwrap();
        let mut seen = Vec::new();
        for offset in 0..=5 {
            let list = list(&harness, scope, page(offset, 1)).await.unwrap();
            assert_eq!(list.total, Some(total));
            seen.extend(list.calls_list.iter().map(|leg| leg.start_time));
        }
        assert_eq!(seen, legs);
    }
    let ringing = GetSipCallsListRequest { state: State::Ringing.into(), ..page(1, 1) };
    let list = list(&harness, ADMIN, ringing).await.unwrap();
    assert_eq!((list.total, list.calls_list[0].start_time), (Some(3), 40));
}

#[tokio::test]
async fn a_list_has_100_legs_unless_asked_and_never_more_than_1000() {
    let harness = Harness::start().await;
    for start in 0..1_005 {
        harness.put_leg(leg(1, 1, start, State::Connected)).await;
    }
    let limit = |limit| GetSipCallsListRequest { limit, ..all() };

    assert_eq!(starts(&harness, CUSTOMER, all()).await.len(), 100);
    assert_eq!(starts(&harness, CUSTOMER, limit(5_000)).await.len(), 1_000);
    assert_eq!(starts(&harness, ADMIN, limit(5_000)).await.len(), 1_000);
    assert_eq!(list(&harness, CUSTOMER, limit(1)).await.unwrap().total, None);
}

#[tokio::test]
async fn a_list_needs_a_subscription() {
    let harness = with_legs().await;
    let mut client = harness.client.clone();
    let mut request = harness.request(CUSTOMER, all());
    request.metadata_mut().insert(metadata::SUBSCRIBED, "0".parse().unwrap());

    let outcome = client.get_sip_calls_list(request).await;
    assert_eq!(
        reason(outcome),
        (Code::FailedPrecondition, "DISABLED_API_NOTIFICATIONS".to_owned())
    );

    let unsubscribed = GetSipCallsListRequest { include_unsubscribed: true, ..all() };
    let over = |transport: &str| {
        let mut request = harness.request(CUSTOMER, unsubscribed);
        request.metadata_mut().remove(metadata::SUBSCRIBED);
        request.metadata_mut().insert(metadata::TRANSPORT, transport.parse().unwrap());
        request
    };
    let list = client.get_sip_calls_list(over(metadata::TRANSPORT_REST)).await.unwrap();
    assert_eq!(list.get_ref().calls_list.len(), 3);
    let outcome = client.get_sip_calls_list(over(metadata::TRANSPORT_WEBSOCKET)).await;
    assert_eq!(
        reason(outcome),
        (Code::FailedPrecondition, "DISABLED_API_NOTIFICATIONS".to_owned())
    );
}

#[tokio::test]
async fn the_cursor_is_where_the_log_ended_before() {
    let harness = Harness::start().await;
    let written = harness.put_leg(leg(1, 1, 10, State::Connected)).await;

    let cursor = list(&harness, CUSTOMER, all()).await.unwrap().cursor;

    let Cursor::One { i_customer, place } = Cursor::decode(&cursor).unwrap() else {
        panic!("{cursor}")
    };
    assert_eq!((i_customer, place.partition), (1, partition_of(1, PARTITIONS)));
    assert_eq!((place.epoch, place.position), (written.epoch, written.last));
}

#[tokio::test]
async fn the_cursor_of_a_wide_list_has_a_place_in_each_partition() {
    let harness = with_legs().await;

    let cursor = list(&harness, RESELLER, all()).await.unwrap().cursor;

    let Cursor::Wide(places) = Cursor::decode(&cursor).unwrap() else { panic!("{cursor}") };
    let partitions: Vec<_> = places.iter().map(|place| place.partition).collect();
    assert_eq!(partitions, (0..PARTITIONS).collect::<Vec<_>>());
}

#[tokio::test]
async fn durations_are_as_of_now() {
    let harness = Harness::start().await;
    let mut connected = leg(1, 1, 10, State::Connected);
    let since = harness.clock.now().as_micros() - 90_500_000;
    connected.call_info.as_mut().unwrap().connect_time = Some(since);
    harness.put_leg(connected).await;

    let list = list(&harness, CUSTOMER, all()).await.unwrap();

    assert!((90..100).contains(&list.calls_list[0].duration), "{list:?}");
}

#[tokio::test]
async fn without_the_store_there_are_no_lists() {
    let harness = with_legs().await;
    harness.ledger.set_reachable(false);

    let outcome = list(&harness, CUSTOMER, all()).await;

    assert_eq!(reason(outcome), (Code::Unavailable, "STORE_UNREACHABLE".to_owned()));
}

#[tokio::test]
async fn a_list_reads_its_own_page_and_nothing_of_other_tenants() {
    let (harness, reads) = Harness::counting().await;
    let own = partition_of(1, PARTITIONS);
    let beside = (2..100).find(|other| partition_of(*other, PARTITIONS) == own).unwrap();
    for start in 0..150 {
        harness.put_leg(leg(1, start % 2 + 1, start, State::Connected)).await;
    }
    let page = GetSipCallsListRequest { offset: 60, limit: 10, get_total: true, ..all() };
    let connected = GetSipCallsListRequest { state: State::Connected.into(), ..page };
    let of_bob = GetSipCallsListRequest { i_account: Some(2), ..page };

    for others in [0, 300] {
        for start in 0..others {
            harness.put_leg(leg(beside, 3, start, State::Connected)).await;
            harness.put_leg(leg(2, 4, start, State::Connected)).await;
        }
        reads.take();
        for (scope, request, total, expected) in [
            (CUSTOMER, page, 150, "10 of customer:1"),
            (CUSTOMER, connected, 150, "10 of customer:1:state:connected"),
            (CUSTOMER, of_bob, 75, "10 of account:2"),
            (ALICE, page, 75, "10 of account:1"),
        ] {
            let listed = list(&harness, scope, request).await.unwrap();
            assert_eq!((listed.calls_list.len(), listed.total), (10, Some(total)), "{expected}");
            assert_eq!(reads.take(), [format!("{expected} in {own}")], "beside {others} of others");
        }
    }
}

/// How long a page takes beside 10,000 legs of the same environment and as many of another, with
/// the store in memory and with a Redis:
/// `cargo test --release -p callcontrol --test it -- --ignored --nocapture a_page_of_ten_thousand`.
#[tokio::test]
#[ignore = "a benchmark: it prints times"]
#[expect(clippy::print_stdout, reason = "that is what it is for")]
async fn a_page_of_ten_thousand() {
    let server = RedisServer::start().await;
    let config =
        RedisConfig { url: server.url(), partitions: PARTITIONS, ..RedisConfig::default() };
    let redis = Arc::new(RedisLedger::connect(config).await.unwrap());
    let on_redis = Harness::start_on(callcontrol::Config::default(), |_memory| redis).await;
    for (store, harness) in [("memory", Harness::start().await), ("Redis", on_redis)] {
        for number in 1..=10_000 {
            harness.put_leg(leg(1, number % 50, number, State::Connected)).await;
            harness.put_leg(leg(2, 3, number + 100_000, State::Connected)).await;
        }
        let page = |offset| GetSipCallsListRequest { offset, limit: 100, get_total: true, ..all() };
        for (what, offset) in [("first", 0), ("middle", 5_000), ("last", 9_900)] {
            let mut times = Vec::new();
            for _ in 0..50 {
                let begun = tokio::time::Instant::now();
                let listed = list(&harness, CUSTOMER, page(offset)).await.unwrap();
                times.push(begun.elapsed());
                assert_eq!((listed.calls_list.len(), listed.total), (100, Some(10_000)));
            }
            times.sort();
            println!("{store}, {what} page: p50 {:?}, p99 {:?}", times[25], times[49]);
        }
    }
}
