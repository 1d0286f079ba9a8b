//! Prompts and digits, moment by moment.

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000).plus(Duration::from_millis(millis))
}

/// 2 to 4 digits, first 10 s, next 3 s, all in 60 s.
fn rules() -> DigitRules {
    DigitRules {
        max_digits: 4,
        min_digits: 2,
        terminators: "#".to_owned(),
        first_digit: Duration::from_secs(10),
        inter_digit: Duration::from_secs(3),
        total: Duration::from_mins(1),
    }
}

fn id(name: &str) -> PlaybackId {
    PlaybackId(name.to_owned())
}

fn prompt(is_interruptible: bool) -> Play {
    let clip = Clip {
        name: "a.au".to_owned(),
        duration: Duration::from_secs(2),
        is_fetched: false,
        content: crate::driver::Content::default(),
    };
    Play { media: Media::Clips(vec![clip]), repeat: 1, is_interruptible, callback: None }
}

fn url() -> Play {
    Play {
        media: Media::Url("http://a/".to_owned()),
        repeat: 3,
        is_interruptible: true,
        callback: None,
    }
}

/// A dialogue and all that came of it, in words.
#[derive(Default)]
struct Talk {
    dialogue: Dialogue,
    heard: Vec<String>,
}

impl Talk {
    fn did(&mut self, acts: Vec<Act>) {
        self.heard.extend(acts.into_iter().map(|act| match act {
            Act::Tell(info) => {
                let parts = [Some(info.event.to_owned()), info.digits, info.terminator];
                let mut text: Vec<String> = parts.into_iter().flatten().collect();
                text.extend(info.reason.map(str::to_owned));
                text.join(" ")
            }
            Act::Fetch(id, url) => format!("fetch {} {url}", id.0),
            Act::Play(id, clips, repeat) => format!("play {} {} x{repeat}", id.0, clips.len()),
            Act::Stop(id) => format!("stop {}", id.0),
        }));
    }

    fn collect(&mut self, now: u64, rules: DigitRules) -> &mut Self {
        let acts = self.dialogue.collect(at(now), rules);
        self.did(acts);
        self
    }

    fn play(&mut self, name: &str, play: Play) -> &mut Self {
        let acts = self.dialogue.play(id(name), play);
        self.did(acts);
        self
    }

    fn played(&mut self, now: u64, name: &str, end: PlaybackEnd) -> &mut Self {
        let acts = self.dialogue.played(at(now), &id(name), end);
        self.did(acts);
        self
    }

    fn keys(&mut self, now: u64, keys: &str) -> &mut Self {
        for key in keys.chars() {
            let acts = self.dialogue.key(at(now), key);
            self.did(acts);
        }
        self
    }

    fn expire(&mut self, now: u64) -> &mut Self {
        let acts = self.dialogue.expire(at(now));
        self.did(acts);
        self
    }

    fn due(&self) -> Option<u64> {
        let deadline = self.dialogue.next_deadline();
        deadline.map(|due| u64::try_from(due.since(at(0)).as_millis()).unwrap())
    }

    /// What came of it since this was asked last, keys left out.
    fn heard(&mut self) -> Vec<String> {
        let heard = std::mem::take(&mut self.heard);
        heard.into_iter().filter(|line| !line.starts_with("dtmf")).collect()
    }
}

/// Keys, each with its moment.
type Keys = &'static [(u64, &'static str)];

#[test]
fn each_timer_ends_an_input_at_its_moment_and_not_before() {
    // Keys with their moments, the moment of the end, and what it is.
    let rows: [(Keys, u64, &str); 6] = [
        (&[], 10_000, "input_timeout  first_digit_timeout"),
        (&[(9_999, "1")], 12_999, "input_timeout 1 inter_digit_timeout"),
        (&[(0, "1"), (2_999, "2")], 5_999, "input_collected 12 inter_digit_timeout"),
        (&[(5, "1"), (3_004, "2")], 6_004, "input_collected 12 inter_digit_timeout"),
        (&[(1_000, "1"), (1_000, "23")], 4_000, "input_collected 123 inter_digit_timeout"),
        (&[(0, "12"), (2_999, "3")], 5_999, "input_collected 123 inter_digit_timeout"),
    ];
    for (keys, end, expected) in rows {
        let mut talk = Talk::default();
        talk.collect(0, rules());
        for (now, keys) in keys {
            talk.keys(*now, keys);
        }
        assert_eq!(talk.due(), Some(end), "{keys:?}");
        assert!(talk.expire(end - 1).heard().is_empty(), "{keys:?}");
        assert_eq!(talk.expire(end).heard(), [expected]);
        assert_eq!(talk.due(), None);
        assert!(talk.expire(end + 100_000).heard().is_empty(), "one result");
    }
}

