//! Webhooks, posted to a real HTTP server.

use std::time::Duration;

use aws_lc_rs::hmac;
use mesh::ledger::memory::MemoryConfig;
use mesh::testing::eventually;
use notifier::Config;
use notifier::webhooks;
use proto::call::v1::{CallInfo, CallRef, State};
use proto::switch::v1::LogEntry;
use proto::switch::v1::log_entry::Body;

use crate::support::{PATIENCE, World};
use mesh::testing::hooks::{Answers, Hooks};

/// A state of a call that is to be posted.
fn state(world: &World, call: &str, sequence: i64, target: &Hooks) -> LogEntry {
    let info = CallInfo {
        call: Some(CallRef { id: call.to_owned(), tag: Some("t".to_owned()) }),
        state: State::Ringing.into(),
        sequence,
        i_customer: 7,
        ..CallInfo::default()
    };
    LogEntry {
        i_customer: 7,
        time_us: world.clock.now().as_micros(),
        callbacks: vec![target.url()],
        body: Some(Body::CallState(info)),
        ..LogEntry::default()
    }
}

fn config() -> webhooks::Config {
    webhooks::Config {
        allow_private: true,
        attempt_timeout: Duration::from_millis(300),
        lease: Duration::from_millis(900),
        ..webhooks::Config::default()
    }
}

fn world(webhooks: webhooks::Config) -> World {
    World::with(MemoryConfig::default(), Config { webhooks, ..Config::default() })
}

fn sequences(target: &Hooks, call: &str) -> Vec<i64> {
    let keys = target.posted().into_iter().map(|posted| posted.key());
    keys.filter(|(id, _)| id == call).map(|(_, sequence)| sequence).collect()
}

#[tokio::test]
async fn posts_are_signed_and_come_in_order_with_their_event_ids() {
    let file = std::env::temp_dir().join(format!("secrets-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, "7 = hush\n").unwrap();
    let world = world(webhooks::Config { secret_file: Some(file.clone()), ..config() });
    let target = Hooks::start(Answers::With(204)).await;
    let running = world.start("notifier").await;

    let mut entries = Vec::new();
    for sequence in 1..=10 {
        for call in ["n.a", "n.b"] {
            entries.push(state(&world, call, sequence, &target));
        }
    }
    world.writer().write(&entries).await;
    let posted = target.until(20).await;

    let all: Vec<i64> = (1..=10).collect();
    assert_eq!((sequences(&target, "n.a"), sequences(&target, "n.b")), (all.clone(), all));
    assert_eq!(target.most_open().1, 0, "never two of a call at a time");
    let mut ids: Vec<_> = posted.iter().map(|it| it.body["event_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    for it in posted {
        let signature = &it.headers["x-cordboard-signature"];
        let (time, hex) = signature.split_once(',').unwrap();
        let signed = format!("{}.{}", time.strip_prefix("t=").unwrap(), it.text);
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
        let expected = hmac::sign(&key, signed.as_bytes());
        let expected: Vec<_> = expected.as_ref().iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(hex.strip_prefix("v1=").unwrap(), expected.concat());
        assert_eq!(it.headers["content-type"], "application/json");
    }
    running.stop().await;
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_post_that_fails_is_tried_again_before_the_next_of_its_call() {
    let world = world(config());
    let target = Hooks::start(Answers::With(503)).await;
    let running = world.start("notifier").await;
    world
        .writer()
        .write(&[state(&world, "n.a", 1, &target), state(&world, "n.a", 2, &target)])
        .await;

    target.until(2).await;
    target.answer(Answers::With(200));
    eventually(PATIENCE, "the second comes", || async {
        let seen = sequences(&target, "n.a");
        if seen.last() == Some(&2) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;

    let posted = target.posted();
    assert!(posted.len() >= 4, "{}", posted.len());
    let (second, first) = posted.split_last().unwrap();
    assert!(first.iter().all(|it| it.key().1 == 1 && it.text == first[0].text));
    assert_eq!(second.key().1, 2);
    running.stop().await;
}

#[tokio::test]
async fn a_target_that_never_answers_has_four_places_and_delays_no_other() {
    let world = world(config());
    let dead = Hooks::start(Answers::Never).await;
    let fine = Hooks::start(Answers::With(200)).await;
    let running = world.start("notifier").await;

    let mut entries = Vec::new();
    for number in 0..40 {
        entries.push(state(&world, &format!("n.dead{number}"), 1, &dead));
        entries.push(state(&world, &format!("n.fine{number}"), 1, &fine));
    }
    world.writer().write(&entries).await;

    fine.until(40).await;
    dead.until(9).await;
    assert_eq!(dead.most_open().0, 4);
    running.stop().await;
}

#[tokio::test]
async fn a_restart_loses_none_and_goes_on_in_order() {
    for is_cut_off in [false, true] {
        let world = world(config());
        let target = Hooks::start(Answers::With(200)).await;
        let first = world.start("first").await;
        let mut writer = world.writer();
        writer.write(&[state(&world, "n.a", 1, &target)]).await;
        target.until(1).await;
        target.answer(Answers::With(500));
        writer.write(&[state(&world, "n.a", 2, &target)]).await;
        target.until(2).await;

        // One that is cut off gives nothing back: its time has to run out.
        world.ledger.shut(is_cut_off);
        first.stop().await;
        world.ledger.shut(false);
        writer.write(&[state(&world, "n.a", 3, &target), state(&world, "n.b", 1, &target)]).await;
        target.answer(Answers::With(200));
        let before = sequences(&target, "n.a").len();
        let second = world.start("second").await;
        eventually(PATIENCE, "the rest comes", || async {
            let seen = sequences(&target, "n.a");
            let is_all = seen.last() == Some(&3) && !sequences(&target, "n.b").is_empty();
            if is_all { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;

        // Whoever is cut off could not say how far it was: what it sent comes once more, in order.
        let mut seen = sequences(&target, "n.a");
        let again = seen.get(before..).unwrap_or_default();
        assert!(again.is_sorted() && (is_cut_off || seen.is_sorted()), "{seen:?}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2, 3]);
        second.stop().await;
    }
}

#[tokio::test]
async fn of_several_notifiers_one_posts() {
    let world = world(config());
    let target = Hooks::start(Answers::With(200)).await;
    let (first, second) = (world.start("first").await, world.start("second").await);
    let entries: Vec<_> = (1..=30).map(|number| state(&world, "n.a", number, &target)).collect();
    let mut writer = world.writer();

    for entry in entries {
        writer.write(&[entry]).await;
    }
    target.until(30).await;

    assert_eq!(sequences(&target, "n.a"), (1..=30).collect::<Vec<i64>>(), "each once");
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn without_the_store_what_is_known_is_sent_and_the_rest_when_it_is_back() {
    let world = world(webhooks::Config { lease: Duration::from_secs(30), ..config() });
    let target = Hooks::start(Answers::With(503)).await;
    let running = world.start("notifier").await;
    let mut writer = world.writer();
    writer.write(&[state(&world, "n.a", 1, &target)]).await;
    target.until(1).await;

    world.ledger.shut(true);
    target.answer(Answers::With(200));
    eventually(PATIENCE, "the first is taken", || async {
        let count = target.posted().len();
        if count >= 2 { Ok(()) } else { Err(format!("{count} attempts")) }
    })
    .await;
    writer.write(&[state(&world, "n.a", 2, &target)]).await;
    world.ledger.shut(false);

    eventually(PATIENCE, "the second comes", || async {
        let seen = sequences(&target, "n.a");
        if seen.last() == Some(&2) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    running.stop().await;
}
