//! Auth is killed while it makes xDRs, and all that it was given comes again: of each leg, payer and
//! service there is one xDR.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use mesh::ledger::redis::{RedisConfig, RedisLedger};
use mesh::ledger::{Commit, Ledger as _, Partition, Position, Writer, partition_of};
use mesh::testing::eventually;
use mesh::testing::postgres::PostgresServer;
use prost::Message as _;
use proto::switch::v1::AccountingRecord;
use proto::switch::v1::accounting_record::{Direction, Rating, Service};
use serde_json::{Value, json};
use system_tests::Mesh;

use crate::charges::admin_once_auth_is_found;

/// Enough for several transactions.
const LEGS: usize = 300;

/// Customer `easymobile`.
const I_CUSTOMER: i64 = 1;

const PATIENCE: Duration = Duration::from_mins(1);

/// Three charges a leg: its account's, that of who had it placed, and the conference's owner's.
fn records() -> Vec<AccountingRecord> {
    let charges = [(1, Service::Voice), (2, Service::Voice), (1, Service::Conferencing)];
    let of_leg = |leg: usize| {
        charges.map(|(i_account, service)| AccountingRecord {
            call_id: format!("switch-1.call{leg}"),
            tag: format!("leg{leg}"),
            tracking_id: format!("tracking{leg}"),
            i_customer: I_CUSTOMER,
            i_account,
            service: service.into(),
            direction: Direction::Outgoing.into(),
            rating: Rating::Ordinary.into(),
            cli: "101".to_owned(),
            cld: "12065550100".to_owned(),
            connect_time_us: 1_700_000_000_000_000,
            disconnect_time_us: 1_700_000_001_000_000,
            duration_us: 1_000_000,
            disconnect_cause: 487,
            recording: None,
        })
    };
    (0..LEGS).flat_map(of_leg).collect()
}

/// The accounting list of the customer's partition.
struct List {
    ledger: RedisLedger,
    partition: Partition,
}

impl List {
    async fn of(mesh: &Mesh) -> Self {
        let config = RedisConfig { url: mesh.redis.url(), ..RedisConfig::default() };
        let partition = partition_of(I_CUSTOMER, config.partitions);
        let ledger = RedisLedger::connect(config).await.expect("redis-server answers");
        Self { ledger, partition }
    }

    /// Commits every record, as the engine and its journal do.
    async fn fill(&self, writer: &str) {
        let records = records();
        let commit = Commit {
            partition: self.partition,
            writer: Writer { node: writer.to_owned(), node_epoch: 1, sequence: 1, log_epoch: None },
            require: Vec::new(),
            state: Vec::new(),
            index: Vec::new(),
            events: Vec::new(),
            accounting: records.iter().map(|it| Bytes::from(it.encode_to_vec())).collect(),
            renew_epoch: false,
        };
        self.ledger.commit(&commit).await.expect("the store takes commits");
    }

    async fn len(&self) -> usize {
        let reading = self.ledger.read_accounting(self.partition, Position::default(), 10_000);
        reading.await.expect("the store answers").entries.len()
    }

    async fn is_shorter_than(&self, before: usize) {
        eventually(PATIENCE, "auth takes records in", async || {
            let left = self.len().await;
            if left < before { Ok(()) } else { Err(format!("{left} are left")) }
        })
        .await;
    }
}

/// Starts auth, and kills it when it has taken in the first of what is there and is at the next.
async fn killed_in_the_middle(mesh: &mut Mesh, list: &List) {
    let before = list.len().await;
    mesh.start_service("auth").await;
    list.is_shorter_than(before).await;
    mesh.kill("auth");
    assert!(list.len().await > 0, "it was killed before it was done");
}

async fn each_record_makes_one_xdr(mut mesh: Mesh) {
    mesh.kill("auth");
    let list = List::of(&mesh).await;
    list.fill("first").await;
    killed_in_the_middle(&mut mesh, &list).await;
    killed_in_the_middle(&mut mesh, &list).await;
    for again in ["second", "third"] {
        list.fill(again).await;
        killed_in_the_middle(&mut mesh, &list).await;
    }

    mesh.start_service("auth").await;
    list.is_shorter_than(1).await;

    let mut admin = admin_once_auth_is_found(mesh.public()).await;
    let asked = json!({"limit": 1_000, "get_total": 1});
    let listed = admin.must("CDR/get_xdr_list", asked).await;
    let expected = 3 * LEGS;
    let key = |xdr: &Value| {
        [&xdr["call"]["tag"], &xdr["account_id"], &xdr["service"]].map(Value::to_string)
    };
    let keys: BTreeSet<_> = listed["xdr_list"].as_array().unwrap().iter().map(key).collect();
    assert_eq!((&listed["total"], keys.len()), (&json!(expected), expected));
}

#[tokio::test]
async fn auth_killed_while_it_writes_to_sqlite_charges_each_leg_once() {
    each_record_makes_one_xdr(Mesh::start().await).await;
}

#[tokio::test]
async fn auth_killed_while_it_writes_to_postgresql_charges_each_leg_once() {
    let server = PostgresServer::start().await;

    each_record_makes_one_xdr(Mesh::start_on(server.create("directory")).await).await;
}
