//! The rim of the domain: its types to and from the messages of the contract.

pub(crate) mod accounting;
pub(crate) mod adoption;
pub(crate) mod conference;
mod dialogue;
mod fault;

pub(crate) use dialogue::ivr_entry;
use mesh::caller::{Owner, Scope};
use mesh::clock::Timestamp;
use proto::call::v1 as call_pb;
use proto::options::v1::Realm;
use proto::switch::v1 as pb;

pub(crate) use self::fault::{fault, fault_of};

use crate::domain::{
    Account, Action, CallId, Callback, Cause, Command, ConnectTwo, Decision, Figures, LegView,
    Media, Mode, Originate, Parked, Party, PhoneNews, QueueInfo, Seen, State, Tag,
};

/// Why a command message was refused before it reached a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    /// A part is missing or senseless.
    #[error("{0}")]
    Field(&'static str),
}

/// An account.
pub(crate) fn account(account: pb::Account) -> Account {
    Account {
        i_account: account.i_account,
        account_id: account.account_id,
        name: account.name,
        i_customer: account.i_customer,
        i_reseller: account.i_reseller,
        decision: decision(account.decision_timeout_seconds, account.decision_fallback),
    }
}

/// What happens to calls about which nobody decides.
pub(crate) fn decision(seconds: i32, fallback: String) -> Option<Decision> {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    (!fallback.is_empty())
        .then(|| Decision { timeout: std::time::Duration::from_secs(seconds), fallback })
}

/// A command and, for a new call, whose it is. `media` is what it is to play.
pub(crate) fn command(
    request: pb::CommandRequest,
    media: Option<Media>,
) -> Result<(Command, Option<Owner>), Malformed> {
    use pb::command_request::Command as Is;
    let caller = request.caller.ok_or(Malformed::Field("caller is missing"))?;
    let scope = scope(&caller)?;
    let cause = Cause { request_id: caller.request_id, login: caller.login, method: caller.method };
    if request.command_id.is_empty() {
        return Err(Malformed::Field("command_id is missing"));
    }
    let mut owner = None;
    let action = match request.command.ok_or(Malformed::Field("command is missing"))? {
        Is::OriginateCall(originate) => {
            let (originate, of) = self::originate(originate)?;
            owner = Some(of);
            Action::Originate(Box::new(originate))
        }
        Is::GetCall(get) => Action::Get(target(get.call)?.0),
        Is::AnswerCall(answer) => {
            let (call_id, tag) = target(answer.call)?;
            Action::Answer(call_id, tag)
        }
        Is::RejectCall(reject) => {
            let (call_id, tag) = target(reject.call)?;
            Action::Reject(call_id, tag, code(reject.reason_code)?)
        }
        Is::TerminateCall(terminate) => {
            let (call_id, tag) = target(terminate.call)?;
            Action::Terminate(call_id, tag, code(terminate.reason_code)?)
        }
        Is::HoldCall(hold) => {
            let (call_id, tag) = target(hold.call)?;
            Action::Hold(call_id, tag)
        }
        Is::ResumeCall(resume) => {
            let (call_id, tag) = target(resume.call)?;
            Action::Resume(call_id, tag)
        }
        Is::SendDtmf(send) => {
            let (call_id, tag) = target(send.call)?;
            if send.digits.is_empty() || !send.digits.chars().all(is_key) {
                return Err(Malformed::Field("digits are some of 0-9, *, #, A-D"));
            }
            Action::SendDigits(call_id, tag, send.digits)
        }
        Is::Play(play) => {
            let (call_id, tag) = target(play.call.clone())?;
            Action::Play(call_id, tag, dialogue::play(&play, media)?)
        }
        Is::StopPlay(stop) => {
            let (call_id, tag) = target(stop.call)?;
            Action::StopPlay(call_id, tag)
        }
        Is::StartDtmfDetect(detect) => {
            let (call_id, tag) = target(detect.call.clone())?;
            Action::Collect(call_id, tag, dialogue::rules(detect)?)
        }
        Is::StopDtmfDetect(stop) => {
            let (call_id, tag) = target(stop.call)?;
            Action::StopCollect(call_id, tag)
        }
        Is::StartRecording(start) => {
            let (call_id, tag) = target(start.call)?;
            Action::Record(call_id, tag)
        }
        Is::StopRecording(stop) => {
            let (call_id, tag) = target(stop.call)?;
            Action::StopRecord(call_id, tag)
        }
        Is::ListRecordings(_) | Is::ReadRecording(_) => {
            return Err(Malformed::Field("this is no command on a call"));
        }
        Is::OriginateAdvancedCall(connect) => {
            let (connect, of) = connect_two(connect)?;
            owner = Some(of);
            Action::ConnectTwo(Box::new(connect))
        }
        Is::TransferCall(transfer) => {
            let (call_id, tag) = target(transfer.call)?;
            match (transfer.destination, transfer.target_call) {
                (Some(destination), None) => Action::TransferBlind(call_id, tag, destination),
                (None, Some(second)) => Action::TransferAttended(call_id, tag, CallId(second)),
                _ => return Err(Malformed::Field("destination or target_call, one of them")),
            }
        }
        Is::RedirectCall(redirect) => {
            let (call_id, tag) = target(redirect.call)?;
            Action::Redirect(call_id, tag, redirect.destination)
        }
        Is::ParkCall(park) => {
            let (call_id, tag) = target(park.call)?;
            Action::Park(call_id, tag, park.slot)
        }
        Is::RetrieveCall(retrieve) => {
            let parked = match (retrieve.slot, retrieve.call_id) {
                (Some(slot), None) => Parked::Slot(slot),
                (None, Some(call_id)) => Parked::Call(CallId(call_id)),
                _ => return Err(Malformed::Field("slot or call, one of them")),
            };
            let account = needed(retrieve.account)?;
            owner = Some(owner_of(&account));
            Action::Retrieve(parked, Box::new(account))
        }
        Is::PickupCall(pickup) => {
            let (call_id, tag) = target(pickup.call)?;
            Action::PickUpCall(call_id, tag, Box::new(needed(pickup.account)?))
        }
        Is::SuperviseCall(supervise) => {
            let mode = match supervise.mode() {
                pb::SuperviseMode::Spy => Mode::Spy,
                pb::SuperviseMode::Whisper => Mode::Whisper,
                pb::SuperviseMode::Barge => Mode::Barge,
                pb::SuperviseMode::Unspecified => {
                    return Err(Malformed::Field("mode is missing"));
                }
            };
            let (call_id, tag) = target(supervise.call)?;
            Action::Supervise(call_id, tag, mode, Box::new(needed(supervise.account)?))
        }
        Is::Conference(command) => conference::action(command, media)?,
    };
    Ok((Command { id: request.command_id, scope, cause, action }, owner))
}

