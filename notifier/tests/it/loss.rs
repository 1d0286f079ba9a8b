//! What becomes of streams when the store loses something or is away.

use std::time::Duration;

use mesh::health::State;
use mesh::ledger::memory::MemoryConfig;
use mesh::testing::eventually;
use notifier::Config;
use proto::notifier::v1::live_response::Response;

use crate::support::{PATIENCE, World, customer, entry, event, everything, position};

#[tokio::test(start_paused = true)]
async fn a_store_that_came_back_empty_is_a_gap_and_then_the_newest() {
    let world = World::with_partitions(4);
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let before = edge.subscribe(1, customer(7), &token).await;
    writer.write(&[entry(7, 1)]).await;
    assert_eq!(event(&edge.event().await).time_us, 1);

    world.ledger.memory.forget_everything();
    let committed = writer.write(&[entry(7, 2)]).await;

    let (place, reason) = edge.gap().await;
    assert_eq!(reason, "log_lost");
    assert_eq!(place.partition, before[0].partition);
    assert_ne!(place.epoch, before[0].epoch);
    assert_eq!(position(&place), mesh::ledger::Position::default());
    let newest = edge.event().await;
    assert_eq!(event(&newest).time_us, 2);
    let its_place = newest.place.unwrap();
    assert_eq!(its_place.epoch, place.epoch);
    assert_eq!(position(&its_place), committed.last);
    // The other partitions lost their logs as well, but the scope has nothing there.
    edge.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_dropped_events_makes_a_gap_for_those_who_cover_the_partition() {
    let world = World::with_partitions(4);
    let partition_of = |i_customer| mesh::ledger::partition_of(i_customer, 4);
    let elsewhere = (1..100).find(|it| partition_of(*it) != partition_of(7)).unwrap();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let token = world.admin();
    let (mut near, mut wide, mut far) =
        (notifier.edge().await, notifier.edge().await, notifier.edge().await);
    near.subscribe(1, customer(7), &token).await;
    wide.subscribe(1, everything(), &token).await;
    far.subscribe(1, customer(elsewhere), &token).await;

    writer.write_after_loss(&[entry(7, 2)]).await;
    for edge in [&mut near, &mut wide] {
        assert_eq!(edge.gap().await.1, "log_lost");
        assert_eq!(event(&edge.event().await).time_us, 2);
    }
    writer.write(&[entry(elsewhere, 3)]).await;
    assert_eq!(event(&far.event().await).time_us, 3);
    assert_eq!(event(&wide.event().await).time_us, 3);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_back_in_time_is_a_gap_without_repeats() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    edge.subscribe(1, everything(), &world.admin()).await;
    let kept = writer.write(&[entry(7, 1)]).await;
    writer.write(&[entry(7, 2)]).await;
    edge.event().await;
    edge.event().await;

    assert!(world.ledger.memory.forget_last_commit(0));

    // Found out by the reader before the engine knows.
    let (place, reason) = edge.gap().await;
    assert_eq!((position(&place), reason.as_str()), (kept.last, "log_lost"));
    edge.quiet().await;
    // The engine finds it out as well and begins anew.
    writer.write(&[entry(7, 3)]).await;
    assert_eq!(edge.gap().await.1, "log_lost");
    assert_eq!(event(&edge.event().await).time_us, 3);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fell_behind_the_log_is_a_gap_and_then_what_is_left() {
    let retention = Duration::from_mins(1);
    let store = MemoryConfig { retention, ..MemoryConfig::default() };
    let world = World::with(store, Config::default());
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    edge.subscribe(1, everything(), &world.admin()).await;

    world.ledger.shut(true);
    let trimmed = writer.write(&[entry(7, 1)]).await;
    tokio::time::sleep(retention * 2).await;
    writer.write(&[entry(7, 2)]).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.ledger.shut(false);

    let (place, reason) = edge.gap().await;
    assert_eq!((position(&place), reason.as_str()), (trimmed.last, "cursor_too_old"));
    assert_eq!(event(&edge.event().await).time_us, 2);
    edge.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_beats_say_so_and_nothing_is_lost() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    edge.subscribe(1, everything(), &world.admin()).await;
    assert!(edge.beat().await.store_reachable);

    world.ledger.shut(true);
    notifier.until_degraded(true).await;
    let away = async {
        // The engine still reaches the store.
        for number in 0..30 {
            writer.write(&[entry(7, number)]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        world.ledger.shut(false);
    };
    let beats = async {
        let mut seen = 0;
        while seen < 28 {
            assert!(!edge.beat().await.store_reachable);
            seen += 1;
        }
    };
    tokio::join!(away, beats);

    for number in 0..30 {
        assert_eq!(event(&edge.event().await).time_us, number);
    }
    notifier.until_degraded(false).await;
    eventually(PATIENCE, "a good beat", || async { Ok(()) }).await;
    edge.beat().await;
    assert!(edge.beat().await.store_reachable);
    assert!(notifier.readiness.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_never_saw_the_store_is_not_ready_and_lets_subscribers_wait() {
    let world = World::with_partitions(2);
    world.ledger.shut(true);
    let mut writer = world.writer();
    writer.write(&[entry(7, 1)]).await;
    let notifier = world.launch("n");
    let mut edge = notifier.edge().await;
    edge.ask(1, everything(), &world.admin()).await;

    for _ in 0..10 {
        let beat = edge.beat().await;
        assert!(!beat.store_reachable);
        assert!(beat.places.is_empty());
    }
    assert_eq!(notifier.readiness.state_of("event_log"), Some(State::Starting));
    world.ledger.shut(false);

    let Response::Subscribed(subscribed) = edge.next().await else { panic!("not subscribed") };
    assert_eq!(subscribed.places.len(), 2);
    notifier.readiness.until_ready().await;
    writer.write(&[entry(7, 2)]).await;
    assert_eq!(event(&edge.event().await).time_us, 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_an_edge_goes_on_where_it_was() {
    let world = World::with_partitions(2);
    let first = world.start("n").await;
    let mut writer = world.writer();
    let token = world.admin();
    let mut edge = first.edge().await;
    edge.subscribe(1, customer(7), &token).await;
    writer.write(&[entry(7, 1)]).await;
    let seen = edge.event().await;

    let (stopped, ()) = tokio::join!(tokio::time::timeout(PATIENCE, first.stop()), async {
        while let Ok(Some(_)) = edge.receive().await {}
    });
    stopped.unwrap();
    writer.write(&[entry(7, 2), entry(7, 3)]).await;
    let second = world.start("n").await;
    let mut edge = second.edge().await;
    let places = edge.subscribe(1, customer(7), &token).await;
    writer.write(&[entry(7, 4)]).await;

    let reads = world.ledger.reads_at_once();
    let from = [crate::support::after(&seen)];
    let replayed = edge.replay(customer(7), &token, &from, &places).await.unwrap();
    assert_eq!(replayed.numbers(), [2, 3]);
    assert_eq!(replayed.gap, None);
    // The new process had read them before anybody asked.
    assert_eq!(world.ledger.reads_at_once(), reads);
    assert_eq!(event(&edge.event().await).time_us, 4);
    edge.quiet().await;
}
