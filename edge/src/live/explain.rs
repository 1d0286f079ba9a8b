//! Says why a session on this edge did not get an event, for an operator who asks on the admin
//! port.
//!
//! For each of the session's subscriptions here the first of these that holds is the answer:
//!
//! | verdict | the event was kept away because |
//! | --- | --- |
//! | `right` | the session's token, role or realm does not allow the scope |
//! | `scope` | it does not belong to the subscription's scope |
//! | `kinds`, `states` | the subscription's filter leaves it out |
//! | `before` | it was written before the place at which the subscription began |
//! | `gap` | it lies in what was lost, as the session was told by `notifications_gap` |
//! | `coming` | the subscription is being caught up, or the live stream is not so far yet |
//! | `sent` | it was not: it was put into the queue of the socket |

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mesh::cursor::{Cursor, Place};
use proto::callcontrol::v1::NotificationKind as Kind;
use proto::notifier::v1::notifier_service_client::NotifierServiceClient;
use proto::notifier::v1::{ExplainRequest, ExplainResponse, Found, Verdict};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Live;
use super::filter::Filter;
use super::place::{Places, is_after, write_place};
use super::scope::Scope;
use super::state::State;

/// How long the notifier may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One subscription of the session as it stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) id: Arc<str>,
    pub(super) scope: Scope,
    pub(super) filter: Filter,
    pub(super) token: String,
    /// Everything after here was, or will be, passed on.
    pub(super) since: Places,
    /// What lies before here was lost last, and why.
    pub(super) gap: Option<(Arc<str>, Places)>,
    /// Everything up to here was passed on.
    pub(super) passed: Places,
    pub(super) is_caught_up: bool,
}

impl Live {
    /// What became of an event for each subscription of a session.
    pub(crate) async fn explain(&self, event_id: &str, session_id: &str) -> Value {
        let Ok(Cursor::One { place, .. }) = Cursor::decode(event_id) else {
            return json!({"error": "this is no event_id"});
        };
        let standing = self.state.lock().standing(session_id);
        let mut answers = Vec::new();
        for subscription in &standing {
            let verdict = match self.ask(&place, subscription).await {
                Ok(answer) => judge(&place, subscription, &answer),
                Err(why) => json!({"verdict": "unknown", "why": why}),
            };
            let mut told = json!({
                "subscription_id": &*subscription.id,
                "scope": subscription.scope.name(),
            });
            if let (Some(told), Some(verdict)) = (told.as_object_mut(), verdict.as_object()) {
                told.extend(verdict.clone());
            }
            answers.push(told);
        }
        let mut answer = json!({
            "event_id": event_id,
            "session_id": session_id,
            "subscriptions": answers,
        });
        if standing.is_empty() {
            let why = "the session has no subscription on a socket of this edge: nothing is \
                       delivered to it here";
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("why".to_owned(), json!(why));
            }
        }
        answer
    }

    async fn ask(
        &self,
        place: &Place,
        subscription: &Standing,
    ) -> Result<ExplainResponse, &'static str> {
        let current = self.current.load(Ordering::Acquire);
        let notifier = self.notifiers.get(current).ok_or("there is no notifier")?;
        let mut client = NotifierServiceClient::new(notifier.clone());
        let request = ExplainRequest {
            place: Some(write_place(place)),
            scope: Some(subscription.scope.to_wire()),
            token: subscription.token.clone(),
        };
        match timeout(PATIENCE, client.explain(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(_)) | Err(_) => Err("the notifier, or its store, does not answer"),
        }
    }
}

fn judge(place: &Place, subscription: &Standing, answer: &ExplainResponse) -> Value {
    let verdict = |verdict: &str, why: String| json!({"verdict": verdict, "why": why});
    if answer.verdict() == Verdict::Denied {
        let why = "the session's token, role or realm does not allow the scope";
        return verdict("right", format!("{why} ({})", answer.reason));
    }
    match answer.found() {
        Found::Unspecified | Found::Here => {}
        Found::NotThere => {
            return verdict("unknown", "the log has no event at this place".to_owned());
        }
        Found::Trimmed => {
            let why = "the log does not reach back to it any more";
            return verdict("unknown", why.to_owned());
        }
        Found::LogLost => {
            let why = "it was in a log that is gone; sessions were told by notifications_gap";
            return verdict("gap", why.to_owned());
        }
    }
    if answer.verdict() == Verdict::NotInScope {
        let why = format!(
            "{} of customer {} does not belong to the scope {}",
            kind_name(answer.kind()),
            answer.i_customer,
            subscription.scope.name()
        );
        return verdict("scope", why);
    }
    let (kind, state) = (answer.kind(), answer.state());
    if !subscription.filter.wants(kind, state) {
        return if subscription.filter.wants_kind(kind) {
            let state = mesh::calls_index::state_name(state);
            verdict("states", format!("the filter `states` leaves {state} out"))
        } else {
            verdict("kinds", format!("the filter `kinds` leaves {} out", kind_name(kind)))
        };
    }
    where_it_lies(place, subscription)
}

