//! Live streams: who gets what, and when a stream or a scope ends.

use std::time::Duration;

use mesh::caller::Scope as Realm;
use mesh::testing::token::ISSUER_OF_TESTS;
use mesh::token::{Claims, Revocation, Subject};
use notifier::Config;
use proto::notifier::v1::live_response::Response;
use proto::notifier::v1::{Refused, Scope};
use proto::switch::v1::LogEntry;
use tonic::Code;

use crate::support::{
    Edge, PATIENCE, World, access_number, account, customer, entry, event, everything, position,
    queue, reseller,
};

async fn refusal(edge: &mut Edge, scope: Scope, token: &str) -> String {
    edge.ask(99, scope, token).await;
    match edge.next().await {
        Response::Refused(Refused { scope_id: 99, reason }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn two_tenants_of_one_partition_see_only_their_own() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let (mut seven, mut eight) = (notifier.edge().await, notifier.edge().await);
    let token = world.token(Realm::Customer { i_customer: 7 });
    seven.subscribe(1, customer(7), &token).await;
    let token = world.token(Realm::Customer { i_customer: 8 });
    eight.subscribe(1, customer(8), &token).await;

    writer.write(&[entry(7, 1), entry(8, 2), entry(7, 3), entry(8, 4)]).await;

    for (edge, i_customer, numbers) in [(&mut seven, 7, [1, 3]), (&mut eight, 8, [2, 4])] {
        for number in numbers {
            assert_eq!(*event(&edge.event().await), entry(i_customer, number));
        }
        edge.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_comes_once_with_all_scopes_that_it_matches() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let scopes = [
        everything(),
        reseller(2),
        customer(7),
        account(7, 70),
        access_number(7, "1"),
        queue(7, 3),
        customer(8),
        account(7, 71),
    ];
    for (scope_id, scope) in (1..).zip(scopes) {
        edge.subscribe(scope_id, scope, &token).await;
    }
    let full = LogEntry {
        i_reseller: 2,
        i_accounts: vec![70, 70],
        access_numbers: vec!["1".to_owned()],
        i_c_queues: vec![3],
        ..entry(7, 1)
    };

    world.writer().write(&[full.clone(), entry(7, 2)]).await;

    let first = edge.event().await;
    assert_eq!(first.scope_ids, [1, 2, 3, 4, 5, 6]);
    assert_eq!(*event(&first), full);
    assert_eq!(edge.event().await.scope_ids, [1, 3]);
    edge.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_reseller_gets_its_own_customers_and_nothing_of_others() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let token = world.token(Realm::Reseller { i_reseller: 2 });
    edge.subscribe(1, reseller(2), &token).await;
    edge.subscribe(2, customer(7), &token).await;
    edge.subscribe(3, customer(8), &token).await;
    edge.subscribe(4, queue(8, 3), &token).await;

    let own = LogEntry { i_reseller: 2, ..entry(7, 1) };
    let foreign = LogEntry { i_reseller: 5, i_c_queues: vec![3], ..entry(8, 2) };
    world.writer().write(&[foreign, own]).await;

    assert_eq!(edge.event().await.scope_ids, [1, 2]);
    edge.quiet().await;
    assert_eq!(refusal(&mut edge, reseller(5), &token).await, "ACCESS_DENIED");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_token_s_is_refused_and_the_stream_goes_on() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let account_70 = Realm::Account { i_customer: 7, i_account: 70 };
    let own = world.token(account_70);
    let claims = world.claims(account_70);
    let expired = Claims { exp: world.clock.now().as_seconds(), ..claims.clone() };
    let powerless = Claims { scopes: vec!["xdrs:modify".to_owned()], ..claims };

    for (scope, token, reason) in [
        (customer(7), own.clone(), "ACCESS_DENIED"),
        (account(7, 71), own.clone(), "ACCESS_DENIED"),
        (account(8, 70), own.clone(), "ACCESS_DENIED"),
        (account(7, 70), ISSUER_OF_TESTS.sign(&powerless), "ACCESS_DENIED"),
        (account(7, 70), ISSUER_OF_TESTS.sign(&expired), "JWT_INVALID"),
        (account(7, 70), "nonsense".to_owned(), "JWT_INVALID"),
        (Scope { of: None }, own.clone(), "INVALID_SCOPE"),
    ] {
        assert_eq!(refusal(&mut edge, scope, &token).await, reason);
    }

    edge.subscribe(1, account(7, 70), &own).await;
    edge.subscribe(2, queue(7, 3), &own).await;
    let to_70 = LogEntry { i_accounts: vec![70], ..entry(7, 1) };
    let to_71 = LogEntry { i_accounts: vec![71], ..entry(7, 2) };
    let queued = LogEntry { i_c_queues: vec![3], ..entry(7, 3) };
    world.writer().write(&[to_71, to_70, queued]).await;
    assert_eq!(edge.event().await.scope_ids, [1]);
    assert_eq!(edge.event().await.scope_ids, [2]);
    edge.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_scope_taken_away_gets_nothing_more() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let token = world.admin();
    edge.subscribe(1, customer(7), &token).await;
    edge.subscribe(2, everything(), &token).await;

    edge.unsubscribe(1).await;
    world.writer().write(&[entry(7, 1)]).await;

    assert_eq!(edge.event().await.scope_ids, [2]);
}

#[tokio::test(start_paused = true)]
async fn a_scope_goes_over_to_another_token_without_a_break() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let admin = world.claims(Realm::Everything);
    edge.subscribe(1, customer(7), &ISSUER_OF_TESTS.sign(&admin)).await;
    writer.write(&[entry(7, 1)]).await;
    assert_eq!(event(&edge.event().await).time_us, 1);

    let own = world.token(Realm::Customer { i_customer: 7 });
    let places = edge.subscribe(1, customer(7), &own).await;
    let revocation = Revocation { subject: Subject::Session(admin.jti), epoch: 0, ends: true };
    world.verifier.revoke(revocation);
    let committed = writer.write(&[entry(7, 2)]).await;

    let second = edge.event().await;
    assert_eq!(event(&second).time_us, 2);
    assert_eq!(second.scope_ids, [1]);
    assert!(position(&places[0]) < committed.last);
    edge.quiet().await;

    // The same number for another scope.
    edge.subscribe(1, customer(8), &world.admin()).await;
    writer.write(&[entry(7, 3), entry(8, 4)]).await;
    assert_eq!(event(&edge.event().await).time_us, 4);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_ends_its_scopes_and_no_others() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let revoked = world.claims(Realm::Customer { i_customer: 7 });
    let token = ISSUER_OF_TESTS.sign(&revoked);
    edge.subscribe(1, customer(7), &token).await;
    edge.subscribe(2, customer(7), &world.admin()).await;

    let subject = Subject::Session(revoked.jti);
    world.verifier.revoke(Revocation { subject, epoch: 0, ends: true });

    let Response::Refused(refused) = edge.next().await else { panic!("expected a refusal") };
    assert_eq!((refused.scope_id, refused.reason.as_str()), (1, "AUTH_FAILED"));
    world.writer().write(&[entry(7, 1)]).await;
    assert_eq!(edge.event().await.scope_ids, [2]);
    assert_eq!(refusal(&mut edge, customer(7), &token).await, "AUTH_FAILED");
}

#[tokio::test(start_paused = true)]
async fn changed_rights_leave_the_edge_time_to_bring_a_new_token() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let outdated = world.claims(Realm::Customer { i_customer: 7 });
    let token = ISSUER_OF_TESTS.sign(&outdated);
    edge.subscribe(1, customer(7), &token).await;
    edge.subscribe(2, customer(7), &token).await;
    let mut writer = world.writer();

    let subject = Subject::User(outdated.sub.clone());
    world.verifier.revoke(Revocation { subject, epoch: 5, ends: false });
    writer.write(&[entry(7, 1)]).await;
    let mut scopes = edge.event().await.scope_ids;
    scopes.sort_unstable();
    assert_eq!(scopes, [1, 2]);
    let renewed = ISSUER_OF_TESTS.sign(&Claims { epoch: 5, ..outdated });
    edge.subscribe(1, customer(7), &renewed).await;

    let begin = tokio::time::Instant::now();
    let Response::Refused(refused) = edge.next().await else { panic!("expected a refusal") };
    assert_eq!((refused.scope_id, refused.reason.as_str()), (2, "AUTH_FAILED"));
    assert!(begin.elapsed() < std::time::Duration::from_secs(1));
    writer.write(&[entry(7, 2)]).await;
    assert_eq!(edge.event().await.scope_ids, [1]);
}

#[tokio::test(start_paused = true)]
async fn revocations_too_many_to_follow_end_what_they_cover() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let revoked = world.claims(Realm::Customer { i_customer: 7 });
    edge.subscribe(1, customer(7), &ISSUER_OF_TESTS.sign(&revoked)).await;
    edge.subscribe(2, customer(8), &world.admin()).await;

    // All at once, before the stream can look at any of them.
    let session = |jti| Revocation { subject: Subject::Session(jti), epoch: 0, ends: true };
    world.verifier.revoke(session(revoked.jti));
    for number in 0..10_000 {
        world.verifier.revoke(session(format!("other {number}")));
    }

    let Response::Refused(refused) = edge.next().await else { panic!("expected a refusal") };
    assert_eq!(refused.scope_id, 1);
    edge.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_edge_may_have_so_many_scopes_and_no_more() {
    let config = Config { scopes_per_edge: 2, ..Config::default() };
    let world = World { config, ..World::new() };
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let token = world.admin();
    edge.subscribe(1, customer(1), &token).await;
    edge.subscribe(2, customer(2), &token).await;

    assert_eq!(refusal(&mut edge, customer(3), &token).await, "TOO_MANY_SCOPES");

    edge.subscribe(2, customer(4), &token).await;
    edge.unsubscribe(1).await;
    edge.subscribe(3, customer(3), &token).await;
}

#[tokio::test(start_paused = true)]
async fn each_second_a_beat_says_how_far_every_partition_is() {
    let world = World::with_partitions(4);
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let committed = world.writer().write(&[entry(7, 1)]).await;
    edge.beat().await;
    let began = tokio::time::Instant::now();

    let beat = edge.beat().await;

    assert_eq!(began.elapsed().as_secs(), 1);
    assert!(beat.store_reachable);
    let partitions: Vec<_> = beat.places.iter().map(|place| place.partition).collect();
    assert_eq!(partitions, [0, 1, 2, 3]);
    let partition = mesh::ledger::partition_of(7, 4);
    for place in &beat.places {
        let is_there = position(place) == committed.last;
        assert_eq!(is_there, place.partition == partition, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_edge_is_ended_and_does_not_slow_others() {
    let config = Config { edge_buffer_bytes: 1 << 20, ..Config::default() };
    let world = World { config, ..World::new() };
    let notifier = world.start("n").await;
    let (mut slow, mut quick) = (notifier.edge().await, notifier.edge().await);
    let token = world.admin();
    slow.subscribe(1, everything(), &token).await;
    quick.subscribe(1, everything(), &token).await;
    let heavy = |number| LogEntry { traceparent: "x".repeat(10_000), ..entry(7, number) };

    // Well beyond what the transport holds by itself.
    let mut writer = world.writer();
    for number in 0..1_000 {
        writer.write(&[heavy(number)]).await;
        assert_eq!(event(&quick.event().await).time_us, number);
    }

    let mut received = 0;
    let status = loop {
        match slow.receive().await {
            Ok(Some(Response::Event(_))) => received += 1,
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended well"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(mesh::fault::reason_of(&status).as_deref(), Some("EDGE_TOO_SLOW"));
    assert!(received < 1_000, "{received}");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_is_left_out() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    edge.subscribe(1, everything(), &world.admin()).await;
    let mut writer = world.writer();

    writer.write_raw(7, b"\xff\xff").await;
    let committed = writer.write(&[entry(7, 1)]).await;

    let after_it = edge.event().await;
    assert_eq!(event(&after_it).time_us, 1);
    assert_eq!(position(&after_it.place.unwrap()), committed.last);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_live_streams_and_all_tasks() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    edge.subscribe(1, everything(), &world.admin()).await;

    let stopping = notifier.stop();
    let ending = async {
        loop {
            match edge.receive().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended as if all had been said"),
                Err(status) => break status,
            }
        }
    };
    let (status, stopped) = tokio::join!(ending, tokio::time::timeout(PATIENCE, stopping));

    assert_eq!(status.code(), Code::Unavailable);
    stopped.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_log_is_trimmed_now_and_then() {
    let world = World::with_partitions(2);
    let _notifier = world.start("n").await;

    tokio::time::sleep(Duration::from_mins(5)).await;

    let trims = world.ledger.trims() / 2;
    assert!((10..=20).contains(&trims), "{trims}");
}
