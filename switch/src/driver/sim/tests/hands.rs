use serde_json::json;

use super::*;

async fn ring_manually(bench: &mut Bench, channel: &str, account_id: &str) {
    bench.sim.set_behaviour(account_id, Behaviour::Manual {}).await.unwrap();
    bench.dial(channel, phone(account_id)).await;
    assert_eq!(bench.next_event().await, ringing(channel));
}

fn sentence(result: Result<(), HandError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn answer_takes_the_call_that_rings_longest() {
    let mut bench = Bench::new();
    ring_manually(&mut bench, "z", "101").await;
    ring_manually(&mut bench, "a", "101").await;

    bench.sim.phone_hand("101", Hand::Answer, None).await.unwrap();

    assert_eq!(bench.next_event().await, answered("z"));
}

#[tokio::test(start_paused = true)]
async fn a_hand_acts_on_the_call_that_it_names() {
    let mut bench = Bench::new();
    ring_manually(&mut bench, "a", "101").await;
    ring_manually(&mut bench, "b", "101").await;

    bench.sim.phone_hand("101", Hand::Decline, Some("call-b")).await.unwrap();

    assert_eq!(bench.next_event().await, refused("b", 603));
    let unknown = bench.sim.phone_hand("101", Hand::Answer, Some("call-b")).await;
    assert_eq!(sentence(unknown), "no call rings");
}

#[tokio::test(start_paused = true)]
async fn hanging_up_ends_all_calls_and_declines_those_that_ring() {
    let mut bench = Bench::new();
    bench.talk("a", "101").await;
    ring_manually(&mut bench, "b", "101").await;
    bench.sim.dial("101", "102").await.unwrap();
    let placed = bench.next_offer().await;

    bench.sim.phone_hand("101", Hand::Hangup, None).await.unwrap();

    assert_eq!(bench.next_event().await, hung_up("a"));
    assert_eq!(bench.next_event().await, refused("b", 603));
    assert_eq!(bench.next_event().await, hung_up(&placed.0));
    assert_eq!(bench.sim.channels().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn hold_and_resume_take_the_call_spoken_on() {
    let mut bench = Bench::new();
    bench.talk("a", "101").await;
    bench.talk("b", "101").await;
    ring_manually(&mut bench, "c", "101").await;

    bench.sim.phone_hand("101", Hand::Hold, None).await.unwrap();
    assert_eq!(bench.next_event().await, Event::Held { channel: id("b") });
    bench.label("b", "holding").await;
    bench.sim.phone_hand("101", Hand::Hold, None).await.unwrap();
    assert_eq!(bench.next_event().await, Event::Held { channel: id("a") });
    bench.sim.phone_hand("101", Hand::Resume, None).await.unwrap();
    assert_eq!(bench.next_event().await, Event::Resumed { channel: id("b") });
}

#[tokio::test(start_paused = true)]
async fn a_hand_with_nothing_to_act_on_is_told_so() {
    let bench = Bench::new();
    let mut told = Vec::new();

    for hand in [Hand::Answer, Hand::Decline, Hand::Hangup, Hand::Hold, Hand::Resume] {
        told.push(sentence(bench.sim.phone_hand("101", hand, None).await));
    }

    assert_eq!(
        told,
        [
            "no call rings",
            "no call rings",
            "there is no call",
            "no call is spoken on",
            "no call is on hold"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_no_account_has_is_unknown() {
    let bench = Bench::new();

    assert!(matches!(bench.sim.phone("999").await, Err(HandError::NoPhone(_))));
    assert!(matches!(bench.sim.dial("999", "101").await, Err(HandError::NoPhone(_))));
    assert!(matches!(bench.sim.phone("broken").await, Err(HandError::Phonebook(_))));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_dials_is_told_its_call() {
    let mut bench = Bench::new();

    let label = bench.sim.dial("101", "102").await.unwrap();

    assert_eq!((label.call_id.as_str(), label.tag.as_str()), ("call-1", "tag-1"));
    let Event::Offered { origin, dialled, .. } = bench.next_event().await else { panic!() };
    assert_eq!(origin, Origin::Phone { account_id: "101".to_owned() });
    assert_eq!(dialled, "102");
    assert_eq!(bench.sim.phone("101").await.unwrap().state, "trying");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_engine_refuses_leaves_no_channel() {
    let bench = Bench::new();
    *bench.label.lock() = None;

    let refused = bench.sim.dial("101", "102").await;

    assert!(matches!(refused, Err(HandError::CallRefused)));
    assert_eq!(bench.sim.channels().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_engine_is_silent_on_is_given_up() {
    let (signals, never_read) = mpsc::channel(8);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let deps = Deps { accounts: Arc::new(Accounts), signals, crash: None, tasks, stop };
    let sim = Sim::new(&Config::default(), deps);
    let started = Instant::now();

    let late = sim.dial("101", "102").await;

    assert!(matches!(late, Err(HandError::CallNotTaken)));
    assert_eq!(started.elapsed(), OFFER_TIMEOUT);
    assert_eq!(sim.channels().await.unwrap(), []);
    drop(never_read);
}

/// A switch whose engine takes its time before it says that an event is handled, and answers
/// `inner` when `b` answers.
fn slow_engine(took: Duration) -> (Arc<Sim>, CancellationToken) {
    let (signals, mut received) = mpsc::channel::<Signal>(8);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let deps = Deps {
        accounts: Arc::new(Accounts),
        signals,
        crash: None,
        tasks: tasks.clone(),
        stop: stop.clone(),
    };
    let sim = Sim::new(&Config { speed: 0.0, ..Config::default() }, deps);
    let driver = Arc::clone(&sim);
    tasks.spawn(async move {
        let mut inner = None;
        while let Some(Signal { event, handled, .. }) = received.recv().await {
            match event {
                Event::Offered { channel, .. } => inner = Some(channel),
                Event::Answered { channel } if channel == id("b") => {
                    let channel = inner.take().unwrap();
                    driver.run(Op::Answer { channel }).await.unwrap();
                }
                _ => {}
            }
            if let Some(handled) = handled {
                tokio::time::sleep(took).await;
                drop(handled.send(Handled::default()));
            }
        }
    });
    (sim, stop)
}

#[tokio::test(start_paused = true)]
async fn a_hand_waits_for_what_comes_of_it_across_a_join() {
    for (took, expected) in [(100, Duration::from_millis(200)), (60_000, HAND_TIMEOUT)] {
        let (sim, stop) = slow_engine(Duration::from_millis(took));
        sim.set_behaviour("102", Behaviour::Manual {}).await.unwrap();
        for (channel, endpoint) in
            [("outer", Endpoint::Join { number: "102".to_owned() }), ("b", phone("102"))]
        {
            let (shown, label) = (Shown::default(), Label::default());
            sim.run(Op::Dial { channel: id(channel), endpoint, shown, label }).await.unwrap();
        }
        let started = Instant::now();

        sim.phone_hand("102", Hand::Answer, None).await.unwrap();

        assert_eq!(started.elapsed(), expected);
        stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_pressed_one_after_another() {
    let mut bench = Bench::new();
    bench.talk("a", "101").await;
    let (start, _) = {
        bench.sim.phone_keys("101", "9", 0, None).await.unwrap();
        bench.next().await
    };

    bench.sim.phone_keys("101", "1#", 50, None).await.unwrap();

    let digit = |digit| Event::Digit { channel: id("a"), digit };
    assert_eq!(bench.next().await, (start, digit('1')));
    assert_eq!(bench.next().await, (start + 50, digit('#')));
}

#[tokio::test(start_paused = true)]
async fn keys_end_with_the_call() {
    let mut bench = Bench::new();
    bench.talk("a", "101").await;

    let (pressed, ()) = tokio::join!(bench.sim.phone_keys("101", "12", 1000, None), async {
        bench.hangup(id("a"), 487, "BYE Received").await;
    });

    pressed.unwrap();
    assert_eq!(bench.next_event().await, Event::Digit { channel: id("a"), digit: '1' });
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_far_end_of_the_trunk_has_hands_too() {
    let mut bench = Bench::new();
    let from = Shown { number: "12065550100".to_owned(), name: "Mary Smith".to_owned() };
    let label = bench.sim.trunk_call(from.clone(), "101").await.unwrap();
    let Event::Offered { channel, origin, .. } = bench.next_event().await else { panic!() };
    assert_eq!(origin, Origin::Trunk { from });
    bench.run(Op::Answer { channel: channel.clone() }).await;
    bench.label_as(channel.clone(), "call-1", "tag-1", "connected").await;

    bench.sim.leg_hand(&label.tag, Hand::Hold).await.unwrap();
    assert_eq!(bench.next_event().await, Event::Held { channel: channel.clone() });
    bench.sim.leg_keys(&label.tag, "5", 0).await.unwrap();
    assert_eq!(bench.next_event().await, Event::Digit { channel: channel.clone(), digit: '5' });
    bench.sim.leg_hand(&label.tag, Hand::Hangup).await.unwrap();
    assert_eq!(bench.next_event().await, hung_up(&channel.0));

    let again = bench.sim.leg_hand(&label.tag, Hand::Hangup).await;
    assert_eq!(sentence(again), "the leg has ended");
    assert_eq!(sentence(bench.sim.leg_hand("x", Hand::Hold).await), "no leg `x` on the trunk");
}

#[tokio::test(start_paused = true)]
async fn an_ended_leg_of_the_trunk_can_be_read_for_ten_minutes() {
    let mut bench = Bench::new();
    bench.dial("a", trunk("12065550100")).await;
    assert_eq!(bench.next_event().await, ringing("a"));
    assert_eq!(bench.next_event().await, answered("a"));
    let view =
        |bench: &Bench| bench.sim.trunk_leg("a").map(|leg| serde_json::to_value(leg).unwrap());
    assert_eq!(view(&bench).unwrap()["hears"], "silence");

    bench.sim.leg_hand("a", Hand::Hangup).await.unwrap();

    let ended =
        json!({"state": "terminated", "reason": "BYE Received", "reason_code": 487, "hears": []});
    assert_eq!(view(&bench).unwrap(), ended);
    tokio::time::sleep(Duration::from_secs(599)).await;
    assert_eq!(view(&bench).unwrap(), ended);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(view(&bench), Err(HandError::NoLeg(_))));
}

#[tokio::test(start_paused = true)]
async fn an_ended_leg_says_why() {
    let bench = Bench::new();
    let reason = |tag: &str| match bench.sim.trunk_leg(tag).unwrap() {
        TrunkLegView::Ended(ended) => (ended.reason_code, ended.reason),
        TrunkLegView::Alive(leg) => panic!("{leg:?}"),
    };
    let text = |code: u16, text: &str| (code, text.to_owned());

    bench.dial("ordered", trunk("12065550000")).await;
    bench.hangup(id("ordered"), 487, "Answer Leg Disconnected Via Call Control API").await;
    bench.dial("busy", trunk("12065550486")).await;
    bench.dial("declined", trunk("12065550000")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.sim.leg_hand("declined", Hand::Hangup).await.unwrap();
    let from = Shown { number: "12065550100".to_owned(), name: String::new() };
    bench.sim.trunk_call(from, "101").await.unwrap();
    bench.sim.leg_hand("tag-1", Hand::Hangup).await.unwrap();

    assert_eq!(reason("ordered"), text(487, "Answer Leg Disconnected Via Call Control API"));
    assert_eq!(reason("busy"), text(486, "Busy Here"));
    assert_eq!(reason("declined"), text(603, "Decline"));
    assert_eq!(reason("tag-1"), text(487, "Request Terminated"));
}

#[tokio::test(start_paused = true)]
async fn a_leg_is_found_by_its_newest_tag() {
    let bench = Bench::new();
    bench.dial("a", trunk("12065550000")).await;

    bench.label_as(id("a"), "call-b", "b", "trying").await;

    assert!(bench.sim.trunk_leg("a").is_err());
    assert!(bench.sim.trunk_leg("b").is_ok());
}
