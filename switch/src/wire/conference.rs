//! Conferences: the domain's types to and from the messages of the contract.

use mesh::caller::Owner;
use mesh::clock::Timestamp;
use proto::call::v1 as call_pb;
use proto::conference::v1 as conference_pb;
use proto::switch::v1 as pb;

use super::{Malformed, Place, caused_by, entry, needed, target};
use crate::domain::{
    Action, Cause, ConferenceAction, ConferenceId, ConferenceNews, ConferenceView,
    CreateConference, Ear, Interval, IntervalKind, JoinMode, Media, NewOwner, ParticipantState,
    ParticipantView, Role, Tag, Whom,
};

/// What a command is to do to a conference.
pub(super) fn action(
    command: pb::ConferenceCommand,
    media: Option<Media>,
) -> Result<Action, Malformed> {
    use pb::conference_command::Command as Is;
    let prompts = match media {
        Some(Media::Clips(clips)) => clips,
        Some(Media::Url(_)) | None => Vec::new(),
    };
    let action = match command.command.ok_or(Malformed::Field("command is missing"))? {
        Is::Create(create) => {
            let (call_id, tag) = target(create.call)?;
            let owner = new_owner(create.owner.ok_or(Malformed::Field("owner is missing"))?)?;
            let name = create.name;
            ConferenceAction::Create(CreateConference { call_id, tag, name, owner, prompts })
        }
        Is::Add(add) => {
            let whom = match add.whom.ok_or(Malformed::Field("whom is missing"))? {
                pb::add_participant::Whom::Destination(number) => Whom::Number(number),
                pb::add_participant::Whom::Account(account) => {
                    Whom::Account(super::account(account))
                }
                pb::add_participant::Whom::Call(call) => {
                    let (call_id, tag) = target(Some(call))?;
                    Whom::Call(call_id, tag)
                }
            };
            ConferenceAction::Add(ConferenceId(add.i_conference), whom, prompts)
        }
        Is::Update(update) => ConferenceAction::Update {
            id: ConferenceId(update.i_conference),
            participant: Tag(update.participant),
            mute: update.mute,
            hold: update.hold,
        },
        Is::Delete(delete) => {
            ConferenceAction::Delete(ConferenceId(delete.i_conference), Tag(delete.participant))
        }
        Is::Leave(leave) => {
            ConferenceAction::Leave(ConferenceId(leave.i_conference), needed(leave.account)?)
        }
        Is::Join(join) => {
            let mode = match join.mode() {
                conference_pb::JoinMode::Full => JoinMode::Full,
                conference_pb::JoinMode::ListenOnly => JoinMode::ListenOnly,
                conference_pb::JoinMode::PrivateTalk => JoinMode::PrivateTalk,
                conference_pb::JoinMode::Unspecified => {
                    return Err(Malformed::Field("mode is missing"));
                }
            };
            ConferenceAction::Join(ConferenceId(join.i_conference), needed(join.account)?, mode)
        }
        Is::Terminate(terminate) => {
            ConferenceAction::Terminate(ConferenceId(terminate.i_conference))
        }
        Is::Change(change) => ConferenceAction::Change {
            id: ConferenceId(change.i_conference),
            owner: change.owner.map(new_owner).transpose()?,
            name: change.name,
        },
        Is::Merge(merge) => ConferenceAction::Merge {
            id: ConferenceId(merge.i_conference),
            from: ConferenceId(merge.from_i_conference),
        },
    };
    Ok(Action::Conference(Box::new(action)))
}

fn new_owner(owner: pb::ConferenceOwner) -> Result<NewOwner, Malformed> {
    let pb::ConferenceOwner { account, may_confer, has_credit } = owner;
    Ok(NewOwner { account: needed(account)?, may_confer, has_credit })
}

/// What the store is to have of a conference.
pub(crate) fn record(view: &ConferenceView, place: &Place) -> pb::ConferenceRecord {
    pb::ConferenceRecord {
        conference: Some(conference(view)),
        i_reseller: view.environment.i_reseller,
        i_accounts: view.seen_by.iter().copied().collect(),
        node: place.node.clone(),
        participants: view.participants.iter().map(participant_record).collect(),
    }
}