pub(crate) fn scope(caller: &pb::Caller) -> Result<Scope, Malformed> {
    match caller.realm() {
        Realm::Admin => Ok(Scope::Everything),
        Realm::Reseller => Ok(Scope::Reseller { i_reseller: caller.i_reseller }),
        Realm::Customer => Ok(Scope::Customer { i_customer: caller.i_customer }),
        Realm::Account => {
            Ok(Scope::Account { i_customer: caller.i_customer, i_account: caller.i_account })
        }
        Realm::Unspecified => Err(Malformed::Field("caller.realm is missing")),
    }
}

const fn is_key(digit: char) -> bool {
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')
}

fn target(call: Option<call_pb::CallRef>) -> Result<(CallId, Option<Tag>), Malformed> {
    let call = call.ok_or(Malformed::Field("call is missing"))?;
    Ok((CallId(call.id), call.tag.map(Tag)))
}

fn code(code: Option<i32>) -> Result<Option<u16>, Malformed> {
    code.map(|code| {
        u16::try_from(code)
            .ok()
            .filter(|code| (200..700).contains(code))
            .ok_or(Malformed::Field("reason_code is not a SIP code from 200 to 699"))
    })
    .transpose()
}

fn originate(message: pb::OriginateCall) -> Result<(Originate, Owner), Malformed> {
    let account = self::account(message.account.ok_or(Malformed::Field("account is missing"))?);
    let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
    let seconds = u64::try_from(message.timeout_seconds).unwrap_or(0);
    if seconds == 0 {
        return Err(Malformed::Field("timeout_seconds is not above 0"));
    }
    let originate = Originate {
        call_id: CallId(message.call_id),
        account,
        destination: message.destination,
        caller_id: message.caller_id,
        caller_name: message.caller_name,
        timeout: std::time::Duration::from_secs(seconds),
        callback: message
            .state_info_callback
            .map(|url| callback(url, &message.state_info_events))
            .transpose()?,
    };
    Ok((originate, owner))
}

