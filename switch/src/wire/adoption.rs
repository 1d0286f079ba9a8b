//! What a node leaves for its next process, to and from the messages of the contract.

use std::time::Duration;

use mesh::caller::Owner;
use mesh::clock::Timestamp;
use proto::call::v1 as call_pb;
use proto::conference::v1 as conference_pb;
use proto::switch::v1 as pb;
use proto::switch::v1::accounting_record as charge_pb;

use super::party;
use crate::domain::{
    Account, CallId, Callback, Cause, Charged, ChargedService, ConferenceId, ConferenceRef,
    ConferenceView, Direction, End, IdleCharge, Interval, IntervalKind, JoinMode, LeftConference,
    LeftLeg, LegView, Memo, Mode, ParticipantState, ParticipantView, Party, Rating, Recorded,
    Recording, Role, Row, Seen, State, Supervision, Tag,
};
use crate::driver::{ChannelId, RecordingId};

/// What is written beside a leg's state.
pub(super) fn memo(memo: &Memo, view: &LegView) -> pb::LegMemo {
    let supervision = match &memo.end {
        End::Supervisor(supervision) => Some(supervision),
        End::Caller | End::Callee => None,
    };
    let end = match memo.end {
        End::Caller => pb::LegEnd::Caller,
        End::Callee => pb::LegEnd::Callee,
        End::Supervisor(_) => pb::LegEnd::Supervisor,
    };
    let mode = |supervision: &Supervision| match supervision.mode {
        Mode::Spy => pb::SuperviseMode::Spy,
        Mode::Whisper => pb::SuperviseMode::Whisper,
        Mode::Barge => pb::SuperviseMode::Barge,
    };
    let parking = memo.parking.as_ref();
    pb::LegMemo {
        channel: memo.channel.0.clone(),
        end: end.into(),
        supervise_mode: supervision.map(mode).map(Into::into),
        supervised: supervision.map(|supervision| supervision.of.0.clone()),
        party: Some(party(&memo.party)),
        presented: Some(party(&memo.presented)),
        destination: memo.destination.clone(),
        payer: memo.payer,
        placer: memo.placer,
        redirects: i32::try_from(memo.redirects).unwrap_or(i32::MAX),
        slot: parking.map(|(slot, _)| slot.clone()),
        parker: parking.map(|(_, parker)| party(parker)),
        idle_charges: memo.idle_charges.iter().map(|idle| idle_charge(idle, view)).collect(),
    }
}

fn idle_charge(idle: &IdleCharge, view: &LegView) -> pb::IdleCharge {
    let charged = Charged {
        owner: view.owner,
        call_id: view.call_id.clone(),
        tag: view.tag.clone(),
        tracking_id: view.tracking_id.clone(),
        payer: idle.payer,
        service: ChargedService::Voice,
        direction: idle.direction,
        rating: idle.rating,
        cli: idle.cli.clone(),
        cld: idle.cld.clone(),
        connect_time: Timestamp::default(),
        disconnect_time: Timestamp::default(),
        duration: Duration::ZERO,
        running_since: None,
        disconnect_cause: 0,
        recording: None,
    };
    pb::IdleCharge {
        record: Some(super::accounting::record(&charged)),
        through: idle.through.as_ref().map(|tag| tag.0.clone()),
    }
}

/// A leg that a record tells of, with a memo; `None` when it has none or makes no sense.
pub(crate) fn left_leg(record: pb::LegRecord, is_there: bool) -> Option<LeftLeg> {
    let owner = owner_of(&record)?;
    let info = record.call_info?;
    let memo = read_memo(record.memo?)?;
    let call = info.call.clone()?;
    let (call_id, tag) = (CallId(call.id), Tag(call.tag?));
    let view = LegView {
        owner,
        tracking_id: info.tracking_id.clone(),
        previous_tracking_id: info.previous_tracking_id.clone(),
        state: read_state(info.state())?,
        direction: match info.r#type() {
            call_pb::Type::Incoming => Direction::Incoming,
            call_pb::Type::Outgoing => Direction::Outgoing,
            call_pb::Type::Unspecified => return None,
        },
        is_external: info.is_external_call,
        caller: read_party(info.caller),
        callee: read_party(info.callee),
        i_account: info.i_account,
        access_number: info.access_number,
        start_time: Timestamp::from_micros(info.start_time),
        connect_time: info.connect_time.map(Timestamp::from_micros),
        update_time: Timestamp::from_micros(info.update_time),
        duration_seconds: u64::try_from(info.duration).unwrap_or(0),
        reason: None,
        moved_to: None,
        queue_info: None,
        conference: info.conference.map(|conference| ConferenceRef {
            id: ConferenceId(conference.i_conference),
            name: conference.name,
        }),
        charges: record.charges.into_iter().filter_map(|open| read_charge(open, owner)).collect(),
        recording: info.recording.map(|recording| Recording {
            id: RecordingId(recording.i_recording),
            begun: Timestamp::from_micros(info.update_time),
            is_active: recording.active,
        }),
        caused_by: info.caused_by.map(read_cause),
        is_corrective: info.is_corrective.unwrap_or(false),
        sequence: u64::try_from(info.sequence).unwrap_or(0),
        seen_by: Seen {
            i_accounts: record.i_accounts.into_iter().collect(),
            access_numbers: record.access_numbers.into_iter().collect(),
            i_c_queues: record.i_c_queues.into_iter().collect(),
        },
        callback: record.callback.map(read_callback),
        memo: Some(Box::new(memo.clone())),
        call_id,
        tag,
    };
    let call_sequence = u64::try_from(record.call_sequence).unwrap_or(0);
    Some(LeftLeg { view, memo, call_sequence, is_there })
}

