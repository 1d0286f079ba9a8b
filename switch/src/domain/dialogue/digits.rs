//! One input of digits.
//!
//! # State table
//!
//! | state | timers | what happens | next |
//! | --- | --- | --- | --- |
//! | listening: a prompt plays, no digit yet | none | the prompt ends | waiting |
//! | | | a digit | collecting |
//! | waiting: no digit yet | first digit, total | a prompt begins | listening |
//! | | | a digit | collecting |
//! | | | first digit's time is over | over: `first_digit_timeout` |
//! | collecting | inter-digit (anew at each digit), total | a digit | collecting |
//! | | | inter-digit time is over | over: `inter_digit_timeout` |
//! | waiting, collecting | | total time is over | over: `total_timeout` |
//! | listening, waiting, collecting | | the last digit that there may be | over: `max_digits` |
//! | | | a terminator | over: `terminator` |
//! | | | a command stops it | over: `stopped` |
//! | | | the leg ends | over: `call_ended` |
//!
//! The total time runs from the moment at which the party may be expected to type: the command,
//! the end of the prompt, or the first digit. A key that comes when a timer is due comes too
//! late. An input counts as collected when it ended by itself with at least `min_digits`; without
//! a digit only a terminator can end one.

use std::time::Duration;

use mesh::clock::Timestamp;

/// What makes an input complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitRules {
    /// It ends at this many digits.
    pub max_digits: usize,
    /// Fewer are no input.
    pub min_digits: usize,
    /// Keys that end it and are not part of it.
    pub terminators: String,
    /// Longest wait for the first digit.
    pub first_digit: Duration,
    /// Longest wait for another one.
    pub inter_digit: Duration,
    /// Longest duration of the whole.
    pub total: Duration,
}

/// Why an input is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    MaxDigits,
    Terminator(char),
    FirstDigit,
    InterDigit,
    Total,
    Stopped,
    CallEnded,
}

/// The one result of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) is_collected: bool,
    pub(super) digits: String,
    pub(super) terminator: Option<char>,
    pub(super) reason: &'static str,
}

/// How far the party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Listening,
    Waiting { since: Timestamp },
    Collecting { since: Timestamp, last: Timestamp },
}

/// A collection of digits under way.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    rules: DigitRules,
    digits: String,
    state: State,
}

impl Collector {
    /// A collection that begins; `is_prompted` while a prompt plays.
    pub(super) fn new(rules: DigitRules, now: Timestamp, is_prompted: bool) -> Self {
        let state = if is_prompted { State::Listening } else { State::Waiting { since: now } };
        Self { rules, digits: String::new(), state }
    }

    /// A prompt begins to play.
    pub(super) fn prompt_begins(&mut self) {
        if let State::Waiting { .. } = self.state {
            self.state = State::Listening;
        }
    }

    /// The prompt has ended.
    pub(super) fn prompt_ends(&mut self, now: Timestamp) {
        if self.state == State::Listening {
            self.state = State::Waiting { since: now };
        }
    }

    /// A key is pressed; says why the input is over if it is.
    pub(super) fn key(&mut self, now: Timestamp, key: char) -> Option<Ending> {
        if self.rules.terminators.contains(key) {
            return Some(Ending::Terminator(key));
        }
        self.digits.push(key);
        let since = match self.state {
            State::Listening => now,
            State::Waiting { since } | State::Collecting { since, .. } => since,
        };
        self.state = State::Collecting { since, last: now };
        (self.digits.len() >= self.rules.max_digits).then_some(Ending::MaxDigits)
    }

    /// When the next timer is due.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.timer().map(|(at, _)| at)
    }

    /// Why the input is over at this moment, if it is.
    pub(super) fn due(&self, now: Timestamp) -> Option<Ending> {
        self.timer().filter(|(at, _)| *at <= now).map(|(_, ending)| ending)
    }

    /// The timer that is due next; the total time comes last of those due at one moment.
    fn timer(&self) -> Option<(Timestamp, Ending)> {
        let (next, ending, since) = match self.state {
            State::Listening => return None,
            State::Waiting { since } => {
                (since.plus(self.rules.first_digit), Ending::FirstDigit, since)
            }
            State::Collecting { since, last } => {
                (last.plus(self.rules.inter_digit), Ending::InterDigit, since)
            }
        };
        let total = since.plus(self.rules.total);
        Some(if total < next { (total, Ending::Total) } else { (next, ending) })
    }

    /// What it has come to.
    pub(super) fn end(self, ending: Ending) -> Input {
        let has_enough = self.digits.len() >= self.rules.min_digits;
        let (reason, is_complete, terminator) = match ending {
            Ending::MaxDigits => ("max_digits", has_enough, None),
            Ending::Terminator(key) => ("terminator", has_enough, Some(key)),
            Ending::InterDigit => ("inter_digit_timeout", has_enough, None),
            Ending::Total => ("total_timeout", has_enough && !self.digits.is_empty(), None),
            Ending::FirstDigit => ("first_digit_timeout", false, None),
            Ending::Stopped => ("stopped", false, None),
            Ending::CallEnded => ("call_ended", false, None),
        };
        Input { is_collected: is_complete, digits: self.digits, terminator, reason }
    }
}
