//! The service as it is served: lists and rosters from the store alone, with no switch running.

#![expect(clippy::unwrap_used, reason = "a test fails where what it needs is not there")]

use std::sync::Arc;
use std::time::Duration;

use mesh::caller::Scope;
use mesh::client::Pool;
use mesh::clock::Timestamp;
use mesh::conferences_index;
use mesh::health::Readiness;
use mesh::ledger::memory::{MemoryConfig, MemoryLedger};
use mesh::ledger::{Commit, Ledger as _, Writer, partition_of};
use mesh::net::{Network, Target};
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use mesh::token::Verifier;
use mesh::{Clock, fault, metadata};
use proto::conference::v1::on_spot_conference_service_client::OnSpotConferenceServiceClient;
use proto::conference::v1::{
    Conference, ConferenceState, CreateOnSpotConferenceRequest, GetOnSpotConferenceListRequest,
    GetOnSpotConferenceParticipantListRequest, Participant, ParticipantState,
    TerminateOnSpotConferenceRequest,
};
use proto::switch::v1::{ConferenceRecord, ParticipantRecord};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::{Code, Request};

const PARTITIONS: u32 = 4;

struct Harness {
    clock: Clock,
    ledger: Arc<MemoryLedger>,
    client: OnSpotConferenceServiceClient<Pool>,
    written: u64,
    _stop: DropGuard,
}

impl Harness {
    fn start() -> Self {
        let memory = MemoryConfig { partitions: PARTITIONS, ..MemoryConfig::default() };
        let clock = Clock::system();
        Self::over(Arc::new(MemoryLedger::new(clock.clone(), memory)), clock)
    }

    /// Another process of the service, over the same store.
    fn another(&self) -> Self {
        Self::over(Arc::clone(&self.ledger), self.clock.clone())
    }