fn callback(url: String, states: &[String]) -> Result<Callback, Malformed> {
    let state = |name: &String| State::ALL.into_iter().find(|state| state.name() == name);
    let states: Option<_> = states.iter().map(state).collect();
    let states = states.ok_or(Malformed::Field("state_info_events names no state"))?;
    Ok(Callback { url, states })
}

fn connect_two(message: pb::OriginateAdvancedCall) -> Result<(ConnectTwo, Owner), Malformed> {
    let account = needed(message.account)?;
    let owner = owner_of(&account);
    let first = message.first.ok_or(Malformed::Field("first is missing"))?;
    let second = message.second.ok_or(Malformed::Field("second is missing"))?;
    let seconds = u64::try_from(message.timeout_seconds).unwrap_or(0);
    if seconds == 0 {
        return Err(Malformed::Field("timeout_seconds is not above 0"));
    }
    let connect = ConnectTwo {
        call_id: CallId(message.call_id),
        account,
        first: first.destination,
        first_caller_id: first.caller_id,
        second: second.destination,
        second_caller_id: second.caller_id,
        timeout: std::time::Duration::from_secs(seconds),
    };
    Ok((connect, owner))
}

fn needed(message: Option<pb::Account>) -> Result<Account, Malformed> {
    message.map(account).ok_or(Malformed::Field("account is missing"))
}

fn owner_of(account: &Account) -> Owner {
    Owner { i_reseller: account.i_reseller, i_customer: account.i_customer }
}

/// Where the engine runs, for what it tells of calls.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) node: String,
    pub(crate) site: String,
}

/// The newest state of a leg, as the store keeps it.
pub(crate) fn record(view: &LegView, place: &Place) -> pb::LegRecord {
    let seen = seen(&view.seen_by);
    let owner = view.owner;
    pb::LegRecord {
        call_info: Some(call_info(view, &place.site)),
        i_reseller: owner.i_reseller,
        i_accounts: seen.i_accounts,
        access_numbers: seen.access_numbers,
        i_c_queues: seen.i_c_queues,
        node: place.node.clone(),
        call_sequence: i64::try_from(view.sequence).unwrap_or(i64::MAX),
        charges: view.charges.iter().map(accounting::open).collect(),
        callback: view.callback.as_ref().map(|callback| pb::StateCallback {
            url: callback.url.clone(),
            states: callback.states.iter().map(|it| state(*it).into()).collect(),
        }),
        memo: view.memo.as_ref().map(|memo| adoption::memo(memo, view)),
    }
}

/// The event that tells a record.
pub(crate) fn entry_of(record: &pb::LegRecord, at: Timestamp, traceparent: &str) -> pb::LogEntry {
    pb::LogEntry {
        i_customer: record.call_info.as_ref().map_or(0, |info| info.i_customer),
        i_reseller: record.i_reseller,
        i_accounts: record.i_accounts.clone(),
        access_numbers: record.access_numbers.clone(),
        i_c_queues: record.i_c_queues.clone(),
        time_us: at.as_micros(),
        traceparent: traceparent.to_owned(),
        callbacks: mesh::calls_index::callbacks(record),
        body: record.call_info.clone().map(pb::log_entry::Body::CallState),
    }
}

/// What a phone is, as the store keeps it.
pub(crate) fn phone_record(
    news: &PhoneNews,
    owner: Owner,
    place: &Place,
    at: Timestamp,
) -> pb::PhoneRecord {
    pb::PhoneRecord {
        i_account: news.i_account,
        account_id: news.account_id.clone(),
        i_customer: owner.i_customer,
        i_reseller: owner.i_reseller,
        availability: news.availability.name().to_owned(),
        node: place.node.clone(),
        time_us: at.as_micros(),
    }
}

/// The event that tells a queue's figures; no one command causes them.
pub(crate) fn queue_entry(
    figures: Figures,
    seen_by: &Seen,
    owner: Owner,
    at: Timestamp,
) -> pb::LogEntry {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let long = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let body = pb::log_entry::Body::QueueStats(pb::QueueStats {
        queue: Some(pb::queue_stats::Queue {
            i_c_queue: figures.i_c_queue,
            name: figures.name,
            waiting: number(figures.waiting),
            longest_wait: long(figures.longest_wait_seconds),
            agents_in: number(figures.agents_in),
            agents_busy: number(figures.agents_busy),
            answered: long(figures.answered),
            abandoned: long(figures.abandoned),
            service_level: i32::from(figures.service_level),
        }),
    });
    entry(body, seen_by, owner, at)
}