/// What follows from the place of an event that the subscription wants.
fn where_it_lies(place: &Place, subscription: &Standing) -> Value {
    let verdict = |verdict: &str, why: &str| json!({"verdict": verdict, "why": why});
    let at = |places: &Places| places.get(place.partition).cloned();
    if let Some((reason, until)) = &subscription.gap
        && at(until).is_some_and(|until| until.epoch != place.epoch || !is_after(place, &until))
        && at(&subscription.since).is_none_or(|since| !is_before_or_at(place, &since))
    {
        let why = format!("it lies in a gap that the session was told of: {reason}");
        return verdict("gap", &why);
    }
    if at(&subscription.since).is_some_and(|since| is_before_or_at(place, &since)) {
        let why = "it was written before the place at which the subscription began";
        return verdict("before", why);
    }
    if !subscription.is_caught_up {
        return verdict("coming", "the subscription is being caught up from the log");
    }
    if at(&subscription.passed).is_none_or(|passed| is_after(place, &passed)) {
        return verdict("coming", "the live stream is not so far yet");
    }
    verdict("sent", "it was put into the queue of the session's socket")
}

fn is_before_or_at(place: &Place, other: &Place) -> bool {
    place.epoch == other.epoch && place.position <= other.position
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "an event",
        Kind::CallState => "call_state",
        Kind::IvrEvent => "ivr_event",
        Kind::ConferenceEvent => "conference_event",
        Kind::QueueStats => "queue_stats",
        Kind::Availability => "availability",
    }
}

impl State {
    /// The subscriptions of a session on this edge.
    fn standing(&self, session_id: &str) -> Vec<Standing> {
        let mut standing = Vec::new();
        for (scope_id, entry) in &self.scopes {
            let passed = self.place_of(*scope_id).unwrap_or_default();
            for group in &entry.groups {
                for member in group.members.values() {
                    let session = member.socket.session();
                    let Some(session) = session.filter(|it| it.id() == session_id) else {
                        continue;
                    };
                    standing.push(Standing {
                        id: Arc::clone(&group.id),
                        scope: entry.scope.clone(),
                        filter: group.filter,
                        token: session.token().to_owned(),
                        since: member.since.clone(),
                        gap: member.gap.clone(),
                        passed: passed.clone(),
                        is_caught_up: member.is_live(),
                    });
                }
            }
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use mesh::ledger::{Epoch, Position};
    use proto::call::v1::State as CallState;

    use super::*;

    fn place(sequence: u64) -> Place {
        let epoch = Epoch { born_millis: 1, nonce: 1 };
        Place { partition: 0, epoch, position: Position { millis: 1, sequence } }
    }

    fn places(sequence: u64) -> Places {
        let mut places = Places::default();
        places.set(place(sequence));
        places
    }

    fn standing() -> Standing {
        Standing {
            id: "s".into(),
            scope: Scope::Customer(7),
            filter: Filter::default(),
            token: String::new(),
            since: places(10),
            gap: None,
            passed: places(20),
            is_caught_up: true,
        }
    }

    fn found(kind: Kind, state: CallState) -> ExplainResponse {
        let mut answer = ExplainResponse { i_customer: 7, ..ExplainResponse::default() };
        answer.set_found(Found::Here);
        answer.set_verdict(Verdict::Matches);
        answer.set_kind(kind);
        answer.set_state(state);
        answer
    }

    fn verdict(place: &Place, subscription: &Standing, answer: &ExplainResponse) -> String {
        judge(place, subscription, answer)["verdict"].as_str().unwrap().to_owned()
    }

    #[test]
    fn each_reason_is_told_by_its_name() {
        let state = found(Kind::CallState, CallState::Ringing);
        let of =
            |subscription: &Standing, sequence| verdict(&place(sequence), subscription, &state);

        assert_eq!(of(&standing(), 15), "sent");
        assert_eq!(of(&standing(), 10), "before");
        assert_eq!(of(&standing(), 21), "coming");
        assert_eq!(of(&Standing { is_caught_up: false, ..standing() }, 15), "coming");
        let gap = Some(("log_lost".into(), places(16)));
        assert_eq!(of(&Standing { gap: gap.clone(), ..standing() }, 15), "gap");
        assert_eq!(of(&Standing { gap, ..standing() }, 17), "sent");
        let kinds = Filter::new(&[Kind::QueueStats.into()], &[]);
        assert_eq!(of(&Standing { filter: kinds, ..standing() }, 15), "kinds");
        let states = Filter::new(&[], &[CallState::Held.into()]);
        assert_eq!(of(&Standing { filter: states, ..standing() }, 15), "states");

        let mut foreign = state.clone();
        foreign.set_verdict(Verdict::NotInScope);
        assert_eq!(verdict(&place(15), &standing(), &foreign), "scope");
        let mut denied = state.clone();
        denied.set_verdict(Verdict::Denied);
        assert_eq!(verdict(&place(15), &standing(), &denied), "right");
        let mut gone = state;
        gone.set_found(Found::LogLost);
        assert_eq!(verdict(&place(15), &standing(), &gone), "gap");
    }
}