/// What was being recorded on a leg of a call, of all of whose legs these records tell. When it began is
/// not told: at the latest when the leg changed last.
pub(crate) fn left_recording(
    record: &pb::LegRecord,
    legs: &[pb::LegRecord],
    now: Timestamp,
) -> Option<Recorded> {
    let owner = owner_of(record)?;
    let info = record.call_info.as_ref()?;
    let recording = info.recording.as_ref().filter(|recording| recording.active)?;
    let call = info.call.as_ref()?;
    let of_call = |info: &&call_pb::CallInfo| {
        info.call.as_ref().is_some_and(|it| it.id == call.id) && info.connect_time.is_some()
    };
    let through = legs.iter().filter_map(|leg| leg.call_info.as_ref()).filter(of_call);
    Some(Recorded {
        id: RecordingId(recording.i_recording.clone()),
        call_id: CallId(call.id.clone()),
        tag: Tag(call.tag.clone()?),
        tracking_id: info.tracking_id.clone(),
        owner,
        account_id: account_of(info),
        i_accounts: through.filter_map(|info| info.i_account).collect(),
        begun: Timestamp::from_micros(info.update_time),
        ended: now,
    })
}

/// The id of a leg's own account.
fn account_of(info: &call_pb::CallInfo) -> Option<String> {
    let ends = [&info.caller, &info.callee].into_iter().flatten();
    let mut own = ends.filter(|end| end.i_account.is_some() && end.i_account == info.i_account);
    own.next().and_then(|end| end.account_id.clone())
}

/// Whose leg a record tells of.
pub(crate) fn owner_of(record: &pb::LegRecord) -> Option<Owner> {
    let i_customer = record.call_info.as_ref()?.i_customer;
    Some(Owner { i_reseller: record.i_reseller, i_customer })
}

/// The conference that a record tells of.
pub(crate) fn left_conference(
    record: pb::ConferenceRecord,
    owner: Account,
) -> Option<LeftConference> {
    let conference = record.conference?;
    let participants = record.participants.into_iter();
    let view = ConferenceView {
        environment: Owner { i_reseller: record.i_reseller, i_customer: conference.i_customer },
        id: ConferenceId(conference.i_conference),
        name: conference.name,
        owner_account_id: owner.account_id.clone(),
        create_time: Timestamp::from_micros(conference.create_time),
        end_time: None,
        participants: participants.filter_map(|it| read_participant(it.participant?)).collect(),
        seen_by: record.i_accounts.into_iter().collect(),
    };
    Some(LeftConference { view, owner })
}

fn read_participant(participant: conference_pb::Participant) -> Option<ParticipantView> {
    use conference_pb::{ParticipantRole as RoleIs, ParticipantState as StateIs};
    let role = match participant.role() {
        RoleIs::Owner => Role::Owner,
        RoleIs::Participant => Role::Participant,
        RoleIs::Listener => Role::Listener,
        RoleIs::Private => Role::Private,
        RoleIs::Unspecified => return None,
    };
    let state = match participant.state() {
        StateIs::Invited => ParticipantState::Invited,
        StateIs::Joined => ParticipantState::Joined,
        StateIs::Held => ParticipantState::Held,
        StateIs::Left => ParticipantState::Left,
        StateIs::Failed => ParticipantState::Failed,
        StateIs::Unspecified => return None,
    };
    Some(ParticipantView {
        tag: Tag(participant.participant),
        call_id: CallId(participant.call?.id),
        party: Party {
            account_id: participant.account_id,
            number: participant.number,
            name: participant.name.unwrap_or_default(),
            ..Party::default()
        },
        role,
        state,
        is_muted: participant.muted,
        join_time: participant.join_time.map(Timestamp::from_micros),
        leave_time: participant.leave_time.map(Timestamp::from_micros),
        intervals: participant.intervals.into_iter().filter_map(read_interval).collect(),
        row: Row::default(),
    })
}

