//! Who pays for a leg, and for how long.
//!
//! A leg carries charges: at most one for each payer and service. Two kinds of voice charges
//! exist, and one rule for each:
//!
//! - **own**: an account pays for its own leg, as a caller `outgoing`, as a called one `incoming`;
//! - **placed**: whoever had a leg dialled pays for it as `outgoing`. While the payer's own
//!   outgoing leg lives in the call, that one pays for both, and the placed leg's charge does not
//!   run.
//!
//! So a trunk leg costs nobody anything beside the caller's leg, but goes on being paid by whoever
//! placed it when that leg has gone (transfer, parking, conference) or never was (redirect,
//! connection of two numbers). A conference has its owner pay for each participant, in a charge
//! of another service.
//!
//! # State table
//!
//! | charge | what happens | next |
//! | --- | --- | --- |
//! | idle | the leg is through, or waits in a queue, and no other leg pays for it | running |
//! | running | somebody else begins to pay for the same service (another conference owner) | paused |
//! | paused | the same payer pays again | running |
//! | running, paused | the leg ends | accounted: one record with the time that it ran |
//! | idle | the leg ends | nothing |

use std::time::Duration;

use mesh::caller::Owner;
use mesh::clock::Timestamp;

use super::credit::Credit;
use super::leg::{Direction, Leg};
use super::names::{CallId, Tag};
use crate::driver::RecordingId;

/// What is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// A call.
    Voice,
    /// A participant of a conference.
    Conferencing,
}

/// Which of the payer's rating entries applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rating {
    /// The one without an access code.
    Ordinary,
    /// The one with the access code `INCOMING`.
    Incoming,
}

/// What somebody pays for a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    /// Who pays.
    pub(super) payer: i64,
    pub(super) service: Service,
    pub(super) direction: Direction,
    pub(super) rating: Rating,
    pub(super) cli: String,
    pub(super) cld: String,
    /// The payer's own leg, which pays for this one too while it lives.
    pub(super) through: Option<Tag>,
    /// When it began to run.
    pub(super) began: Option<Timestamp>,
    /// Since when it runs now.
    pub(super) since: Option<Timestamp>,
    /// When it ran last.
    pub(super) until: Timestamp,
    /// How long it ran before `since`.
    pub(super) accrued: Duration,
    pub(super) credit: Credit,
    /// Seconds for which there is credit, from its beginning.
    pub(super) granted: u64,
    /// Seconds that were asked for last.
    pub(super) asked: u64,
    /// When its credit has to be looked after.
    pub(super) look_at: Option<Timestamp>,
}

impl Charge {
    /// A voice charge that does not run yet.
    pub(super) fn voice(payer: i64, direction: Direction, cli: &str, cld: &str) -> Self {
        Self {
            payer,
            service: Service::Voice,
            direction,
            rating: match direction {
                Direction::Incoming => Rating::Incoming,
                Direction::Outgoing => Rating::Ordinary,
            },
            cli: cli.to_owned(),
            cld: cld.to_owned(),
            through: None,
            began: None,
            since: None,
            until: Timestamp::default(),
            accrued: Duration::ZERO,
            credit: Credit::Unasked,
            granted: 0,
            asked: 0,
            look_at: None,
        }
    }

    /// Begins to run, or goes on.
    pub(super) fn run(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
        if self.since.is_none() {
            self.since = Some(now);
            if self.credit != Credit::Unlimited {
                self.credit = Credit::Unasked;
            }
        }
    }

    /// True when credit has to be asked for.
    pub(super) fn is_unasked(&self) -> bool {
        self.since.is_some() && self.credit == Credit::Unasked
    }

    /// Stops running; no matter when it does not run.
    pub(super) fn pause(&mut self, now: Timestamp) {
        let until = self.paid_at(now);
        if let Some(since) = self.since.take() {
            self.accrued += until.since(since);
            self.until = until;
            self.look_at = None;
        }
    }
}

