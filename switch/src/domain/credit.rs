//! For how long a running charge is paid for.
//!
//! Auth holds credit for a charge in slices; each is asked for before the one before has run out.
//! Questions and answers count seconds from the charge's beginning, so a question that is asked
//! twice changes nothing.
//!
//! # State table
//!
//! | credit | what happens | next |
//! | --- | --- | --- |
//! | `Unasked` | the charge runs | asks for a slice: `Asking` |
//! | `Asking` | all that was asked for is granted | `Full`: asks again 10 s before that ends |
//! | `Asking` | less is granted | `Short`: asks again 1 s before the end |
//! | `Asking` | it costs nothing | `Unlimited` |
//! | `Asking` | auth does not answer | `Lost`: asks again after 5 s, and goes on meanwhile, or ends with the last grant, as the policy says |
//! | `Short`, or asking again after it | the end has come | the leg ends, "Payment Required" 402, charged up to that second |
//! | `Lost` without going on, or asking again after it | the end has come | the leg ends, "Service Unavailable" 503, charged up to that second |
//! | any but `Unlimited` | the charge pauses and runs again | `Unasked` |

use std::time::Duration;

use mesh::clock::Timestamp;

use super::charge::Charge;
use super::reason::Standard;

/// Seconds that are asked for at a time.
pub(super) const SLICE: u64 = 30;

/// How long before its end a slice is renewed: time enough for an answer that comes late.
const LEAD: Duration = Duration::from_secs(10);

/// How long before its end a last grant is asked for more, as others may have given credit back.
const LAST_LEAD: Duration = Duration::from_secs(1);

/// Pause before auth is asked again when it did not answer.
const RETRY: Duration = Duration::from_secs(5);

/// Auth's answer to [`super::Effect::Reserve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditAnswer {
    /// There is credit for so many seconds in all.
    Seconds(u64),
    /// The charge costs nothing.
    Unlimited,
    /// Auth does not answer.
    Lost {
        /// True when calls go on without it.
        goes_on: bool,
    },
}

/// How far a charge is with its credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credit {
    Unasked,
    Asking {
        /// With what the leg ends if no answer comes before the last grant's end.
        otherwise: Option<Standard>,
    },
    Full,
    Short,
    Unlimited,
    Lost {
        goes_on: bool,
    },
}

/// What is to be done about a charge now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Asks for so many seconds in all.
    Ask(u64),
    /// The leg ends.
    End(Standard),
}

impl Charge {
    /// When what has been granted ends; `None` while it does not run.
    fn paid_until(&self) -> Option<Timestamp> {
        let left = Duration::from_secs(self.granted).saturating_sub(self.accrued);
        self.since.map(|since| since.plus(left))
    }

    /// With what the leg ends at the end of the last grant.
    fn end(&self) -> Option<Standard> {
        match self.credit {
            Credit::Short => Some(Standard::NoCreditLeft),
            Credit::Lost { goes_on: false } => Some(Standard::Unavailable),
            Credit::Asking { otherwise } => otherwise,
            Credit::Unasked | Credit::Full | Credit::Unlimited | Credit::Lost { goes_on: true } => {
                None
            }
        }
    }

    /// The moment up to which is paid when the charge stops at `now`: a leg that is ended for want
    /// of credit may end a moment late, and is not charged for that.
    pub(super) fn paid_at(&self, now: Timestamp) -> Timestamp {
        match self.paid_until() {
            Some(until) if self.end().is_some() => now.min(until),
            _ => now,
        }
    }

    /// What is due at `now`.
    pub(super) fn due(&mut self, now: Timestamp) -> Due {
        let Some(until) = self.paid_until() else { return Due::Nothing };
        let end = self.end();
        if let Some(reason) = end.filter(|_| now >= until) {
            return Due::End(reason);
        }
        match self.credit {
            Credit::Asking { .. } | Credit::Unlimited => Due::Nothing,
            Credit::Unasked | Credit::Full | Credit::Short | Credit::Lost { .. } => {
                self.credit = Credit::Asking { otherwise: end };
                self.look_at = end.map(|_| until);
                let lasted = self.accrued + self.since.map_or(Duration::ZERO, |at| now.since(at));
                let lasted = lasted.as_secs() + u64::from(lasted.subsec_nanos() > 0);
                self.asked = self.granted.max(lasted) + SLICE;
                Due::Ask(self.asked)
            }
        }
    }

    /// Takes in an answer.
    pub(super) fn answered(&mut self, answer: CreditAnswer, now: Timestamp) {
        let Credit::Asking { .. } = self.credit else { return };
        self.credit = match answer {
            CreditAnswer::Unlimited => Credit::Unlimited,
            CreditAnswer::Lost { goes_on } => Credit::Lost { goes_on },
            CreditAnswer::Seconds(seconds) => {
                self.granted = self.granted.max(seconds);
                if self.granted >= self.asked { Credit::Full } else { Credit::Short }
            }
        };
        let before = |until: Timestamp, lead: Duration| {
            let micros = i64::try_from(lead.as_micros()).unwrap_or(i64::MAX);
            Timestamp::from_micros(until.as_micros() - micros)
        };
        self.look_at = self.paid_until().and_then(|until| match self.credit {
            Credit::Unasked | Credit::Asking { .. } | Credit::Unlimited => None,
            Credit::Full => Some(before(until, LEAD).max(now)),
            Credit::Short => {
                let last = before(until, LAST_LEAD);
                Some(if last > now { last } else { until })
            }
            Credit::Lost { goes_on: true } => Some(now.plus(RETRY)),
            Credit::Lost { goes_on: false } => Some(now.plus(RETRY).min(until)),
        });
    }
}
