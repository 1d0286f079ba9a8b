//! Who listens to an access number is known to the engine, and for how long.

use std::time::Duration;

use mesh::ledger::{Ledger as _, Presence};
use mesh::testing::eventually;
use tokio::time::advance;

use crate::support::{PATIENCE, World, access_number, customer};

const NUMBER: &str = "1733355700";

async fn presence(world: &World) -> Presence {
    world.ledger.presence(3, NUMBER).await.unwrap()
}

async fn until_present(world: &World, listeners: u64) -> Presence {
    eventually(PATIENCE, "presence", || async {
        let found = presence(world).await;
        if found.listeners == listeners { Ok(found) } else { Err(format!("{found:?}")) }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn whoever_has_been_told_that_it_listens_is_present() {
    let world = World::new();
    let notifier = world.start("notifier").await;
    let mut edge = notifier.edge().await;

    edge.subscribe(1, customer(3), &world.admin()).await;
    assert_eq!(presence(&world).await, Presence::default());
    edge.subscribe(2, access_number(3, NUMBER), &world.admin()).await;

    let found = presence(&world).await;
    assert_eq!((found.listeners, found.remaining), (1, Duration::from_secs(10)));
    assert_eq!(world.ledger.presence(4, NUMBER).await.unwrap(), Presence::default());
    notifier.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_listener_stays_present_and_is_forgotten_ten_seconds_after_it_has_left() {
    let world = World::new();
    let notifier = world.start("notifier").await;
    let mut edge = notifier.edge().await;
    edge.subscribe(1, access_number(3, NUMBER), &world.admin()).await;

    for _ in 0..60 {
        advance(Duration::from_secs(1)).await;
        // A renewal may be due at this very moment.
        let least = Duration::from_secs(6);
        eventually(PATIENCE, "renewed presence", || async {
            let found = presence(&world).await;
            if found.remaining >= least { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    edge.unsubscribe(1).await;
    let gone_at = world.clock.now().plus(Duration::from_secs(10));
    until_present(&world, 0).await;
    let late = world.clock.now().since(gone_at);
    assert!(late < Duration::from_secs(1), "{late:?}");
    notifier.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_of_several_listeners_decides() {
    let world = World::new();
    let notifier = world.start("notifier").await;
    let mut first = notifier.edge().await;
    let mut second = notifier.edge().await;
    first.subscribe(1, access_number(3, NUMBER), &world.admin()).await;
    second.subscribe(1, access_number(3, NUMBER), &world.admin()).await;
    let other = world.start("other").await;
    let mut third = other.edge().await;
    third.subscribe(1, access_number(3, NUMBER), &world.admin()).await;
    // One note a notifier.
    assert_eq!(presence(&world).await.listeners, 2);

    drop(first);
    drop(third);
    until_present(&world, 1).await;
    advance(Duration::from_secs(30)).await;
    until_present(&world, 1).await;

    drop(second);
    until_present(&world, 0).await;
    notifier.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_keeps_nobody_from_listening() {
    let world = World::new();
    let notifier = world.start("notifier").await;
    let mut edge = notifier.edge().await;

    world.ledger.shut(true);
    edge.subscribe(1, access_number(3, NUMBER), &world.admin()).await;
    assert_eq!(presence(&world).await, Presence::default());
    world.ledger.shut(false);

    until_present(&world, 1).await;
    notifier.stop().await;
}