#[test]
fn the_total_time_ends_an_input_that_would_go_on() {
    let mut talk = Talk::default();
    let rules = DigitRules { total: Duration::from_secs(5), max_digits: 9, ..rules() };
    talk.collect(0, rules.clone()).keys(2_000, "1").keys(4_000, "2");
    assert_eq!(talk.due(), Some(5_000));
    assert_eq!(talk.expire(5_000).heard(), ["input_collected 12 total_timeout"]);

    talk.collect(10_000, rules.clone()).keys(12_000, "1");
    assert_eq!(talk.expire(15_000).heard(), ["input_timeout 1 inter_digit_timeout"]);

    let short = DigitRules { total: Duration::from_secs(4), min_digits: 0, ..rules };
    talk.collect(20_000, short);
    assert_eq!(talk.expire(24_000).heard(), ["input_timeout  total_timeout"], "nothing was typed");
}

#[test]
fn a_key_at_the_moment_of_a_timer_is_too_late_and_counts_for_the_next_input() {
    let mut talk = Talk::default();
    talk.collect(0, rules()).keys(10_000, "7");
    assert_eq!(talk.heard(), ["input_timeout  first_digit_timeout"]);

    talk.collect(11_000, rules()).keys(11_000, "8#");
    assert_eq!(talk.heard(), ["input_collected 78 # terminator"]);
}

#[test]
fn digits_and_terminators_end_an_input_at_once() {
    let rows = [
        ("1234", "input_collected 1234 max_digits"),
        ("12#", "input_collected 12 # terminator"),
        ("1#", "input_timeout 1 # terminator"),
        ("#", "input_timeout  # terminator"),
        ("1*A2", "input_collected 1*A2 max_digits"),
    ];
    for (keys, expected) in rows {
        let mut talk = Talk::default();
        assert_eq!(talk.collect(0, rules()).keys(1, keys).heard(), [expected], "{keys}");
    }
    let mut talk = Talk::default();
    let rules = DigitRules { min_digits: 0, terminators: "*0".to_owned(), ..rules() };
    assert_eq!(
        talk.collect(0, rules.clone()).keys(1, "0").heard(),
        ["input_collected  0 terminator"]
    );
    let none = DigitRules { terminators: String::new(), ..rules };
    assert_eq!(talk.collect(2, none).keys(3, "#*0#").heard(), ["input_collected #*0# max_digits"]);
}

#[test]
fn without_time_only_what_was_typed_ahead_counts() {
    let none = DigitRules { first_digit: Duration::ZERO, inter_digit: Duration::ZERO, ..rules() };
    let mut talk = Talk::default();
    talk.collect(0, none.clone());
    assert_eq!(talk.due(), Some(0));
    assert_eq!(talk.expire(0).heard(), ["input_timeout  first_digit_timeout"]);
    talk.keys(1, "12").collect(2, none);
    assert_eq!(talk.expire(2).heard(), ["input_collected 12 inter_digit_timeout"]);
}

#[test]
fn keys_typed_ahead_count_once_and_for_a_minute() {
    let mut talk = Talk::default();
    talk.keys(0, "9").keys(30_000, "123456#");
    talk.collect(60_001, rules());
    assert_eq!(talk.heard(), ["input_collected 1234 max_digits"], "the 9 is too old");
    talk.collect(60_002, rules());
    assert_eq!(talk.heard(), ["input_collected 56 # terminator"]);
    talk.collect(60_003, rules()).expire(70_003);
    assert_eq!(talk.heard(), ["input_timeout  first_digit_timeout"]);
    for _ in 0..2 * MAX_TYPED_AHEAD {
        talk.keys(80_000, "5");
    }
    assert_eq!(talk.dialogue.typed_ahead.len(), MAX_TYPED_AHEAD);
}

#[test]
fn the_first_digit_is_waited_for_from_the_end_of_the_prompt() {
    let mut talk = Talk::default();
    talk.play("p", prompt(false)).collect(0, rules());
    assert_eq!(talk.due(), None, "however long it plays");
    talk.played(70_000, "p", PlaybackEnd::Completed);
    assert_eq!(talk.due(), Some(80_000));
    talk.play("q", prompt(false));
    assert_eq!(talk.due(), None, "another one asks anew");
    talk.played(75_000, "q", PlaybackEnd::Failed);
    assert_eq!(talk.due(), Some(85_000));
    talk.expire(85_000);
    assert_eq!(
        talk.heard(),
        [
            "play p 1 x1",
            "prompt_playback_completed",
            "play q 1 x1",
            "prompt_playback_failed",
            "input_timeout  first_digit_timeout",
        ]
    );
}