/// An event that changes no leg.
fn entry(body: pb::log_entry::Body, seen_by: &Seen, owner: Owner, at: Timestamp) -> pb::LogEntry {
    let seen = seen(seen_by);
    pb::LogEntry {
        i_customer: owner.i_customer,
        i_reseller: owner.i_reseller,
        i_accounts: seen.i_accounts,
        access_numbers: seen.access_numbers,
        i_c_queues: seen.i_c_queues,
        time_us: at.as_micros(),
        body: Some(body),
        ..pb::LogEntry::default()
    }
}

fn queue_info(info: &QueueInfo) -> call_pb::QueueInfo {
    call_pb::QueueInfo {
        i_c_queue: info.i_c_queue,
        name: info.name.clone(),
        position: i32::try_from(info.position).unwrap_or(i32::MAX),
        waited: i64::try_from(info.waited_seconds).unwrap_or(i64::MAX),
        reason: info.reason.map(|reason| reason.name().to_owned()),
    }
}

/// Who may see something, in the messages' form.
struct SeenLists {
    i_accounts: Vec<i64>,
    access_numbers: Vec<String>,
    i_c_queues: Vec<i64>,
}

fn seen(seen: &Seen) -> SeenLists {
    SeenLists {
        i_accounts: seen.i_accounts.iter().copied().collect(),
        access_numbers: seen.access_numbers.iter().cloned().collect(),
        i_c_queues: seen.i_c_queues.iter().copied().collect(),
    }
}

/// A leg as applications see it.
pub(crate) fn call_info(view: &LegView, site: &str) -> call_pb::CallInfo {
    call_pb::CallInfo {
        call: Some(call_pb::CallRef { id: view.call_id.0.clone(), tag: Some(view.tag.0.clone()) }),
        tracking_id: view.tracking_id.clone(),
        previous_tracking_id: view.previous_tracking_id.clone(),
        state: state(view.state).into(),
        r#type: match view.direction {
            crate::domain::Direction::Incoming => call_pb::Type::Incoming,
            crate::domain::Direction::Outgoing => call_pb::Type::Outgoing,
        }
        .into(),
        is_external_call: view.is_external,
        caller: Some(party(&view.caller)),
        callee: Some(party(&view.callee)),
        i_customer: view.owner.i_customer,
        i_account: view.i_account,
        access_number: view.access_number.clone(),
        queue_info: view.queue_info.as_ref().map(queue_info),
        conference: view.conference.as_ref().map(|conference| call_pb::ConferenceRef {
            i_conference: conference.id.0.clone(),
            name: conference.name.clone(),
        }),
        recording: dialogue::recording(view),
        start_time: view.start_time.as_micros(),
        connect_time: view.connect_time.map(Timestamp::as_micros),
        update_time: view.update_time.as_micros(),
        duration: i64::try_from(view.duration_seconds).unwrap_or(i64::MAX),
        reason: view.reason.as_ref().map(|reason| reason.text.clone()),
        reason_code: view.reason.as_ref().map(|reason| i32::from(reason.code)),
        caused_by: view.caused_by.as_ref().map(caused_by),
        moved_to: view
            .moved_to
            .as_ref()
            .map(|call_id| call_pb::CallRef { id: call_id.0.clone(), tag: None }),
        sequence: i64::try_from(view.sequence).unwrap_or(i64::MAX),
        site: site.to_owned(),
        is_corrective: view.is_corrective.then_some(true),
    }
}

fn caused_by(cause: &Cause) -> call_pb::CausedBy {
    call_pb::CausedBy {
        request_id: cause.request_id.clone(),
        login: cause.login.clone(),
        method: cause.method.clone(),
    }
}

fn party(party: &Party) -> call_pb::Party {
    call_pb::Party {
        i_account: party.i_account,
        account_id: party.account_id.clone(),
        number: party.number.clone(),
        name: party.name.clone(),
        huntgroup_id: party.huntgroup_id.clone(),
    }
}

fn state(state: State) -> call_pb::State {
    match state {
        State::Trying => call_pb::State::Trying,
        State::Ringing => call_pb::State::Ringing,
        State::Early => call_pb::State::Early,
        State::Connected => call_pb::State::Connected,
        State::Held => call_pb::State::Held,
        State::Holding => call_pb::State::Holding,
        State::Parked => call_pb::State::Parked,
        State::Queued => call_pb::State::Queued,
        State::Dequeued => call_pb::State::Dequeued,
        State::Transferred => call_pb::State::Transferred,
        State::Terminated => call_pb::State::Terminated,
    }
}
