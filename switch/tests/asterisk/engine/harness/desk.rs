//! Commands go in, and what the event log tells is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mesh::ledger::{Ledger as _, LogRead, ReadFrom};
use mesh::testing::eventually;
use parking_lot::Mutex;
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef};
use proto::options::v1::Realm;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;

use super::directory::{self, account};
use super::{Service, TRUNK, World};
use crate::phone::PATIENCE;

/// A node of the switch, its command API, and its event log.
pub(crate) struct Desk {
    pub(crate) service: Service,
    pub(super) client: Client<HttpConnector, Full<Bytes>>,
    pub(crate) world: World,
    /// Calls that have been looked at.
    seen: Mutex<Vec<String>>,
}

impl Desk {
    /// Sends a request, and waits for its answer.
    pub(crate) async fn send(
        &self,
        request: http::Request<Full<Bytes>>,
    ) -> http::Response<hyper::body::Incoming> {
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        answer.expect("an answer in time").unwrap()
    }

    pub(crate) fn new(world: World, service: Service) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { service, client, world, seen: Mutex::default() }
    }

    /// Has an account's phone call a number; gives the call's id.
    pub(crate) async fn originate(&self, account_id: &str, destination: &str) -> String {
        let call_id = format!("switch-1.{}", uuid::Uuid::now_v7().simple());
        let originate = pb::OriginateCall {
            call_id: call_id.clone(),
            account: directory::by_id(account_id),
            destination: destination.to_owned(),
            timeout_seconds: 30,
            ..pb::OriginateCall::default()
        };
        self.command(Command::OriginateCall(originate)).await;
        self.seen.lock().push(call_id.clone());
        call_id
    }

    /// Turns a call into a conference of its leg's account; gives its id.
    pub(crate) async fn confer(&self, leg: CallRef, i_account: i64) -> String {
        let owner = pb::ConferenceOwner {
            account: Some(account(i_account)),
            may_confer: true,
            has_credit: true,
        };
        let create = pb::CreateConference {
            call: Some(leg),
            name: "Round".to_owned(),
            owner: Some(owner),
            ..pb::CreateConference::default()
        };
        let done = self.conference(pb::conference_command::Command::Create(create)).await;
        done.conference.expect("a conference").i_conference
    }

    /// Calls a number into a conference; gives the call's id.
    pub(crate) async fn add_to(&self, conference: &str, number: &str) -> String {
        let add = pb::AddParticipant {
            i_conference: conference.to_owned(),
            whom: Some(pb::add_participant::Whom::Destination(number.to_owned())),
            ..pb::AddParticipant::default()
        };
        let done = self.conference(pb::conference_command::Command::Add(add)).await;
        done.participant.and_then(|it| it.call).expect("a participant").id
    }

    pub(crate) async fn conference(&self, command: pb::conference_command::Command) -> pb::Done {
        self.command(Command::Conference(pb::ConferenceCommand { command: Some(command) })).await
    }

    /// Waits until exactly this has been told of a conference.
    pub(crate) async fn until_conference(&self, id: &str, expected: &[&str]) {
        eventually(PATIENCE, &format!("conference is {expected:?}"), || async {
            let events = self.entries().await.filter_map(|body| match body {
                pb::log_entry::Body::ConferenceEvent(event) => Some(event),
                _ => None,
            });
            let of = |event: &pb::ConferenceEvent| {
                event.conference.as_ref().is_some_and(|it| it.i_conference == id)
            };
            let told: Vec<_> = events.filter(of).map(|event| event.event).collect();
            if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    }

    /// Carries out a command of the operator.
    pub(crate) async fn command(&self, command: Command) -> pb::Done {
        let caller = pb::Caller {
            realm: Realm::Admin.into(),
            login: "admin".to_owned(),
            method: "CallControl/test".to_owned(),
            ..pb::Caller::default()
        };
        let request = pb::CommandRequest {
            command_id: uuid::Uuid::new_v4().to_string(),
            deadline_us: self.world.clock.now().plus(PATIENCE).as_micros(),
            caller: Some(caller),
            i_customer: 1,
            command: Some(command),
            ..pb::CommandRequest::default()
        };
        let body = Full::new(Bytes::from(request.encode_to_vec()));
        let post = http::Request::post(&self.service.url).body(body).unwrap();
        let answer = self.send(post).await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        match pb::CommandResponse::decode(body).unwrap().outcome {
            Some(pb::command_response::Outcome::Done(done)) => done,
            other => panic!("{other:?}"),
        }
    }

    /// All that has been told.
    async fn entries(&self) -> impl Iterator<Item = pb::log_entry::Body> {
        let read = self.world.ledger.read_log(0, &ReadFrom::Oldest, 10_000, Duration::ZERO).await;
        let LogRead::Entries(chunk) = read.unwrap() else { panic!("the log begins anew") };
        let entries = chunk.entries.into_iter();
        entries
            .filter_map(|(_, bytes)| pb::LogEntry::decode(bytes).expect("an entry of the log").body)
    }

    /// Waits until exactly this has been told of prompts and keys of a call: an event, and the digits
    /// that it has.
    pub(crate) async fn until_ivr(&self, call: &str, expected: &[&str]) {
        eventually(PATIENCE, &format!("prompts and keys are {expected:?}"), || async {
            let events = self.entries().await.filter_map(|body| match body {
                pb::log_entry::Body::IvrEvent(event) => Some(event),
                _ => None,
            });
            let of_call = events.filter(|it| it.call.as_ref().is_some_and(|it| it.id == call));
            let told = of_call.filter_map(|it| it.ivr_info).map(|info| match info.digits {
                Some(digits) => format!("{} {digits}", info.event),
                None => info.event,
            });
            let told: Vec<_> = told.collect();
            if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    }

    /// An application listens to an access number.
    pub(crate) async fn listens(&self, access_number: &str) {
        let noted = self.world.ledger.note_presence(1, access_number, "app", PATIENCE).await;
        noted.expect("a store");
    }

    /// The states of all legs, in the order of the log.
    pub(crate) async fn log(&self) -> Vec<CallInfo> {
        let states = self.entries().await.filter_map(|body| match body {
            pb::log_entry::Body::CallState(info) => Some(info),
            _ => None,
        });
        states.collect()
    }

    /// Waits until exactly this has been told of an account's phone.
    pub(crate) async fn until_phone(&self, account_id: &str, expected: &[&str]) {
        eventually(PATIENCE, &format!("phone {account_id} is {expected:?}"), || async {
            let news = self.entries().await.filter_map(|body| match body {
                pb::log_entry::Body::Availability(news) => Some(news),
                _ => None,
            });
            let of_phone = news.filter(|news| news.account_id == account_id);
            let told: Vec<_> = of_phone.map(|news| news.availability).collect();
            if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    }

    /// What was told of an account's leg of a call: states, and how it ended.
    pub(crate) async fn told(&self, call: &str, i_account: i64) -> Vec<String> {
        let mut legs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for info in self.log().await {
            let of = info.call.clone().unwrap_or_default();
            if of.id != call || info.i_account.unwrap_or(TRUNK) != i_account {
                continue;
            }
            let state = state_of(&info);
            let end = match (info.reason_code, &info.reason) {
                (Some(code), Some(reason)) if state == "terminated" => format!(" {code} {reason}"),
                _ => String::new(),
            };
            legs.entry(of.tag.unwrap_or_default()).or_default().push(format!("{state}{end}"));
        }
        assert!(legs.len() <= 1, "one leg of {i_account}: {legs:?}");
        legs.into_values().next().unwrap_or_default()
    }

    /// The states told of a call's legs, each with whether it says that it was missed.
    pub(crate) async fn corrective(&self, call: &str) -> Vec<(String, bool)> {
        let log = self.log().await.into_iter();
        let of_call = log.filter(|info| info.call.as_ref().is_some_and(|of| of.id == call));
        of_call.map(|info| (state_of(&info), info.is_corrective == Some(true))).collect()
    }

    /// The events of a call are numbered from 1 on, without a hole.
    pub(crate) async fn counts(&self, call: &str) {
        let log = self.log().await.into_iter();
        let of_call = log.filter(|info| info.call.as_ref().is_some_and(|of| of.id == call));
        let numbers: Vec<_> = of_call.map(|info| info.sequence).collect();
        let expected: Vec<_> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "events of {call}");
    }

    /// True when the store has no call any more.
    pub(crate) async fn is_settled(&self) -> bool {
        let left = mesh::sweep::left_by(self.world.ledger.as_ref(), "switch-1", 0).await.unwrap();
        left.legs.is_empty() && left.conferences.is_empty()
    }

    /// Waits until exactly this has been told of an account's leg of a call.
    pub(crate) async fn until(&self, call: &str, i_account: i64, expected: &[&str]) {
        eventually(PATIENCE, &format!("leg of {i_account} is {expected:?}"), || async {
            let told = self.told(call, i_account).await;
            if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    }

    /// Waits until the last that was told of an account's leg is this.
    pub(crate) async fn until_last(&self, call: &str, i_account: i64, expected: &str) {
        eventually(PATIENCE, &format!("leg of {i_account} ends {expected}"), || async {
            let told = self.told(call, i_account).await;
            let is_so = told.last().is_some_and(|last| last == expected);
            if is_so { Ok(()) } else { Err(format!("{told:?}")) }
        })
        .await;
    }

    /// Waits for a call that has not been looked at.
    pub(crate) async fn new_call(&self) -> String {
        let call = eventually(PATIENCE, "a new call", || async {
            let ids = self.log().await.into_iter().filter_map(|info| info.call);
            let seen = self.seen.lock();
            let mut fresh = ids.map(|call| call.id).filter(|id| !seen.contains(id));
            fresh.next().ok_or_else(|| format!("{seen:?}"))
        })
        .await;
        self.seen.lock().push(call.clone());
        call
    }

    /// The tag of an account's leg.
    pub(crate) async fn tag(&self, call: &str, i_account: i64) -> String {
        let log = self.log().await;
        let mut legs = log.into_iter().filter(|info| info.i_account.unwrap_or(TRUNK) == i_account);
        let leg = legs.find_map(|info| info.call.filter(|of| of.id == call));
        leg.and_then(|leg| leg.tag).expect("a leg")
    }
}

fn state_of(info: &CallInfo) -> String {
    info.state().as_str_name().trim_start_matches("STATE_").to_lowercase()
}
