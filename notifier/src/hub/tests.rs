use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use bytes::Bytes;
use futures::FutureExt as _;
use mesh::caller::{Caller, Scope as Realm};
use mesh::ledger::{Epoch, Position};
use tokio::time::Instant;

use super::*;
use crate::domain::entry::{Entry, Era, Head, Place};
use crate::domain::frame::{Gap, Loss};

const PARTITIONS: u32 = 3;

fn place(partition: u32, sequence: u64) -> Place {
    let era = Era::new(Epoch { born_millis: 1, nonce: 1 });
    Place { partition, era, position: Position { millis: 0, sequence } }
}

/// A hub whose partitions stand at 0-0.
fn hub() -> Arc<Hub> {
    let hub = Hub::new(PARTITIONS, Duration::from_mins(1), 1 << 20);
    for partition in hub.partitions() {
        partition.start(place(partition.number, 0));
    }
    hub
}

fn publish(partition: &Partition, sequence: u64) {
    let place = place(partition.number, sequence);
    let position = place.position;
    let head = Head { i_customer: i64::from(partition.number), ..Head::default() };
    let entry = Entry { place, head, raw: Bytes::new(), read_at: Instant::now() };
    partition.publish(vec![Arc::new(entry)], position);
}

fn everything() -> Access {
    Access { scope: Scope::Everything, within: None }
}

fn caller() -> Arc<Caller> {
    Arc::new(Caller {
        session_id: "s".to_owned(),
        user: "u".to_owned(),
        login: "l".to_owned(),
        scope: Realm::Everything,
        role: "r".to_owned(),
        permissions: Vec::new(),
        is_super_user: false,
        epoch: 0,
        expires_at: 0,
    })
}

/// Publishes in every partition until `work` is done, also when it fails.
fn while_publishing<T>(hub: &Hub, work: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for partition in hub.partitions() {
            let is_over = &is_over;
            threads.spawn(move || {
                let going_on = || !is_over.load(Ordering::Relaxed);
                for sequence in (1..).take_while(|_| going_on()) {
                    publish(partition, sequence);
                    // Lets others at the lock, yet not after each event: then none would ever
                    // meet the one who joins.
                    if sequence % 64 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        }
        let _over = Over(&is_over);
        work()
    })
}

/// What waits.
fn drain(outbox: &Outbox) -> Vec<Frame> {
    drain_some(outbox, usize::MAX)
}

/// At most `limit` messages of what waits.
fn drain_some(outbox: &Outbox, limit: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    let next = || {
        let polled = poll_fn(|cx| Poll::Ready(outbox.poll_next(cx))).now_or_never().unwrap();
        if let Poll::Ready(frame) = polled { frame } else { None }
    };
    while frames.len() < limit
        && let Some(frame) = next()
    {
        frames.push(frame.unwrap());
    }
    frames
}

/// Checks one stay of a scope: first where it joined, then event after event of each partition.
fn check(frames: &[Frame]) {
    let Some((Frame::Subscribed { places, .. }, rest)) = frames.split_first() else {
        panic!("the places come first, not {:?}", frames.first());
    };
    let mut next: Vec<u64> = places.iter().map(|place| place.position.sequence + 1).collect();
    for frame in rest {
        let Frame::Event { entry, .. } = frame else { panic!("{frame:?}") };
        let next = &mut next[usize::try_from(entry.place.partition).unwrap()];
        assert_eq!(entry.place.position.sequence, *next, "one is missing, or comes twice");
        *next += 1;
    }
    assert!(!rest.is_empty(), "events were handed out meanwhile");
}

#[test]
fn whoever_joins_while_events_are_handed_out_gets_each_one_after_its_places() {
    let hub = hub();
    while_publishing(&hub, || {
        for _ in 0..300 {
            let outbox = hub.open(1 << 30);
            hub.join(&outbox, 1, &everything(), None);
            let joined = outbox.bytes();
            while outbox.bytes() == joined {
                std::thread::yield_now();
            }
            // Over to another caller and back, in the midst of it all.
            hub.join(&outbox, 1, &everything(), Some(&everything()));
            hub.leave(outbox.stream, 1, &everything());
            hub.close(outbox.stream);
            let mut frames = drain(&outbox);
            let second =
                frames.iter().skip(1).position(|it| matches!(it, Frame::Subscribed { .. }));
            frames.remove(second.unwrap() + 1);
            check(&frames);
        }
    });
}

#[test]
fn a_beat_says_no_place_before_the_events_up_to_it() {
    let hub = hub();
    while_publishing(&hub, || {
        let outbox = hub.open(1 << 30);
        hub.join(&outbox, 1, &everything(), None);
        let mut seen = vec![0; 3];
        for _ in 0..100 {
            hub.beat();
            // More come all the time.
            for frame in drain_some(&outbox, 10_000) {
                match frame {
                    Frame::Subscribed { places, .. } => {
                        seen = places.iter().map(|place| place.position.sequence).collect();
                    }
                    Frame::Event { entry, .. } => {
                        seen[usize::try_from(entry.place.partition).unwrap()] =
                            entry.place.position.sequence;
                    }
                    Frame::Beat { places, .. } => {
                        for (place, seen) in places.iter().zip(&seen) {
                            assert!(place.position.sequence <= *seen);
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    });
}

#[test]
fn a_stream_that_is_gone_leaves_nothing_behind() {
    let hub = hub();
    let outbox = hub.open(1 << 20);
    let mut scopes = LiveScopes::new(Arc::clone(&hub), Arc::clone(&outbox));
    for (scope_id, scope) in (0..).zip([
        Scope::Everything,
        Scope::Reseller { i_reseller: 1 },
        Scope::Customer { i_customer: 2 },
        Scope::Queue { i_customer: 3, i_c_queue: 1 },
    ]) {
        scopes.add(scope_id, Access { scope, within: None }, caller(), None);
    }
    // Again, and for something else.
    scopes.add(0, everything(), caller(), None);
    scopes.add(
        2,
        Access { scope: Scope::Customer { i_customer: 1 }, within: None },
        caller(),
        None,
    );
    assert_eq!((hub.figures().streams, hub.figures().scopes), (1, 4));
    assert!(hub.figures().buffered_bytes > 0);

    drop(scopes);

    drain(&outbox);
    for partition in hub.partitions() {
        publish(partition, 1);
        assert_eq!(partition.lock().index.outboxes().count(), 0);
    }
    assert_eq!(hub.figures(), Figures { streams: 0, scopes: 0, buffered_bytes: 0 });
}

#[test]
fn a_loss_is_told_once_to_each_stream_that_listens() {
    let hub = hub();
    let (near, far) = (hub.open(1 << 20), hub.open(1 << 20));
    let of = |scope| Access { scope, within: None };
    let customers = (1..100).map(|i_customer| Scope::Customer { i_customer });
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        customers.partition(|scope| scope.covers(PARTITIONS).start == 0);
    hub.join(&near, 1, &of(here[0].clone()), None);
    hub.join(&near, 2, &of(here[1].clone()), None);
    hub.join(&near, 3, &of(elsewhere[0].clone()), None);
    hub.join(&far, 1, &of(elsewhere[1].clone()), None);
    drain(&near);
    drain(&far);

    hub.partitions()[0].lose(place(0, 9), Loss::TooOld);

    let told = drain(&near);
    let [Frame::Gap(gap)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*gap, Gap { place: place(0, 9), loss: Loss::TooOld });
    assert!(drain(&far).is_empty());
}