/// A conference as it is shown.
pub(crate) fn conference(view: &ConferenceView) -> conference_pb::Conference {
    let state = match view.end_time {
        None => conference_pb::ConferenceState::Active,
        Some(_) => conference_pb::ConferenceState::Ended,
    };
    conference_pb::Conference {
        i_conference: view.id.0.clone(),
        name: view.name.clone(),
        state: state.into(),
        owner: Some(conference_pb::ConferenceOwner { account_id: view.owner_account_id.clone() }),
        create_time: view.create_time.as_micros(),
        end_time: view.end_time.map(Timestamp::as_micros),
        i_customer: view.environment.i_customer,
    }
}

fn participant_record(view: &ParticipantView) -> pb::ParticipantRecord {
    let names = |tags: &std::collections::BTreeSet<Tag>| {
        tags.iter().map(|tag| tag.0.clone()).collect::<Vec<_>>()
    };
    let (listens, beside, except) = match &view.row.ear {
        Ear::Silence | Ear::Music => (false, Vec::new(), Vec::new()),
        Ear::Room { beside, except } => (true, names(beside), names(except)),
    };
    pb::ParticipantRecord {
        participant: Some(participant(view)),
        speaks: view.row.speaks,
        listens,
        beside,
        except,
    }
}

/// A participant as it is shown, without whom it hears.
pub(crate) fn participant(view: &ParticipantView) -> conference_pb::Participant {
    let role = match view.role {
        Role::Owner => conference_pb::ParticipantRole::Owner,
        Role::Participant => conference_pb::ParticipantRole::Participant,
        Role::Listener => conference_pb::ParticipantRole::Listener,
        Role::Private => conference_pb::ParticipantRole::Private,
    };
    let state = match view.state {
        ParticipantState::Invited => conference_pb::ParticipantState::Invited,
        ParticipantState::Joined => conference_pb::ParticipantState::Joined,
        ParticipantState::Held => conference_pb::ParticipantState::Held,
        ParticipantState::Left => conference_pb::ParticipantState::Left,
        ParticipantState::Failed => conference_pb::ParticipantState::Failed,
    };
    let call = call_pb::CallRef { id: view.call_id.0.clone(), tag: Some(view.tag.0.clone()) };
    conference_pb::Participant {
        participant: view.tag.0.clone(),
        account_id: view.party.account_id.clone(),
        number: view.party.number.clone(),
        name: Some(view.party.name.clone()).filter(|name| !name.is_empty()),
        role: role.into(),
        state: state.into(),
        muted: view.is_muted,
        join_time: view.join_time.map(Timestamp::as_micros),
        leave_time: view.leave_time.map(Timestamp::as_micros),
        intervals: view.intervals.iter().map(interval).collect(),
        hears: Vec::new(),
        heard_by: Vec::new(),
        call: Some(call),
    }
}

fn interval(interval: &Interval) -> conference_pb::Interval {
    let (kind, mode) = match interval.kind {
        IntervalKind::Join => (conference_pb::IntervalKind::Join, None),
        IntervalKind::Mute => (conference_pb::IntervalKind::Mute, None),
        IntervalKind::Hold => (conference_pb::IntervalKind::Hold, None),
        IntervalKind::Mode(mode) => (conference_pb::IntervalKind::Mode, Some(join_mode(mode))),
    };
    let caused_by = |cause: &Option<Cause>| cause.as_ref().map(caused_by);
    conference_pb::Interval {
        kind: kind.into(),
        mode: mode.map(Into::into),
        start_time: interval.start.as_micros(),
        end_time: interval.end.map(Timestamp::as_micros),
        caused_by: caused_by(&interval.caused_by),
        ended_by: caused_by(&interval.ended_by),
    }
}

pub(super) const fn join_mode(mode: JoinMode) -> conference_pb::JoinMode {
    match mode {
        JoinMode::Full => conference_pb::JoinMode::Full,
        JoinMode::ListenOnly => conference_pb::JoinMode::ListenOnly,
        JoinMode::PrivateTalk => conference_pb::JoinMode::PrivateTalk,
    }
}

/// The event that tells of a conference or a participant.
pub(crate) fn news(
    news: &ConferenceNews,
    owner: Owner,
    at: Timestamp,
    traceparent: &str,
) -> pb::LogEntry {
    let body = pb::log_entry::Body::ConferenceEvent(pb::ConferenceEvent {
        conference: Some(call_pb::ConferenceRef {
            i_conference: news.id.0.clone(),
            name: news.name.clone(),
        }),
        participant: news.participant.as_ref().map(|tag| tag.0.clone()),
        event: news.event.to_owned(),
        caused_by: news.cause.as_ref().map(caused_by),
    });
    pb::LogEntry { traceparent: traceparent.to_owned(), ..entry(body, &news.seen_by, owner, at) }
}