fn read_interval(interval: conference_pb::Interval) -> Option<Interval> {
    let kind = match interval.kind() {
        conference_pb::IntervalKind::Join => IntervalKind::Join,
        conference_pb::IntervalKind::Mute => IntervalKind::Mute,
        conference_pb::IntervalKind::Hold => IntervalKind::Hold,
        conference_pb::IntervalKind::Mode => IntervalKind::Mode(match interval.mode() {
            conference_pb::JoinMode::Full => JoinMode::Full,
            conference_pb::JoinMode::ListenOnly => JoinMode::ListenOnly,
            conference_pb::JoinMode::PrivateTalk => JoinMode::PrivateTalk,
            conference_pb::JoinMode::Unspecified => return None,
        }),
        conference_pb::IntervalKind::Unspecified => return None,
    };
    Some(Interval {
        kind,
        start: Timestamp::from_micros(interval.start_time),
        end: interval.end_time.map(Timestamp::from_micros),
        caused_by: interval.caused_by.map(read_cause),
        ended_by: interval.ended_by.map(read_cause),
    })
}

fn read_memo(memo: pb::LegMemo) -> Option<Memo> {
    let end = match memo.end() {
        pb::LegEnd::Caller => End::Caller,
        pb::LegEnd::Callee => End::Callee,
        pb::LegEnd::Supervisor => {
            let mode = match memo.supervise_mode() {
                pb::SuperviseMode::Spy => Mode::Spy,
                pb::SuperviseMode::Whisper => Mode::Whisper,
                pb::SuperviseMode::Barge => Mode::Barge,
                pb::SuperviseMode::Unspecified => return None,
            };
            End::Supervisor(Supervision { mode, of: Tag(memo.supervised?) })
        }
        pb::LegEnd::Unspecified => return None,
    };
    Some(Memo {
        channel: ChannelId(memo.channel),
        end,
        party: read_party(memo.party),
        presented: read_party(memo.presented),
        destination: memo.destination,
        payer: memo.payer,
        placer: memo.placer,
        redirects: u32::try_from(memo.redirects).unwrap_or(0),
        parking: memo.slot.map(|slot| (slot, read_party(memo.parker))),
        idle_charges: memo.idle_charges.into_iter().filter_map(read_idle_charge).collect(),
    })
}

fn read_idle_charge(idle: pb::IdleCharge) -> Option<IdleCharge> {
    let record = idle.record?;
    Some(IdleCharge {
        payer: record.i_account,
        direction: read_direction(record.direction())?,
        rating: read_rating(record.rating())?,
        cli: record.cli,
        cld: record.cld,
        through: idle.through.map(Tag),
    })
}

fn read_charge(open: pb::OpenCharge, owner: Owner) -> Option<Charged> {
    let record = open.record?;
    let since = (open.running_since_us > 0).then(|| Timestamp::from_micros(open.running_since_us));
    Some(Charged {
        owner,
        service: match record.service() {
            charge_pb::Service::Voice => ChargedService::Voice,
            charge_pb::Service::Conferencing => ChargedService::Conferencing,
            charge_pb::Service::Unspecified => return None,
        },
        direction: read_direction(record.direction())?,
        rating: read_rating(record.rating())?,
        call_id: CallId(record.call_id),
        tag: Tag(record.tag),
        tracking_id: record.tracking_id,
        payer: record.i_account,
        cli: record.cli,
        cld: record.cld,
        connect_time: Timestamp::from_micros(record.connect_time_us),
        disconnect_time: Timestamp::from_micros(record.disconnect_time_us),
        duration: Duration::from_micros(u64::try_from(record.duration_us).unwrap_or(0)),
        running_since: since,
        disconnect_cause: 0,
        recording: None,
    })
}

fn read_direction(direction: charge_pb::Direction) -> Option<Direction> {
    match direction {
        charge_pb::Direction::Incoming => Some(Direction::Incoming),
        charge_pb::Direction::Outgoing => Some(Direction::Outgoing),
        charge_pb::Direction::Unspecified => None,
    }
}

fn read_rating(rating: charge_pb::Rating) -> Option<Rating> {
    match rating {
        charge_pb::Rating::Ordinary => Some(Rating::Ordinary),
        charge_pb::Rating::Incoming => Some(Rating::Incoming),
        charge_pb::Rating::Unspecified => None,
    }
}

fn read_party(party: Option<call_pb::Party>) -> Party {
    let party = party.unwrap_or_default();
    Party {
        i_account: party.i_account,
        account_id: party.account_id,
        number: party.number,
        name: party.name,
        huntgroup_id: party.huntgroup_id,
    }
}

fn read_cause(cause: call_pb::CausedBy) -> Cause {
    Cause { request_id: cause.request_id, login: cause.login, method: cause.method }
}

fn read_callback(callback: pb::StateCallback) -> Callback {
    let states = callback.states().filter_map(read_state).collect();
    Callback { url: callback.url, states }
}

fn read_state(state: call_pb::State) -> Option<State> {
    State::ALL.into_iter().find(|known| super::state(*known) == state)
}