#[test]
fn digits_during_a_prompt_that_goes_on_count() {
    let mut talk = Talk::default();
    talk.play("p", prompt(false)).collect(0, rules()).keys(1_000, "12");
    assert_eq!(talk.due(), Some(4_000));
    talk.played(2_000, "p", PlaybackEnd::Completed);
    assert_eq!(talk.due(), Some(4_000), "the pause after a digit is what it was");
    assert_eq!(
        talk.expire(4_000).heard(),
        ["play p 1 x1", "prompt_playback_completed", "input_collected 12 inter_digit_timeout"]
    );
}

#[test]
fn a_key_interrupts_what_may_be_interrupted_before_its_result() {
    let mut talk = Talk::default();
    let one = DigitRules { max_digits: 1, min_digits: 1, ..rules() };
    talk.play("p", prompt(true)).collect(0, one.clone()).keys(500, "5");
    assert_eq!(
        talk.heard,
        [
            "play p 1 x1",
            "dtmf 5",
            "stop p",
            "prompt_playback_interrupted",
            "input_collected 5 max_digits",
        ]
    );
    talk.heard();
    // Also when nobody collects, and when the key was typed ahead.
    talk.play("q", prompt(true)).keys(600, "6");
    assert_eq!(talk.heard(), ["play q 1 x1", "stop q", "prompt_playback_interrupted"]);
    talk.play("r", prompt(true)).collect(700, one);
    assert_eq!(
        talk.heard(),
        ["play r 1 x1", "stop r", "prompt_playback_interrupted", "input_collected 6 max_digits"]
    );
}

#[test]
fn a_playback_has_one_end() {
    let mut talk = Talk::default();
    talk.play("p", prompt(false)).play("q", prompt(false));
    talk.played(1, "p", PlaybackEnd::Completed);
    assert_eq!(
        talk.heard(),
        ["play p 1 x1", "stop p", "prompt_playback_interrupted", "play q 1 x1"],
        "what is said of the earlier one is ignored"
    );
    let acts = talk.dialogue.stop_playing(at(2));
    talk.did(acts);
    let acts = talk.dialogue.stop_playing(at(3));
    talk.did(acts);
    talk.played(4, "q", PlaybackEnd::Failed);
    assert_eq!(talk.heard(), ["stop q", "prompt_playback_interrupted"]);
}

#[test]
fn audio_from_an_address_is_played_when_it_is_there() {
    let clip = |dialogue: &Dialogue| {
        assert!(dialogue.playback.is_some());
        Clip {
            name: "http://a/".to_owned(),
            duration: Duration::from_secs(1),
            is_fetched: true,
            content: crate::driver::Content::default(),
        }
    };
    let mut talk = Talk::default();
    talk.play("p", url());
    let clip_of_p = clip(&talk.dialogue);
    let acts = talk.dialogue.fetched(at(1), &id("p"), Some(clip_of_p.clone()));
    talk.did(acts);
    talk.played(2, "p", PlaybackEnd::Completed);
    assert_eq!(talk.heard(), ["fetch p http://a/", "play p 1 x3", "prompt_playback_completed"]);

    talk.play("q", url());
    let acts = talk.dialogue.fetched(at(3), &id("q"), None);
    talk.did(acts);
    assert_eq!(talk.heard(), ["fetch q http://a/", "prompt_playback_failed"]);

    // Stopped before it came: nothing was heard, so nothing is stopped.
    talk.play("r", url()).keys(4, "1");
    let acts = talk.dialogue.fetched(at(5), &id("r"), Some(clip_of_p));
    talk.did(acts);
    assert_eq!(talk.heard(), ["fetch r http://a/", "prompt_playback_interrupted"]);
}

#[test]
fn a_command_or_the_end_of_the_leg_ends_an_input() {
    let mut talk = Talk::default();
    talk.collect(0, rules()).keys(1, "1").collect(2, rules()).keys(3, "2");
    let acts = talk.dialogue.stop_collecting();
    talk.did(acts);
    let acts = talk.dialogue.stop_collecting();
    talk.did(acts);
    assert_eq!(talk.heard(), ["input_timeout 1 stopped", "input_timeout 2 stopped"]);

    talk.play("p", prompt(false)).collect(4, rules());
    let acts = talk.dialogue.end(true);
    talk.did(acts);
    assert_eq!(
        talk.heard(),
        ["play p 1 x1", "prompt_playback_interrupted", "input_timeout  call_ended"]
    );
    talk.play("q", prompt(false));
    let acts = talk.dialogue.end(false);
    talk.did(acts);
    assert_eq!(talk.heard(), ["play q 1 x1", "stop q", "prompt_playback_interrupted"]);
}

