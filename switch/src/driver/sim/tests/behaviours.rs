use super::*;

async fn phone_that(behaviour: Behaviour) -> Bench {
    let bench = Bench::new();
    bench.sim.set_behaviour("101", behaviour).await.unwrap();
    bench.dial("a", phone("101")).await;
    bench
}

async fn number(number: &str) -> Bench {
    let bench = Bench::new();
    bench.dial("a", trunk(number)).await;
    bench
}

#[tokio::test(start_paused = true)]
async fn a_phone_rings_half_a_second_and_answers() {
    let mut bench = Bench::new();
    bench.dial("a", phone("101")).await;

    assert_eq!(bench.next().await, (10, ringing("a")));
    assert_eq!(bench.next().await, (510, answered("a")));
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_answers_after_the_time_that_it_was_told() {
    let mut bench = phone_that(Behaviour::AnswerAfter { ms: 3000 }).await;

    assert_eq!(bench.next().await, (10, ringing("a")));
    assert_eq!(bench.next().await, (3010, answered("a")));
}

#[tokio::test(start_paused = true)]
async fn a_manual_phone_rings_until_a_hand_answers() {
    let mut bench = phone_that(Behaviour::Manual {}).await;
    assert_eq!(bench.next_event().await, ringing("a"));
    bench.stays_quiet().await;

    bench.sim.phone_hand("101", Hand::Answer, None).await.unwrap();

    assert_eq!(bench.next_event().await, answered("a"));
}

#[tokio::test(start_paused = true)]
async fn a_busy_phone_refuses_without_ringing() {
    let mut bench = phone_that(Behaviour::Busy {}).await;

    assert_eq!(bench.next().await, (10, refused("a", 486)));
    assert_eq!(bench.sim.channels().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_declining_phone_rings_briefly() {
    let mut bench = phone_that(Behaviour::Decline {}).await;

    assert_eq!(bench.next().await, (10, ringing("a")));
    assert_eq!(bench.next().await, (210, refused("a", 603)));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_nobody_answers_rings_until_the_caller_gives_up() {
    let mut bench = phone_that(Behaviour::NoAnswer {}).await;
    assert_eq!(bench.next_event().await, ringing("a"));
    bench.stays_quiet().await;

    bench.hangup(id("a"), 480, "Temporarily Unavailable").await;

    assert_eq!(bench.sim.channels().await.unwrap(), []);
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_unregistered_phone_is_unavailable_at_once() {
    let mut bench = phone_that(Behaviour::Unregistered {}).await;

    assert_eq!(bench.next_event().await, registered("101", false));
    assert_eq!(bench.next().await, (0, refused("a", 480)));
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_registers_or_not_is_told_when_that_changes() {
    let mut bench = Bench::new();
    let behaves = async |bench: &Bench, behaviour| {
        bench.sim.set_behaviour("101", behaviour).await.unwrap();
    };

    behaves(&bench, Behaviour::Busy {}).await;
    behaves(&bench, Behaviour::Unregistered {}).await;
    behaves(&bench, Behaviour::Unregistered {}).await;
    assert_eq!(bench.next_event().await, registered("101", false));
    assert_eq!(bench.sim.unregistered().await.unwrap(), ["101"]);

    behaves(&bench, Behaviour::Manual {}).await;
    assert_eq!(bench.next_event().await, registered("101", true));
    assert!(bench.sim.unregistered().await.unwrap().is_empty());
    bench.stays_quiet().await;
}

fn registered(account_id: &str, is_registered: bool) -> Event {
    Event::Registered { account_id: account_id.to_owned(), is_registered }
}

#[tokio::test(start_paused = true)]
async fn a_behaviour_leaves_alone_what_rings_already() {
    let mut bench = phone_that(Behaviour::Manual {}).await;
    assert_eq!(bench.next_event().await, ringing("a"));

    bench.sim.set_behaviour("101", Behaviour::Busy {}).await.unwrap();
    bench.dial("b", phone("101")).await;

    assert_eq!(bench.next_event().await, refused("b", 486));
    bench.stays_quiet().await;
    assert_eq!(bench.sim.channels().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_call_leaves_the_first_as_it_is() {
    let mut bench = Bench::new();
    bench.talk("a", "101").await;

    bench.talk("b", "101").await;

    bench.stays_quiet().await;
    assert_eq!(bench.sim.phone("101").await.unwrap().calls.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn numbers_of_the_public_network_answer_after_ringing() {
    let mut bench = number("12065550100").await;

    assert_eq!(bench.next().await, (10, ringing("a")));
    assert_eq!(bench.next().await, (510, answered("a")));
}

#[tokio::test(start_paused = true)]
async fn numbers_refuse_with_the_code_that_they_end_in() {
    for (ends_in, code, rings) in
        [("486", 486, false), ("404", 404, false), ("603", 603, true), ("480", 480, true)]
    {
        let mut bench = number(&format!("12065550{ends_in}")).await;

        if rings {
            assert_eq!(bench.next().await, (10, ringing("a")));
        }
        assert_eq!(bench.next_event().await, refused("a", code));
        bench.stays_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_ends_in_000_rings_for_ever() {
    let mut bench = number("12065550000").await;

    assert_eq!(bench.next_event().await, ringing("a"));
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn at_speed_zero_a_call_is_answered_before_the_operation_returns() {
    let mut bench = Bench::with(&Config { speed: 0.0, ..Config::default() });

    bench.dial("a", phone("101")).await;

    assert!(bench.sim.channels().await.unwrap()[0].is_answered);
    assert_eq!(bench.next().await, (0, ringing("a")));
    assert_eq!(bench.next().await, (0, answered("a")));
}

#[tokio::test(start_paused = true)]
async fn picking_up_answers_also_a_phone_that_is_about_to_ring() {
    let mut bench = phone_that(Behaviour::NoAnswer {}).await;

    bench.run(Op::PickUp { channel: id("a") }).await;
    bench.run(Op::PickUp { channel: id("a") }).await;

    assert_eq!(bench.next().await, (0, ringing("a")));
    assert_eq!(bench.next().await, (0, answered("a")));
    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_operation_on_a_channel_that_is_gone_is_no_error() {
    let mut bench = Bench::new();

    bench.run(Op::Ring { channel: id("x") }).await;
    bench.run(Op::Answer { channel: id("x") }).await;
    bench.run(Op::PickUp { channel: id("x") }).await;
    bench.hear(&id("x"), Source::Music).await;
    bench.run(Op::SendDigits { channel: id("x"), digits: "1".to_owned() }).await;
    bench.label("x", "connected").await;
    bench.hangup(id("x"), 487, "BYE Received").await;

    bench.stays_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_channel_cannot_do_is_refused() {
    let bench = Bench::with(&Config { max_channels: 1, ..Config::default() });
    bench.dial("a", trunk("12065550100")).await;
    let run = |op| async { bench.sim.run(op).await.unwrap_err().to_string() };
    let dial = |channel| Op::Dial {
        channel: id(channel),
        endpoint: phone("101"),
        shown: Shown::default(),
        label: Label::default(),
    };

    assert_eq!(run(dial("a")).await, "switch refused: channel a exists");
    assert_eq!(run(dial("b")).await, "switch refused: no channel is free");
    assert_eq!(
        run(Op::Answer { channel: id("a") }).await,
        "switch refused: channel a did not come in"
    );
    assert_eq!(
        run(Op::PickUp { channel: id("a") }).await,
        "switch refused: channel a is no called phone"
    );
}

#[tokio::test(start_paused = true)]
async fn faults_drop_and_slow_down_operations() {
    let bench = Bench::new();
    let hear = || Op::Hear { channel: id("a"), source: Source::Music };

    assert!(bench.sim.set_fault(Fault::DropCommands { count: 2 }));
    for _ in 0..2 {
        assert!(matches!(bench.sim.run(hear()).await, Err(DriverError::Unreachable)));
    }
    bench.run(hear()).await;

    assert!(bench.sim.set_fault(Fault::Slow { ms: 700 }));
    let started = Instant::now();
    bench.run(hear()).await;
    assert_eq!(started.elapsed().as_millis(), 700);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_keep_up_loses_events_and_sees_the_channels() {
    let (signals, never_read) = mpsc::channel(1);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let deps = Deps { accounts: Arc::new(Accounts), signals, crash: None, tasks, stop };
    let sim = Sim::new(&Config { speed: 0.0, ..Config::default() }, deps);

    for number in 0..MAX_WAITING_EVENTS {
        let op = Op::Dial {
            channel: id(&number.to_string()),
            endpoint: phone("101"),
            shown: Shown::default(),
            label: Label::default(),
        };
        sim.run(op).await.unwrap();
    }

    assert_eq!(sim.channels().await.unwrap().len(), MAX_WAITING_EVENTS);
    drop(never_read);
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_the_tasks() {
    let bench = Bench::new();
    bench.dial("a", phone("101")).await;

    bench.stop.cancel();
    bench.tasks.close();

    bench.tasks.wait().await;
}
