//! The order of posts, under any history.

use proptest::prelude::*;

use mesh::outward::Rules;

use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn post(partition: Partition, sequence: u64, call: &str, target: &str) -> Post {
    Post {
        partition,
        life: 0,
        position: Position { millis: 1, sequence },
        i_customer: 1,
        call_id: call.to_owned(),
        target: target.to_owned(),
        address: Address::parse(&format!("http://{target}/hook"), Rules::default()).unwrap(),
        body: Bytes::from_static(b"{}"),
    }
}

fn same(pause: Duration) -> Duration {
    pause
}

#[test]
fn of_a_call_the_next_goes_when_the_one_before_is_done() {
    let now = Instant::now();
    let mut due = Deliveries::new(1 << 20);
    due.push(post(0, 1, "c", "a"), now + HOUR);
    due.push(post(0, 2, "c", "a"), now + HOUR);

    let (first, sent) = due.next(now).unwrap();
    assert_eq!(sent.position.sequence, 1);
    assert_eq!(due.next(now), None);
    assert_eq!(due.ended(&first, Outcome::Taken, now, same), Fate::Done);
    let (_, sent) = due.next(now).unwrap();
    assert_eq!(sent.position.sequence, 2);
    assert_eq!(due.first_open(0, 0).unwrap().sequence, 2);
}

