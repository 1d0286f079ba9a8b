//! What is told and kept of conferences.

use std::collections::BTreeSet;

use super::Customer;
use crate::domain::command::{Cause, Done};
use crate::domain::conference::{Conference, ConferenceNews, Participant};
use crate::domain::effect::Effect;
use crate::domain::names::{ConferenceId, Tag};

impl Customer {
    /// Tells that a conference is over, also to those who were `present` when its end began.
    pub(super) fn finish_conference(
        &mut self,
        conference: &Conference,
        present: &BTreeSet<i64>,
        cause: Option<&Cause>,
    ) {
        let last = conference.participants.iter().max_by_key(|it| it.leave_time);
        self.effects.push(news(conference, present, last, ENDED, cause));
        self.changed_conferences.remove(&conference.id);
        let view = conference.view(Some(self.now));
        self.effects.push(Effect::KeepConference(Box::new(view)));
    }

    /// Tells something of a conference.
    pub(super) fn tell_of_conference(
        &mut self,
        id: &ConferenceId,
        participant: Option<&Tag>,
        event: &'static str,
        cause: Option<&Cause>,
    ) {
        let Some(conference) = self.conferences.get(id) else { return };
        let subject = participant.and_then(|tag| conference.latest(tag));
        let news = news(conference, &BTreeSet::new(), subject, event, cause);
        self.effects.push(news);
    }

    /// A participant as the answer of the command that brought it in.
    pub(super) fn participant_done(&self, id: &ConferenceId, tag: &Tag) -> Done {
        let participant = self.conferences.get(id).and_then(|conference| {
            Some(Box::new(conference.participant_view(conference.latest(tag)?)))
        });
        Done { participant, ..Done::default() }
    }

    /// Has what changed be kept.
    pub(in crate::domain::customer) fn keep_conferences(&mut self) {
        for id in std::mem::take(&mut self.changed_conferences) {
            if let Some(conference) = self.conferences.get(&id) {
                self.effects.push(Effect::KeepConference(Box::new(conference.view(None))));
            }
        }
    }
}

/// The last event of a conference.
const ENDED: &str = "ended";

/// What is told of a conference, or of `subject` in it; `besides` are told as well.
pub(super) fn news(
    conference: &Conference,
    besides: &BTreeSet<i64>,
    subject: Option<&Participant>,
    event: &'static str,
    cause: Option<&Cause>,
) -> Effect {
    let mut seen_by = conference.audience(subject);
    seen_by.i_accounts.extend(besides);
    Effect::TellConference(Box::new(ConferenceNews {
        id: conference.id.clone(),
        name: conference.name.clone(),
        participant: subject.filter(|_| event != ENDED).map(|it| it.tag.clone()),
        event,
        cause: cause.cloned(),
        seen_by,
    }))
}
