//! What a called party does: the behaviours of phones and the numbering plan of
//! the simulated public network. Pure; says nothing of channels.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Config;

const BUSY_HERE: u16 = 486;
const DECLINE: u16 = 603;
const NOT_FOUND: u16 = 404;
pub(super) const UNAVAILABLE: u16 = 480;
pub(super) const DECLINED_BY_HAND: u16 = DECLINE;

/// How a phone takes calls that start to ring from now on.
// Variants without fields have braces so that serde refuses unknown fields beside the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "behaviour", rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// Rings, then answers by itself.
    AnswerAfter {
        /// Milliseconds of ringing; may be 0.
        #[serde(default = "Behaviour::default_ringing_ms")]
        ms: u32,
    },
    /// Rings until a hand answers or declines.
    Manual {},
    /// Refuses at once with 486, without ringing.
    Busy {},
    /// Rings briefly, then refuses with 603.
    Decline {},
    /// Rings until the caller gives up.
    NoAnswer {},
    /// Cannot be reached: 480 at once.
    Unregistered {},
}

impl Behaviour {
    const fn default_ringing_ms() -> u32 {
        500
    }

    /// Whether a phone that behaves so can be reached.
    pub(super) const fn is_registered(self) -> bool {
        !matches!(self, Self::Unregistered {})
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::AnswerAfter { ms: Self::default_ringing_ms() }
    }
}

/// What happens when a party is alerted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Refused with this SIP code, without ringing.
    Refuse(u16),
    /// Rings, and after a while ends the ringing by itself, or never.
    Ring(Option<(Duration, Outcome)>),
}

/// How a ringing party ends the ringing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answer,
    Refuse(u16),
}

/// The simulated durations, scaled by the configured speed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    speed: f64,
    /// From the dialling to the alerting of the party.
    pub(super) setup: Duration,
    pstn_answer: Duration,
    refusal: Duration,
}

impl Times {
    pub(super) fn new(config: &Config) -> Self {
        let scaled = |ms| scale(ms, config.speed);
        Self {
            speed: config.speed,
            setup: scaled(config.setup_ms),
            pstn_answer: scaled(config.pstn_answer_ms),
            refusal: scaled(config.refusal_ms),
        }
    }

    /// A simulated duration of so many milliseconds.
    pub(super) fn of_ms(&self, ms: u32) -> Duration {
        scale(ms, self.speed)
    }

    /// What a phone that behaves so does when it is alerted.
    pub(super) fn of_phone(&self, behaviour: Behaviour) -> Plan {
        match behaviour {
            Behaviour::AnswerAfter { ms } => Plan::Ring(Some((self.of_ms(ms), Outcome::Answer))),
            Behaviour::Manual {} | Behaviour::NoAnswer {} => Plan::Ring(None),
            Behaviour::Busy {} => Plan::Refuse(BUSY_HERE),
            Behaviour::Decline {} => Plan::Ring(Some((self.refusal, Outcome::Refuse(DECLINE)))),
            Behaviour::Unregistered {} => Plan::Refuse(UNAVAILABLE),
        }
    }

    /// What a number of the public network does: its last three digits say so.
    pub(super) fn of_number(&self, number: &str) -> Plan {
        if !is_public_number(number) {
            return Plan::Refuse(NOT_FOUND);
        }
        match number.len().checked_sub(3).and_then(|start| number.get(start..)) {
            Some("486") => Plan::Refuse(BUSY_HERE),
            Some("404") => Plan::Refuse(NOT_FOUND),
            Some("603") => Plan::Ring(Some((self.refusal, Outcome::Refuse(DECLINE)))),
            Some("480") => Plan::Ring(Some((self.refusal, Outcome::Refuse(UNAVAILABLE)))),
            Some("000") => Plan::Ring(None),
            _ => Plan::Ring(Some((self.pstn_answer, Outcome::Answer))),
        }
    }
}

/// The public text of a code with which a far end refuses.
pub(super) fn text_of(code: u16) -> &'static str {
    match code {
        BUSY_HERE => "Busy Here",
        DECLINE => "Decline",
        NOT_FOUND => "Not Found",
        UNAVAILABLE => "Temporarily Unavailable",
        487 => "Request Terminated",
        503 => "Switch Lost",
        _ => "Call Failed",
    }
}

fn is_public_number(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn scale(ms: u32, speed: f64) -> Duration {
    Duration::try_from_secs_f64(f64::from(ms) / 1000.0 * speed).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(speed: f64) -> Times {
        Times::new(&Config { speed, ..Config::default() })
    }

    #[test]
    fn a_number_is_told_by_its_last_three_digits() {
        let times = times(1.0);

        assert_eq!(times.of_number("12065550486"), Plan::Refuse(486));
        assert_eq!(times.of_number("12065550404"), Plan::Refuse(404));
        assert_eq!(times.of_number("12065550000"), Plan::Ring(None));
        let rings_and =
            |outcome| move |plan| matches!(plan, Plan::Ring(Some((_, o))) if o == outcome);
        assert!(rings_and(Outcome::Refuse(603))(times.of_number("12065550603")));
        assert!(rings_and(Outcome::Refuse(480))(times.of_number("12065550480")));
        assert_eq!(
            times.of_number("+12065550100"),
            Plan::Ring(Some((Duration::from_millis(500), Outcome::Answer)))
        );
    }

    #[test]
    fn what_is_no_number_of_the_public_network_is_not_found() {
        for number in ["", "123456", "1234567890123456", "12345x7", "+", "é234567"] {
            assert_eq!(times(1.0).of_number(number), Plan::Refuse(404), "{number}");
        }
    }

    #[test]
    fn at_speed_zero_everything_takes_no_time() {
        let times = times(0.0);

        assert_eq!(times.setup, Duration::ZERO);
        assert_eq!(
            times.of_phone(Behaviour::AnswerAfter { ms: 60_000 }),
            Plan::Ring(Some((Duration::ZERO, Outcome::Answer)))
        );
    }

    #[test]
    fn a_behaviour_reads_as_the_control_port_takes_it() {
        let parse = serde_json::from_str::<Behaviour>;

        assert_eq!(parse(r#"{"behaviour":"answer_after"}"#).unwrap(), Behaviour::default());
        assert_eq!(
            parse(r#"{"behaviour":"answer_after","ms":0}"#).unwrap(),
            Behaviour::AnswerAfter { ms: 0 }
        );
        assert_eq!(parse(r#"{"behaviour":"no_answer"}"#).unwrap(), Behaviour::NoAnswer {});
        assert!(parse(r#"{"behaviour":"manual","ms":1}"#).is_err());
        assert!(parse(r#"{"behaviour":"asleep"}"#).is_err());
    }
}