#[test]
fn a_failure_is_tried_again_after_longer_and_longer_pauses_until_its_time_is_over() {
    let start = Instant::now();
    let mut due = Deliveries::new(1 << 20);
    due.push(post(0, 1, "c", "a"), start + Duration::from_mins(5));
    due.push(post(0, 2, "c", "a"), start + Duration::from_mins(5));

    let mut now = start;
    let mut pauses = Vec::new();
    loop {
        let (attempt, sent) = due.next(now).unwrap();
        assert_eq!(sent.position.sequence, 1);
        if due.ended(&attempt, Outcome::Failed, now, same) == Fate::GivenUp {
            break;
        }
        let at = due.next_deadline().unwrap();
        assert_eq!(due.next(now), None, "it rests");
        pauses.push((at - now).as_millis());
        now = at;
    }

    assert_eq!(pauses[..8], [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    assert!(now - start >= Duration::from_mins(5));
    let (attempt, sent) = due.next(now).unwrap();
    assert_eq!(sent.position.sequence, 2, "each is tried once at least");
    assert_eq!(due.ended(&attempt, Outcome::Failed, now, same), Fate::GivenUp);
    assert_eq!((due.bytes(), due.first_open(0, 0)), (0, None));
    assert!(due.known_targets().is_empty());
}

#[test]
fn a_target_that_does_not_answer_delays_no_other() {
    let now = Instant::now();
    let mut due = Deliveries::new(1 << 20);
    for number in 0..100 {
        due.push(post(0, number, &format!("c{number}"), "dead"), now + HOUR);
    }
    due.push(post(0, 200, "x", "fine"), now + HOUR);

    let mut sent = Vec::new();
    while let Some((_, post)) = due.next(now) {
        sent.push(post.target.clone());
    }
    sent.sort();
    assert_eq!(sent, ["dead", "dead", "dead", "dead", "fine"]);
}

#[test]
fn over_the_bound_the_target_for_which_most_waits_loses_its_newest() {
    let now = Instant::now();
    let weight = post(0, 1, "c", "dead").weight();
    let mut due = Deliveries::new(weight * 10);
    for number in 0..20 {
        due.push(post(0, number, "c", "dead"), now + HOUR);
    }
    assert_eq!(due.push(post(0, 30, "x", "fine"), now + HOUR), 1);

    assert!(due.bytes() <= weight * 10);
    let (_, first) = due.next(now).unwrap();
    assert_eq!((first.target.as_str(), first.position.sequence), ("dead", 0));
    let (_, second) = due.next(now).unwrap();
    assert_eq!(second.target, "fine");
}

#[test]
fn what_was_let_go_is_sent_no_more() {
    let now = Instant::now();
    let mut due = Deliveries::new(1 << 20);
    due.push(post(0, 1, "c", "a"), now + HOUR);
    due.push(post(1, 1, "d", "a"), now + HOUR);
    let (attempt, _) = due.next(now).unwrap();

    due.let_go(0);
    due.push(post(0, 1, "c", "a"), now + HOUR);

    assert_eq!(due.ended(&attempt, Outcome::Taken, now, same), Fate::Forgotten);
    let rest: Vec<_> =
        std::iter::from_fn(|| due.next(now)).map(|(_, it)| it.call_id.clone()).collect();
    assert_eq!(rest, ["d", "c"], "taken up again, it is sent again");
}

#[test]
fn nothing_is_kept_of_a_target_whose_posts_were_let_go() {
    let now = Instant::now();
    let mut due = Deliveries::new(1 << 20);
    due.push(post(0, 1, "c", "a"), now + HOUR);

    due.let_go(0);

    assert_eq!(due.next(now), None);
    assert_eq!(due.bytes(), 0);
    assert!(due.known_targets().is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Push { call: u8, target: u8 },
    Send,
    End { which: usize, is_taken: bool },
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, 0..3_u8).prop_map(|(call, target)| Step::Push { call, target }),
        4 => Just(Step::Send),
        3 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, is_taken)| Step::End { which, is_taken }),
        1 => Just(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens: in order for each call and target, one in flight of each, four for a
    /// target, and the first open position is that of the oldest post not done.
    #[test]
    fn posts_go_in_order_and_none_is_forgotten(steps in prop::collection::vec(step(), 1..200)) {
        let mut now = Instant::now();
        let mut due = Deliveries::new(usize::MAX);
        let mut open: Vec<(u64, String, String)> = Vec::new();
        let mut flying: Vec<(Attempt, Arc<Post>)> = Vec::new();
        let mut pushed = 0;
        for step in steps {
            match step {
                Step::Push { call, target } => {
                    pushed += 1;
                    let (call, target) = (format!("c{call}"), format!("t{target}"));
                    due.push(post(0, pushed, &call, &target), now + HOUR);
                    open.push((pushed, call, target));
                }
                Step::Send => {
                    let Some((attempt, post)) = due.next(now) else { continue };
                    let of = |it: &&(u64, String, String)| {
                        it.1 == post.call_id && it.2 == post.target
                    };
                    let first = open.iter().find(of).unwrap();
                    prop_assert_eq!(first.0, post.position.sequence, "in order");
                    let is_same = |(_, it): &&(Attempt, Arc<Post>)| {
                        it.call_id == post.call_id && it.target == post.target
                    };
                    prop_assert!(!flying.iter().any(|it| is_same(&it)), "one at a time");
                    flying.push((attempt, post));
                    for target in ["t0", "t1", "t2"] {
                        let count = flying.iter().filter(|(_, it)| it.target == target).count();
                        prop_assert!(count <= PER_TARGET);
                    }
                }
                Step::End { which, is_taken } => {
                    if flying.is_empty() {
                        continue;
                    }
                    let (attempt, post) = flying.swap_remove(which % flying.len());
                    let outcome = if is_taken { Outcome::Taken } else { Outcome::Failed };
                    let fate = due.ended(&attempt, outcome, now, same);
                    prop_assert_eq!(fate, if is_taken { Fate::Done } else { Fate::Again });
                    if is_taken {
                        open.retain(|it| it.0 != post.position.sequence);
                    }
                }
                Step::Pass => now += LONGEST_PAUSE,
            }
            let first = open.iter().map(|it| it.0).min();
            prop_assert_eq!(due.first_open(0, 0).map(|it| it.sequence), first);
            prop_assert_eq!(due.in_flight(), flying.len());
        }
        // In the end everything is sent.
        for (attempt, _) in flying {
            due.ended(&attempt, Outcome::Failed, now, same);
        }
        now += LONGEST_PAUSE;
        let mut sent = 0;
        while let Some((attempt, _)) = due.next(now) {
            due.ended(&attempt, Outcome::Taken, now, same);
            sent += 1;
        }
        prop_assert_eq!(sent, open.len());
        prop_assert_eq!(due.bytes(), 0);
        prop_assert!(due.known_targets().is_empty());
    }
}