    fn over(ledger: Arc<MemoryLedger>, clock: Clock) -> Self {
        let (network, tasks) = (Network::default(), TaskTracker::new());
        let stop = CancellationToken::new();
        let pool = |name: &str| {
            let target = vec![Target::Memory(name.to_owned())];
            Pool::new(name, target, network.clone(), tasks.clone(), stop.clone())
        };
        let deps = conference::Deps {
            ledger: Arc::<MemoryLedger>::clone(&ledger),
            auth: pool("auth"),
            network: network.clone(),
            clock: clock.clone(),
            verifier: Verifier::with_keys(&ISSUER_OF_TESTS.jwks()),
            readiness: Readiness::new(),
        };
        let listener = network.listen_memory("conference");
        let config = conference::Config::default();
        let serving = conference::serve(config, deps, listener, stop.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        let client = OnSpotConferenceServiceClient::new(pool("conference"));
        Self { clock, ledger, client, written: 0, _stop: stop.drop_guard() }
    }

    /// Writes a conference as the engine does.
    async fn put(&mut self, record: &ConferenceRecord) {
        let i_customer = record.conference.as_ref().unwrap().i_customer;
        let partition = partition_of(i_customer, PARTITIONS);
        let (state, index) = conferences_index::changes(record);
        self.written += 1;
        let node = format!("writer-{}", self.written);
        let writer = Writer { node, node_epoch: 1, sequence: 1, log_epoch: None };
        let commit = Commit {
            partition,
            writer,
            require: Vec::new(),
            state: vec![state],
            index,
            events: Vec::new(),
            accounting: Vec::new(),
            renew_epoch: false,
        };
        self.ledger.commit(&commit).await.unwrap();
    }

    async fn list(&self, scope: Scope) -> Vec<String> {
        let request = request(scope, GetOnSpotConferenceListRequest::default());
        let answer = self.client.clone().get_on_spot_conference_list(request).await;
        let list = answer.unwrap().into_inner().conference_list;
        list.into_iter().map(|conference| conference.name).collect()
    }

    async fn roster(&self, scope: Scope, id: &str) -> Result<Vec<Participant>, String> {
        let message = GetOnSpotConferenceParticipantListRequest {
            i_conference: id.to_owned(),
            ..Default::default()
        };
        let request = request_at(self.clock.now(), scope, message);
        let answer = self.client.clone().get_on_spot_conference_participant_list(request).await;
        answer
            .map(|answer| answer.into_inner().participant_list)
            .map_err(|status| fault::reason_of(&status).unwrap_or_default())
    }
}

fn request<T>(scope: Scope, message: T) -> Request<T> {
    request_at(Clock::system().now(), scope, message)
}

fn request_at<T>(now: Timestamp, scope: Scope, message: T) -> Request<T> {
    let token = ISSUER_OF_TESTS.sign(&claims(scope, &["call_control:modify"], now));
    let mut request = Request::new(message);
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert(metadata::AUTHORIZATION, bearer);
    request.set_timeout(Duration::from_secs(5));
    request
}

fn record(name: &str, i_customer: i64, create_time: i64, accounts: &[i64]) -> ConferenceRecord {
    let one = |number: &str| ParticipantRecord {
        participant: Some(Participant {
            participant: number.to_owned(),
            number: number.to_owned(),
            state: ParticipantState::Joined.into(),
            ..Participant::default()
        }),
        speaks: true,
        listens: true,
        ..ParticipantRecord::default()
    };
    ConferenceRecord {
        conference: Some(Conference {
            i_conference: format!("switch-1.{name}"),
            name: name.to_owned(),
            state: ConferenceState::Active.into(),
            create_time,
            i_customer,
            ..Conference::default()
        }),
        i_reseller: 3,
        i_accounts: accounts.to_vec(),
        node: "switch-1".to_owned(),
        participants: vec![one("101"), one("102")],
    }
}

const CUSTOMER: Scope = Scope::Customer { i_customer: 1 };

#[tokio::test]
async fn each_realm_lists_its_own_conferences_newest_first() {
    let mut harness = Harness::start();
    harness.put(&record("first", 1, 10, &[1])).await;
    harness.put(&record("second", 1, 20, &[1, 2])).await;
    harness.put(&record("foreign", 2, 30, &[9])).await;

    assert_eq!(harness.list(Scope::Everything).await, ["foreign", "second", "first"]);
    let reseller = Scope::Reseller { i_reseller: 3 };
    assert_eq!(harness.list(reseller).await, ["foreign", "second", "first"]);
    assert!(harness.list(Scope::Reseller { i_reseller: 4 }).await.is_empty());
    assert_eq!(harness.list(CUSTOMER).await, ["second", "first"]);
}

#[tokio::test]
async fn a_conference_that_has_ended_is_not_listed_and_its_roster_is_read_without_a_switch() {
    let mut harness = Harness::start();
    let going = record("meeting", 1, 10, &[1]);
    harness.put(&going).await;
    let roster = harness.roster(CUSTOMER, "switch-1.meeting").await.unwrap();
    assert_eq!(
        (roster[0].hears.as_slice(), roster[0].heard_by.as_slice()),
        (["102".to_owned()].as_slice(), ["102".to_owned()].as_slice())
    );

    harness.put(&conferences_index::ended(&going, Clock::system().now())).await;

    for scope in [Scope::Everything, CUSTOMER, Scope::Reseller { i_reseller: 3 }] {
        assert!(harness.list(scope).await.is_empty(), "{scope:?}");
    }
    let account = |i_account| Scope::Account { i_customer: 1, i_account };
    for scope in [Scope::Everything, CUSTOMER, account(1)] {
        let roster = harness.roster(scope, "switch-1.meeting").await.unwrap();
        let has_left = |it: &Participant| it.state() == ParticipantState::Left;
        assert!(roster.len() == 2 && roster.iter().all(has_left), "{scope:?}: {roster:?}");
    }
    let strangers =
        [account(2), Scope::Customer { i_customer: 2 }, Scope::Reseller { i_reseller: 4 }];
    for scope in strangers {
        let refused = harness.roster(scope, "switch-1.meeting").await;
        assert_eq!(refused.unwrap_err(), "CONFERENCE_NOT_FOUND", "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_roster_is_read_for_a_day_after_the_end_by_any_process_of_the_service() {
    let mut harness = Harness::start();
    let going = record("meeting", 1, 10, &[1]);
    harness.put(&going).await;
    harness.put(&conferences_index::ended(&going, harness.clock.now())).await;
    let at_the_end = harness.roster(CUSTOMER, "switch-1.meeting").await.unwrap();

    tokio::time::advance(Duration::from_hours(24) - Duration::from_mins(1)).await;
    let another = harness.another();
    assert_eq!(another.roster(CUSTOMER, "switch-1.meeting").await, Ok(at_the_end));

    tokio::time::advance(Duration::from_mins(1)).await;
    for harness in [harness, another] {
        let refused = harness.roster(CUSTOMER, "switch-1.meeting").await;
        assert_eq!(refused.unwrap_err(), "CONFERENCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_command_on_a_conference_of_no_node_finds_none() {
    let harness = Harness::start();
    for id in ["switch-9.unknown", "no id"] {
        let message =
            TerminateOnSpotConferenceRequest { i_conference: id.to_owned(), request_id: None };
        let mut client = harness.client.clone();
        let answer = client.terminate_on_spot_conference(request(CUSTOMER, message)).await;
        let status = answer.unwrap_err();

        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(fault::reason_of(&status).as_deref(), Some("CONFERENCE_NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_bad_prompt_is_refused_before_the_call_is_looked_up() {
    let harness = Harness::start();
    for path in ["../secret.au", "/etc/passwd.au", "hello.mp3"] {
        let message = CreateOnSpotConferenceRequest {
            call: Some(proto::call::v1::CallRef { id: "nonsense".to_owned(), tag: None }),
            name: "Sales".to_owned(),
            prompts: vec![path.to_owned()],
            ..CreateOnSpotConferenceRequest::default()
        };
        let mut client = harness.client.clone();
        let answer = client.create_on_spot_conference(request(CUSTOMER, message)).await;

        assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument, "{path}");
    }
}