impl Leg {
    /// The conference's owner pays for the participant from now on, in place of whoever did.
    pub(super) fn begin_conferencing(&mut self, owner: i64, cli: &str, cld: &str, now: Timestamp) {
        begin_conferencing(&mut self.charges, owner, (cli, cld), now);
    }
}

fn begin_conferencing(charges: &mut Vec<Charge>, owner: i64, ends: (&str, &str), now: Timestamp) {
    pause_conferencing(charges, Some(owner), now);
    let is_ours = |charge: &&mut Charge| is_conferencing(charge) && charge.payer == owner;
    if let Some(charge) = charges.iter_mut().find(is_ours) {
        charge.run(now);
        return;
    }
    let mut charge = Charge::voice(owner, Direction::Outgoing, ends.0, ends.1);
    charge.service = Service::Conferencing;
    charge.run(now);
    charges.push(charge);
}

/// Nobody but `payer` goes on paying for the participant.
fn pause_conferencing(charges: &mut [Charge], payer: Option<i64>, now: Timestamp) {
    for charge in charges {
        if is_conferencing(charge) && Some(charge.payer) != payer {
            charge.pause(now);
        }
    }
}

fn is_conferencing(charge: &Charge) -> bool {
    charge.service == Service::Conferencing
}

/// A charge as it stands at a moment: of a leg that has ended, or that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// Whose call it is.
    pub owner: Owner,
    /// The call.
    pub call_id: CallId,
    /// The leg.
    pub tag: Tag,
    /// The conversation.
    pub tracking_id: String,
    /// Who pays (`i_account`).
    pub payer: i64,
    /// What for.
    pub service: Service,
    /// Whether the payer called or was called.
    pub direction: Direction,
    /// Which rating entry applies.
    pub rating: Rating,
    /// Number of the caller.
    pub cli: String,
    /// Number called.
    pub cld: String,
    /// When the payer began to pay.
    pub connect_time: Timestamp,
    /// When it paid last; of a living leg, the last time that it stopped.
    pub disconnect_time: Timestamp,
    /// How long it paid; of a living leg, until `running_since`.
    pub duration: Duration,
    /// Since when it pays now; `None` when it does not.
    pub running_since: Option<Timestamp>,
    /// SIP code of the leg's end; 0 while it lives.
    pub disconnect_cause: u16,
    /// The leg's newest recording.
    pub recording: Option<RecordingId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_conference_that_changes_hands_is_charged_to_each_owner_for_its_own_time() {
        let mut charges = vec![Charge::voice(1, Direction::Incoming, "a", "b")];
        begin_conferencing(&mut charges, 1, ("1", "2"), at(0));
        begin_conferencing(&mut charges, 2, ("1", "2"), at(10));
        begin_conferencing(&mut charges, 1, ("1", "2"), at(15));

        pause_conferencing(&mut charges, None, at(18));

        let paid: Vec<_> = charges
            .iter()
            .map(|charge| (charge.payer, charge.service, charge.accrued.as_secs(), charge.since))
            .collect();
        assert_eq!(
            paid,
            [
                (1, Service::Voice, 0, None),
                (1, Service::Conferencing, 13, None),
                (2, Service::Conferencing, 5, None)
            ]
        );
        assert_eq!((charges[1].began, charges[1].until), (Some(at(0)), at(18)));
        assert_eq!((charges[2].began, charges[2].until), (Some(at(10)), at(15)));
    }

    #[test]
    fn an_owner_that_begins_once_more_goes_on() {
        let mut charges = Vec::new();
        begin_conferencing(&mut charges, 1, ("1", "2"), at(0));
        begin_conferencing(&mut charges, 1, ("1", "2"), at(10));

        pause_conferencing(&mut charges, None, at(18));

        assert_eq!(charges.len(), 1);
        assert_eq!(charges[0].accrued.as_secs(), 18);
    }
}
