//! The switch service with everything around it: Asterisk, phones, a directory, a store.

mod directory;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mesh::Clock;
use mesh::ledger::{Ledger as _, LogRead, ReadFrom};
use mesh::testing::eventually;
use parking_lot::Mutex;
use prost::Message as _;
use proto::call::v1::{CallInfo, CallRef};
use proto::options::v1::Realm;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;
use switch::driver::asterisk::{self, Url};

use crate::fixture::Phones;
use crate::pbx::{PASSWORD, Pbx, USER};
use crate::phone::PATIENCE;

pub(crate) use directory::account;
pub(crate) use service::{Service, World};

/// Accounts, by their number in the directory; trunk legs have none.
pub(crate) const ALICE: i64 = 1;
pub(crate) const BOB: i64 = 2;
/// Of another customer.
pub(crate) const CAROL: i64 = 3;
pub(crate) const TRUNK: i64 = 0;

pub(crate) struct Harness {
    pub(crate) phones: Phones,
    pub(crate) pbx: Pbx,
    pub(crate) service: Service,
    clock: Clock,
    client: Client<HttpConnector, Full<Bytes>>,
    world: World,
    config: asterisk::Config,
    /// Calls that have been looked at.
    seen: Mutex<Vec<String>>,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        let phones = Phones::start().await;
        let pbx = phones.pbx().await;
        let url = pbx.url();
        Self::with(phones, pbx, &url).await
    }

    /// The service reaches Asterisk at `url`.
    pub(crate) async fn with(phones: Phones, pbx: Pbx, url: &str) -> Self {
        let config = asterisk::Config { url: Url::new(url), ..asterisk::Config::default() };
        Self::configured(phones, pbx, config).await
    }

    pub(crate) async fn configured(phones: Phones, pbx: Pbx, config: asterisk::Config) -> Self {
        let world = World::new(&phones);
        let service = Service::start(&world, "switch-1", config.clone()).await;
        let clock = world.clock.clone();
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { phones, pbx, service, clock, client, world, config, seen: Mutex::default() }
    }

    pub(crate) async fn until_ready(&self) {
        self.service.until_ready().await;
    }

    /// Waits until the service does not hear Asterisk.
    pub(crate) async fn until_degraded(&self) {
        self.service.until_degraded().await;
    }

    /// The process of the service dies, and starts again.
    pub(crate) async fn crash(&mut self) {
        self.service.crash().await;
        self.start_again().await;
    }

    /// Starts the service under the same name.
    pub(crate) async fn start_again(&mut self) {
        self.service = Service::start(&self.world, "switch-1", self.config.clone()).await;
    }

    /// Starts another node, on an Asterisk of its own.
    pub(crate) async fn another_node(&self, name: &str, pbx: &Pbx) -> Service {
        let url = Url::new(pbx.url());
        let config = asterisk::Config { url, ..asterisk::Config::default() };
        Service::start(&self.world, name, config).await
    }

    /// The store comes back empty.
    pub(crate) fn forget_everything(&mut self) {
        self.world.forget_everything();
    }

    /// Stops the service.
    pub(crate) async fn stop(&self) {
        self.service.stop().await;
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
        let owner = pb::ConferenceOwner { account: Some(account(i_account)), may_confer: true };
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

    async fn conference(&self, command: pb::conference_command::Command) -> pb::Done {
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

    /// Has Asterisk call an endpoint, as whoever speaks its REST interface could.
    pub(crate) async fn originate_bare(&self, endpoint: &str) {
        let at = format!("http://127.0.0.1:{}/ari/channels", self.pbx.http_port);
        let query = format!("endpoint=PJSIP/{endpoint}&app=nobody&timeout=30");
        let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let post = http::Request::post(format!("{at}?{query}"))
            .header(http::header::AUTHORIZATION, format!("Basic {login}"))
            .body(Full::default())
            .unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.client.request(post)).await;
        let answer = answer.expect("an answer in time").unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        answer.into_body().collect().await.unwrap();
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
            deadline_us: self.clock.now().plus(PATIENCE).as_micros(),
            caller: Some(caller),
            i_customer: 1,
            command: Some(command),
            ..pb::CommandRequest::default()
        };
        let body = Full::new(Bytes::from(request.encode_to_vec()));
        let post = http::Request::post(&self.service.url).body(body).unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.client.request(post)).await;
        let answer = answer.expect("an answer in time").unwrap();
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

    /// The states of all legs, in the order of the log.
    async fn log(&self) -> Vec<CallInfo> {
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
    async fn told(&self, call: &str, i_account: i64) -> Vec<String> {
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

    /// Channels that the store knows of.
    pub(crate) async fn channels_in_store(&self) -> BTreeSet<String> {
        let left = mesh::sweep::left_by(self.world.ledger.as_ref(), "switch-1", 0).await.unwrap();
        left.legs.into_iter().filter_map(|leg| leg.memo).map(|memo| memo.channel).collect()
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

    /// Waits until both legs of each call have been told to be connected, and no leg to have ended.
    pub(crate) async fn until_connected(&self, calls: &[String]) {
        eventually(PATIENCE, "every call is connected", || async {
            let mut legs: BTreeMap<String, usize> = BTreeMap::new();
            for info in self.log().await {
                let state = state_of(&info);
                assert_ne!(state, "terminated", "{info:?}");
                if state == "connected" {
                    *legs.entry(info.call.unwrap_or_default().id).or_default() += 1;
                }
            }
            let is_so = calls.iter().all(|call| legs.get(call) == Some(&2));
            if is_so { Ok(()) } else { Err(format!("{} of {}", legs.len(), calls.len())) }
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

    /// Waits until Asterisk itself has no channel and no bridge left.
    pub(crate) async fn until_empty(&self) {
        self.pbx.until_empty().await;
    }
}

fn state_of(info: &CallInfo) -> String {
    info.state().as_str_name().trim_start_matches("STATE_").to_lowercase()
}
