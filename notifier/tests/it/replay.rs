//! Replays: the same from memory as from the log, and gaps where events are gone.

use std::time::Duration;

use mesh::caller::Scope as Realm;
use mesh::fault::reason_of;
use mesh::ledger::memory::MemoryConfig;
use notifier::Config;
use proto::notifier::v1::Place;
use proto::switch::v1::LogEntry;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;

use crate::support::{
    Dice, World, account, after, customer, entry, event, everything, queue, replay, reseller,
};

fn start(to: &[Place]) -> Vec<Place> {
    to.iter().map(|place| Place { millis: 0, sequence: 0, ..place.clone() }).collect()
}

fn since(to: &[Place], millis: u64) -> Vec<Place> {
    to.iter()
        .map(|place| Place { epoch: String::new(), millis, sequence: 0, ..place.clone() })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn memory_and_log_give_the_same() {
    let store = MemoryConfig { partitions: 4, ..MemoryConfig::default() };
    let config = Config { replay_page: 3, ..Config::default() };
    let world = World::with(store, config.clone());
    let from_memory = world.start("memory").await;
    let config = Config { recent_max_bytes: 0, ..config };
    let world = World { config, ..world };
    let from_log = world.start("log").await;
    let token = world.admin();
    let mut dice = Dice(42);
    let mut writer = world.writer();
    for number in 0..300 {
        let i_customer = i64::try_from(dice.below(6)).unwrap();
        let event = LogEntry {
            i_reseller: i_customer % 3,
            i_accounts: vec![i64::from(dice.below(3) == 0)],
            i_c_queues: (dice.below(4) == 0).then_some(1).into_iter().collect(),
            ..entry(i_customer, number)
        };
        writer.write(&[event]).await;
        tokio::time::sleep(Duration::from_millis(dice.below(3))).await;
    }
    let (mut memory, log) = (from_memory.edge().await, from_log.edge().await);

    for scope in [everything(), reseller(1), customer(2), account(3, 1), queue(4, 1), customer(99)]
    {
        let to = memory.subscribe(1, scope.clone(), &token).await;
        let (mut from, mut all) = (start(&to), Vec::new());
        for _ in 0..4 {
            let reads = world.ledger.reads_at_once();
            let one = memory.replay(scope.clone(), &token, &from, &to).await.unwrap();
            assert_eq!(world.ledger.reads_at_once(), reads, "memory was enough");
            let other = log.replay(scope.clone(), &token, &from, &to).await.unwrap();
            assert!(world.ledger.reads_at_once() > reads, "the log was read");
            assert_eq!(one, other);
            assert_eq!(one.gap, None);
            let order: Vec<_> = one
                .events
                .iter()
                .map(|event| event.place.as_ref().unwrap())
                .map(|place| (place.millis, place.partition, place.sequence))
                .collect();
            assert!(order.is_sorted(), "{order:?}");
            if all.is_empty() {
                all.clone_from(&one.events);
                assert_eq!(all.is_empty(), scope == customer(99));
            }

            // Again from a later place, without what was before it.
            for place in &mut from {
                let mut seen = one.events.iter().take(one.events.len() / 3).map(after);
                if let Some(last) = seen.rfind(|it| it.partition == place.partition) {
                    *place = last;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_of_its_scope_alone() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let foreign = LogEntry { i_reseller: 5, ..entry(8, 2) };
    let own = LogEntry { i_reseller: 2, ..entry(7, 1) };
    world.writer().write(&[own, foreign]).await;
    let to = edge.subscribe(1, everything(), &world.admin()).await;
    let from = start(&to);

    let token = world.token(Realm::Reseller { i_reseller: 2 });
    let of_foreign = edge.replay(customer(8), &token, &from, &to).await.unwrap();
    assert_eq!(of_foreign.numbers(), [0; 0]);
    let of_reseller = edge.replay(reseller(2), &token, &from, &to).await.unwrap();
    assert_eq!(of_reseller.numbers(), [1]);

    let token = world.token(Realm::Customer { i_customer: 7 });
    let refused = edge.replay(customer(8), &token, &from, &to).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason_of(&refused).as_deref(), Some("ACCESS_DENIED"));
    let refused = edge.replay(customer(7), "nonsense", &from, &to).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn a_place_from_which_events_were_trimmed_is_too_old() {
    let retention = Duration::from_mins(1);
    let store = MemoryConfig { partitions: 2, retention, ..MemoryConfig::default() };
    let world = World::with(store, Config::default());
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let old = edge.subscribe(1, everything(), &token).await;
    writer.write(&[entry(7, 1)]).await;
    let first = edge.event().await;
    writer.write(&[entry(7, 2)]).await;
    tokio::time::sleep(retention * 3).await;
    writer.write(&[entry(7, 3)]).await;
    let mut edge = notifier.edge().await;
    let to = edge.subscribe(2, customer(7), &token).await;

    let from = [after(&first)];
    let replayed = edge.replay(customer(7), &token, &from, &to).await.unwrap();

    assert_eq!(replayed.numbers(), [0; 0]);
    assert_eq!(replayed.gap, Some((to[0].clone(), "cursor_too_old".to_owned())));
    // The same for a scope over both partitions, one of which lost nothing.
    let all = edge.subscribe(3, everything(), &token).await;
    let replayed = edge.replay(everything(), &token, &old, &all).await.unwrap();
    assert_eq!(replayed.numbers(), [0; 0]);
    assert_eq!(replayed.gap.unwrap().1, "cursor_too_old");
}

#[tokio::test(start_paused = true)]
async fn a_place_of_another_epoch_is_lost() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let old = edge.subscribe(1, customer(7), &token).await;
    writer.write(&[entry(7, 1)]).await;
    edge.event().await;
    writer.write_after_loss(&[entry(7, 2)]).await;
    edge.gap().await;
    edge.event().await;
    let to = edge.subscribe(2, customer(7), &token).await;

    let replayed = edge.replay(customer(7), &token, &old, &to).await.unwrap();
    assert_eq!(replayed.numbers(), [0; 0]);
    assert_eq!(replayed.gap, Some((to[0].clone(), "log_lost".to_owned())));

    // And when the epoch ends between the subscription and the replay.
    writer.write_after_loss(&[entry(7, 3)]).await;
    edge.gap().await;
    let replayed = edge.replay(customer(7), &token, &start(&to), &to).await.unwrap();
    assert_eq!(replayed.gap.unwrap().1, "log_lost");
}

#[tokio::test(start_paused = true)]
async fn a_moment_stands_for_a_place_if_the_epoch_is_older() {
    let world = World::with_partitions(2);
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let born = world.clock.now().as_millis();
    tokio::time::sleep(Duration::from_secs(1)).await;
    writer.write(&[entry(7, 1)]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let moment = world.clock.now().as_millis();
    writer.write(&[entry(7, 2), entry(7, 3)]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let to = edge.subscribe(1, everything(), &token).await;

    for (millis, numbers) in [(moment, vec![2, 3]), (moment + 1, vec![]), (born, vec![1, 2, 3])] {
        let replayed = edge.replay(everything(), &token, &since(&to, millis), &to).await.unwrap();
        assert_eq!(replayed.numbers(), numbers);
        assert_eq!(replayed.gap, None);
    }

    let from = since(&to, born - 1);
    let replayed = edge.replay(everything(), &token, &from, &to).await.unwrap();
    assert_eq!(replayed.gap.unwrap().1, "log_lost");
    let replayed = edge.replay(everything(), &token, &from[..1], &to).await.unwrap();
    assert_eq!(replayed.gap.unwrap().1, "log_lost");
}

#[tokio::test(start_paused = true)]
async fn a_place_ahead_of_the_end_is_nothing_missed() {
    let world = World::new();
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let to = edge.subscribe(1, customer(7), &token).await;
    writer.write(&[entry(7, 1)]).await;
    let ahead = after(&edge.event().await);

    let replayed = edge.replay(customer(7), &token, &[ahead], &to).await.unwrap();

    assert_eq!(replayed.numbers(), [0; 0]);
    assert_eq!(replayed.gap, None);
}

#[tokio::test(start_paused = true)]
async fn memory_serves_replays_while_the_store_is_away_and_the_log_cannot() {
    let world = World::with_partitions(2);
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    writer.write(&[entry(7, 1)]).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    writer.write(&[entry(7, 2)]).await;
    let to = edge.subscribe(1, customer(7), &token).await;
    let recent = since(&to, world.clock.now().as_millis() - 1_000);
    world.ledger.shut(true);

    let replayed = edge.replay(customer(7), &token, &recent, &to).await.unwrap();
    assert_eq!(replayed.numbers(), [2]);
    let refused = edge.replay(customer(7), &token, &start(&to), &to).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(reason_of(&refused).as_deref(), Some("STORE_UNAVAILABLE"));

    world.ledger.shut(false);
    let replayed = edge.replay(customer(7), &token, &start(&to), &to).await.unwrap();
    assert_eq!(replayed.numbers(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_replays_at_once_leave_the_store_alone_and_live_events_on_time() {
    let world = World::with_partitions(2);
    let notifier = world.start("n").await;
    let mut writer = world.writer();
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let to = edge.subscribe(1, customer(7), &token).await;
    let from = start(&to);
    for number in 0..10 {
        writer.write(&[entry(7, number)]).await;
        edge.event().await;
    }
    edge.unsubscribe(1).await;
    let to = edge.subscribe(2, customer(7), &token).await;
    let reads = world.ledger.reads_at_once();
    let mut live = notifier.edge().await;
    live.subscribe(1, customer(8), &token).await;

    let mut replays = JoinSet::new();
    for _ in 0..10_000 {
        let (client, token) = (notifier.client.clone(), token.clone());
        let (from, to) = (from.clone(), to.clone());
        replays.spawn(async move {
            loop {
                match replay(client.clone(), customer(7), &token, &from, &to).await {
                    // More than are served at once are told to come again.
                    Err(status) if status.code() == Code::ResourceExhausted => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    replayed => return replayed,
                }
            }
        });
    }
    for number in 100..110 {
        let written = Instant::now();
        writer.write(&[entry(8, number)]).await;
        assert_eq!(event(&live.event().await).time_us, number);
        assert!(written.elapsed() < Duration::from_millis(100), "{:?}", written.elapsed());
    }

    let mut replayed = Vec::new();
    while let Some(one) = replays.try_join_next() {
        replayed.push(one.unwrap().unwrap());
    }
    let before = replayed.len();
    assert!(before < 5_000, "live events waited for {before} replays");
    while let Some(one) = replays.join_next().await {
        replayed.push(one.unwrap().unwrap());
    }
    assert_eq!(replayed.len(), 10_000);
    for one in &replayed {
        assert!(one.gap.is_none() && one.numbers().into_iter().eq(0..10), "{one:?}");
    }
    assert_eq!(world.ledger.reads_at_once(), reads, "memory was enough for all");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_a_request_is_named() {
    let world = World::with_partitions(2);
    let notifier = world.start("n").await;
    let mut edge = notifier.edge().await;
    let token = world.admin();
    let to = edge.subscribe(1, everything(), &token).await;
    let nonsense: Vec<_> =
        to.iter().map(|place| Place { epoch: "nonsense".to_owned(), ..place.clone() }).collect();

    for (from, to, field) in [
        (&to[..], &to[..1], "to"),
        (&to[..], &nonsense[..], "to.epoch"),
        (&nonsense[..], &to[..], "from.epoch"),
    ] {
        let refused = edge.replay(everything(), &token, from, to).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(mesh::fault::metadata_of(&refused)["field"], field);
    }
    let scope = proto::notifier::v1::Scope { of: None };
    let refused = edge.replay(scope, &token, &to, &to).await.unwrap_err();
    assert_eq!(mesh::fault::metadata_of(&refused)["field"], "scope");
}
