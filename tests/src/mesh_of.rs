//! Every service in a process of its own, over TCP, with a real Redis.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mesh::testing::ports::free_address;
use mesh::testing::redis::RedisServer;
use tempfile::TempDir;

use crate::process::Process;
use crate::sim::Sim;

/// The services, in the order in which they start.
const SERVICES: [&str; 6] = ["auth", "notifier", "switch", "callcontrol", "conference", "edge"];

/// Second instances of the services that may have them, where a test wants two.
const SECONDS: [&str; 5] = ["notifier-2", "switch-2", "callcontrol-2", "conference-2", "edge-2"];

/// A mesh of processes. Each service keeps its address over a restart, as behind a Service.
#[derive(Debug)]
pub struct Mesh {
    /// The store.
    pub redis: RedisServer,
    processes: BTreeMap<&'static str, Process>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    /// The simulators of the nodes.
    sims: BTreeMap<&'static str, SocketAddr>,
    folder: TempDir,
    database: String,
    more: Vec<String>,
}

impl Mesh {
    /// Starts everything with the demo directory; phones and the trunk take no time.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts everything, with more `--set`s for each service; `{service}` in them stands for its
    /// name.
    pub async fn start_with(sets: &[&str]) -> Self {
        Self::start_all(&SERVICES, sets, None).await
    }

    /// Starts everything with its directory in this database, which is empty.
    pub async fn start_on(database: String) -> Self {
        Self::start_all(&SERVICES, &[], Some(database)).await
    }

    /// Starts two instances of every service that may have two; the second is called `edge-2`.
    pub async fn start_pairs(sets: &[&str]) -> Self {
        Self::start_all(&[&SERVICES[..], &SECONDS].concat(), sets, None).await
    }

    async fn start_all(
        instances: &[&'static str],
        sets: &[&str],
        database: Option<String>,
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let own = || format!("sqlite://{}", folder.path().join("directory.db").display());
        let database = database.unwrap_or_else(own);
        let addresses = instances.iter().map(|instance| (*instance, free_address())).collect();
        let mut mesh = Self {
            redis: RedisServer::start().await,
            processes: BTreeMap::new(),
            addresses,
            sims: ["switch", "switch-2"].map(|node| (node, free_address())).into(),
            folder,
            database,
            more: sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]).collect(),
        };
        let directory = mesh.folder.path().join("demo.toml");
        let demo = include_str!("../../cordboard/demo.toml");
        std::fs::write(&directory, demo).expect("the folder takes files");
        let import = std::process::Command::new(crate::process::program())
            .args(["admin", "import"])
            .arg(&directory)
            .args(["--database", &mesh.database])
            .status();
        assert!(import.expect("the import runs").success(), "the demo directory is imported");
        for instance in instances {
            mesh.start_service(instance).await;
        }
        mesh
    }

    /// Starts a service, or its second instance, that is not running.
    pub async fn start_service(&mut self, instance: &'static str) {
        let args = self.arguments(instance, self.addresses[instance]);
        let process = Process::start(&args).await;
        self.processes.insert(instance, process);
    }

    fn arguments(&self, instance: &str, address: SocketAddr) -> Vec<String> {
        let service = instance.trim_end_matches("-2");
        let mut args = vec![
            service.to_owned(),
            "--listen".to_owned(),
            address.to_string(),
            "--admin-listen".to_owned(),
            "127.0.0.1:0".to_owned(),
            "--redis".to_owned(),
            self.redis.url(),
        ];
        for target in ["auth", "notifier", "callcontrol", "conference"] {
            let instances = [target.to_owned(), format!("{target}-2")];
            let addresses = instances.iter().filter_map(|name| self.addresses.get(name.as_str()));
            let addresses: Vec<_> = addresses.map(|it| format!("\"http://{it}\"")).collect();
            args.extend([
                "--set".to_owned(),
                format!("targets.{target}=[{}]", addresses.join(",")),
            ]);
        }
        match service {
            "auth" => args.extend(["--database".to_owned(), self.database.clone()]),
            "switch" => {
                args.extend(["--sim-listen".to_owned(), self.sims[instance].to_string()]);
                args.extend(["--set".to_owned(), format!("switch.node={}", node_of(instance))]);
                args.extend(["--set".to_owned(), "switch.sim.speed=0".to_owned()]);
                let journal = self.folder.path().join("accounting");
                args.extend(["--set".to_owned(), format!("switch.journal={}", journal.display())]);
            }
            _ => {}
        }
        args.extend(self.more.iter().map(|arg| arg.replace("{service}", service)));
        args
    }

    /// Starts one more edge; gives it and its public port.
    pub async fn another_edge(&self) -> (Process, SocketAddr) {
        let address = free_address();
        let process = Process::start(&self.arguments("edge", address)).await;
        (process, address)
    }

    /// Changes the directory, as who runs the system does: `cordboard admin …`.
    pub fn admin(&self, args: &[&str]) {
        let done = std::process::Command::new(crate::process::program())
            .arg("admin")
            .args(args)
            .args(["--database", &self.database])
            .output()
            .expect("it runs");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Restarts a service as an orderly roll-out does, and waits until it is ready; gives whether
    /// the old process ended well.
    pub async fn restart(&mut self, instance: &'static str) -> bool {
        let ended_well = self.processes.remove(instance).expect("it is running").stop().await;
        self.start_service(instance).await;
        ended_well
    }

    /// A running service.
    pub fn service(&self, service: &str) -> &Process {
        &self.processes[service]
    }

    /// Ends a service at once, as a crash does.
    pub fn kill(&mut self, service: &str) {
        self.processes.remove(service).expect("it is running").kill();
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> SocketAddr {
        self.addresses[service]
    }

    /// The public port.
    pub fn public(&self) -> SocketAddr {
        self.addresses["edge"]
    }

    /// The simulator's hands.
    pub fn sim(&self) -> Sim {
        self.sim_of("switch")
    }

    /// The hands of a node's simulator, which has phones of its own.
    pub fn sim_of(&self, instance: &str) -> Sim {
        Sim { address: self.sims[instance] }
    }
}

/// The name of a switch node.
fn node_of(instance: &str) -> &str {
    if instance == "switch" { "switch-1" } else { instance }
}