/// Something that happens to a dialogue.
#[derive(Clone, Debug)]
enum Step {
    Play(bool, bool),
    StopPlaying,
    /// Of the present playback, or of another one.
    Played(bool, bool),
    Fetched(bool),
    Collect {
        max: usize,
        min: usize,
        first: u64,
        inter: u64,
        total: u64,
    },
    StopCollecting,
    Key(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let time = || 0..8_u64;
    prop_oneof![
        2 => any::<(bool, bool)>().prop_map(|(is_url, may)| Step::Play(is_url, may)),
        1 => Just(Step::StopPlaying),
        2 => any::<(bool, bool)>().prop_map(|(is_present, fails)| Step::Played(is_present, fails)),
        1 => any::<bool>().prop_map(Step::Fetched),
        3 => (1..5_usize, 0..5_usize, time(), time(), time()).prop_map(
            |(max, min, first, inter, total)| Step::Collect { max, min: min.min(max), first, inter, total }
        ),
        1 => Just(Step::StopCollecting),
        6 => (0..5_usize).prop_map(Step::Key),
        4 => (0..5_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn each_playback_has_one_end_and_each_collection_one_result(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut talk = Talk::default();
        let (mut now, mut plays, mut collections, mut keys) = (0, 0_usize, 0, 0);
        for step in steps {
            let acts = match step {
                Step::Play(is_url, may) => {
                    plays += 1;
                    let play = if is_url { url() } else { prompt(may) };
                    talk.dialogue.play(id(&plays.to_string()), play)
                }
                Step::StopPlaying => talk.dialogue.stop_playing(at(now)),
                Step::Played(is_present, fails) => {
                    let end = if fails { PlaybackEnd::Failed } else { PlaybackEnd::Completed };
                    let of = if is_present { plays } else { plays + 1 };
                    let is_heard = talk.dialogue.playback.as_ref().is_some_and(|it| it.is_heard);
                    if is_present && !is_heard { continue; }
                    talk.dialogue.played(at(now), &id(&of.to_string()), end)
                }
                Step::Fetched(is_there) => {
                    let is_waiting = talk.dialogue.playback.as_ref().is_some_and(|it| !it.is_heard);
                    if !is_waiting { continue; }
                    let Media::Clips(clips) = prompt(false).media else { unreachable!() };
                    let clip = clips.into_iter().next().filter(|_| is_there);
                    talk.dialogue.fetched(at(now), &id(&plays.to_string()), clip)
                }
                Step::Collect { max, min, first, inter, total } => {
                    collections += 1;
                    let seconds = Duration::from_secs;
                    talk.dialogue.collect(at(now), DigitRules {
                        max_digits: max,
                        min_digits: min,
                        terminators: "#".to_owned(),
                        first_digit: seconds(first),
                        inter_digit: seconds(inter),
                        total: seconds(total),
                    })
                }
                Step::StopCollecting => talk.dialogue.stop_collecting(),
                Step::Key(key) => {
                    keys += 1;
                    let key = "123*#".chars().nth(key).unwrap();
                    talk.dialogue.key(at(now), key)
                }
                Step::Wait(seconds) => {
                    now += seconds * 1_000;
                    talk.dialogue.expire(at(now))
                }
            };
            talk.did(acts);
            let due = talk.due();
            prop_assert!(due.is_none_or(|due| due + 8_000 >= now));
            prop_assert!(talk.dialogue.collector.is_some() || due.is_none());
        }
        let acts = talk.dialogue.end(true);
        talk.did(acts);

        let told = |start: &str| talk.heard.iter().filter(|line| line.starts_with(start)).count();
        prop_assert_eq!(told("prompt_playback_"), plays);
        prop_assert_eq!(told("input_"), collections);
        prop_assert_eq!(told("dtmf"), keys);
        prop_assert!(talk.due().is_none() && talk.dialogue.playback.is_none());
        // No collected input is too short or too long, and no terminator is in one.
        for line in talk.heard.iter().filter(|line| line.starts_with("input_collected")) {
            let digits = line.split(' ').nth(1).unwrap();
            prop_assert!(digits.len() <= 4 && !digits.contains('#'), "{line}");
        }
    }
}

#[test]
fn the_end_of_a_playback_and_keys_meanwhile_are_posted_as_far_as_they_are_wanted() {
    let posted = |events: &[&str]| {
        let callback = PlayCallback {
            url: "u".to_owned(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
        };
        let mut dialogue = Dialogue::default();
        let mut acts = dialogue.play(id("a"), Play { callback: Some(callback), ..prompt(false) });
        acts.extend(dialogue.key(at(1), '1'));
        acts.extend(dialogue.played(at(2), &id("a"), PlaybackEnd::Completed));
        acts.extend(dialogue.key(at(3), '2'));
        let told = acts.into_iter().filter_map(|act| match act {
            Act::Tell(info) => info.callback.map(|_| info.event),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };

    assert_eq!(posted(&[]), ["dtmf", "prompt_playback_completed"]);
    assert_eq!(posted(&["prompt_playback_completed"]), ["prompt_playback_completed"]);
    assert!(posted(&["prompt_playback_failed"]).is_empty());
}
