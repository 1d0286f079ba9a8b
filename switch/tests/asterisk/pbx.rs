//! A real Asterisk of the test's own: on free ports, in a folder that goes with it, and ended
//! when dropped.

mod config;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh::testing::{eventually, ports};
use phones::asterisk::{Installation, Running};
use phones::sip::Message;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::phone::Phone;

/// How long Asterisk may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Ports that are tried, as somebody else may take one between its choice and the start.
const ATTEMPTS: usize = 5;

/// Tones of Asterisk's own, in hertz.
pub(crate) const MUSIC: f64 = 1300.0;
pub(crate) const RINGBACK: f64 = 425.0;

/// User and password of the ARI.
pub(crate) const USER: &str = "cordboard";
pub(crate) const PASSWORD: &str = "s3cret-of-ari";

/// Of the users of the manager interface: [`USER`] may do what the driver does, [`READER`] nothing.
pub(crate) const MANAGER_PASSWORD: &str = "s3cret-of-manager";
pub(crate) const READER: &str = "reader";

/// Without an Asterisk the tests fail, unless they have been told to do without.
pub(crate) fn is_left_out() -> bool {
    if std::env::var_os("CORDBOARD_WITHOUT_ASTERISK").is_some_and(|value| value == "1") {
        println!("skipped: CORDBOARD_WITHOUT_ASTERISK=1");
        return true;
    }
    installation();
    false
}

fn installation() -> Installation {
    Installation::in_folder(&home()).unwrap_or_else(|| {
        panic!(
            "there is no Asterisk in {}: run scripts/asterisk, or set CORDBOARD_WITHOUT_ASTERISK=1",
            home().display()
        )
    })
}

/// Where `scripts/asterisk` has put it; `CORDBOARD_ASTERISK` names another folder of that form.
fn home() -> PathBuf {
    std::env::var_os("CORDBOARD_ASTERISK").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/asterisk"),
        PathBuf::from,
    )
}

/// A running Asterisk with one endpoint for each phone, and one of them as the trunk.
pub(crate) struct Pbx {
    folder: TempDir,
    process: Option<Running>,
    pub(crate) sip_port: u16,
    pub(crate) http_port: u16,
    /// The Asterisk of another node, by the node's name.
    peer: Option<Peer>,
}

/// Another Asterisk.
struct Peer {
    /// Names of this node and the other.
    own: &'static str,
    other: &'static str,
    sip_port: u16,
}

/// Ports for audio: two for each channel of a test with many.
const RTP_PORTS: u16 = 1_000;

/// With which two Asterisks know each other.
const PEER_PASSWORD: &str = "s3cret-of-peers";

impl Pbx {
    /// Starts with `phones` as the endpoints of the accounts that they are named after; the
    /// one called `trunk` takes and brings calls of the public network.
    pub(crate) async fn start(phones: &[&Phone]) -> Self {
        Self::start_beside(phones, &[]).await
    }

    /// The same with more endpoints.
    pub(crate) async fn start_beside(phones: &[&Phone], more: &[(String, u16)]) -> Self {
        let lines: Vec<_> = lines_of(phones).into_iter().chain(more.iter().cloned()).collect();
        let pbx = Self::start_with(&lines).await;
        for phone in phones {
            phone.set_server(pbx.sip_port);
        }
        pbx
    }

    /// The same with any endpoints: names, and the ports where they listen.
    pub(crate) async fn start_with(lines: &[(String, u16)]) -> Self {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let mut pbx = Self::new();
            pbx.configure(lines);
            match pbx.launch().await {
                Ok(()) => return pbx,
                Err(said) => failure = said,
            }
        }
        panic!("Asterisk does not start: {failure}");
    }

    /// Starts two that know each other as those of the nodes `names`; the phones belong to the first
    /// and can be called by both.
    pub(crate) async fn pair(phones: &[&Phone], names: [&'static str; 2]) -> [Self; 2] {
        let mut failure = String::new();
        for _ in 0..ATTEMPTS {
            let mut pair = [Self::new(), Self::new()];
            let ports = [pair[0].sip_port, pair[1].sip_port];
            for (index, pbx) in pair.iter_mut().enumerate() {
                let (own, other, sip_port) = (names[index], names[1 - index], ports[1 - index]);
                pbx.peer = Some(Peer { own, other, sip_port });
                pbx.configure(&lines_of(phones));
            }
            match (pair[0].launch().await, pair[1].launch().await) {
                (Ok(()), Ok(())) => {
                    for phone in phones {
                        phone.set_server(ports[0]);
                    }
                    return pair;
                }
                (Err(said), _) | (_, Err(said)) => failure = said,
            }
        }
        panic!("Asterisk does not start: {failure}");
    }

    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary directory"),
            process: None,
            sip_port: ports::free_udp(),
            http_port: ports::free_tcp(),
            peer: None,
        }
    }

    /// URL with user and password.
    pub(crate) fn url(&self) -> String {
        format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", self.http_port)
    }

    /// Ends it at once, as a crash would.
    pub(crate) async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.end().await.expect("Asterisk can be killed");
        }
    }

    /// Gives it another file of configuration for its next start.
    pub(crate) fn set_file(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("etc").join(name), text).unwrap();
    }

    /// Leaves a recording with it.
    pub(crate) fn set_recording(&self, name: &str) {
        let file = self.folder.path().join("spool/recording").join(format!("{name}.wav"));
        fs::write(file, "RIFF").unwrap();
    }

    /// The names of the recordings that it has.
    pub(crate) async fn recordings(&self) -> Vec<String> {
        let stored = self.get("recordings/stored").await;
        let names = stored.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
        names.map(ToOwned::to_owned).collect()
    }

    /// Starts it again on the same ports.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        self.launch().await.expect("Asterisk starts again");
    }

    /// Stops the process where it is (SIGSTOP), or lets it go on (SIGCONT).
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.process.as_ref().and_then(Running::id).expect("Asterisk runs");
        let kill = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
        assert!(kill.await.expect("kill runs").success());
    }

    /// What Asterisk itself says, e.g. about `bridges`.
    pub(crate) async fn get(&self, what: &str) -> Value {
        match self.try_get(what).await {
            Ok(answer) => answer,
            Err(error) => panic!("GET {what}: {error}; Asterisk said: {}", self.said()),
        }
    }

    /// Waits until it has no channel and no bridge left.
    pub(crate) async fn until_empty(&self) {
        eventually(crate::phone::PATIENCE, "nothing is left", || async {
            let left = (self.get("channels").await, self.get("bridges").await);
            let is_empty =
                [&left.0, &left.1].iter().all(|list| list.as_array().unwrap().is_empty());
            if is_empty { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    }

    /// Waits until it has noticed that nobody listens to its events.
    pub(crate) async fn until_no_application(&self) {
        eventually(crate::phone::PATIENCE, "Asterisk has no application", || async {
            let applications = self.get("applications").await;
            // Asked just when one goes, Asterisk answers with no list.
            let is_so = applications.as_array().is_some_and(Vec::is_empty);
            if is_so { Ok(()) } else { Err(applications.to_string()) }
        })
        .await;
    }

    /// True for the Asterisk of Debian 11, which `scripts/asterisk` falls back to: it is older than
    /// what the driver is for, knows fewer codes and never forgets an application.
    pub(crate) async fn is_old(&self) -> bool {
        let info = self.get("asterisk/info").await;
        let version = info["system"]["version"].as_str().unwrap().to_owned();
        let is_old = version.split('.').next().unwrap().parse::<u32>().unwrap() < 18;
        if is_old {
            println!("skipped: Asterisk {version}");
        }
        is_old
    }

    fn said(&self) -> String {
        self.process.as_ref().map(Running::said).unwrap_or_default()
    }

    /// Who it is, so that no other that has the port is taken for it.
    fn name(&self) -> String {
        self.folder.path().file_name().unwrap().to_string_lossy().replace('.', "")
    }

    /// Does what somebody at Asterisk's console might.
    pub(crate) async fn delete(&self, what: &str) {
        self.ask("DELETE", what).await.expect("Asterisk answers");
    }

    pub(crate) async fn try_get(&self, what: &str) -> Result<Value, String> {
        let answer = self.ask("GET", what).await?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).map_err(|error| format!("{error}: {head}"))
    }

    async fn ask(&self, method: &str, what: &str) -> Result<String, String> {
        let asked = async {
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http_port)).await?;
            let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
            let request = format!(
                "{method} /ari/{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {login}\r\n\r\n"
            );
            socket.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        let answer = timeout(ANSWER, asked).await.map_err(|_| "no answer in time")?;
        answer.map_err(|error: std::io::Error| error.to_string())
    }

    /// The channels of each bridge that has any.
    pub(crate) async fn bridges(&self) -> Vec<Vec<String>> {
        let bridges = self.get("bridges").await;
        let channels = bridges.as_array().unwrap().iter().map(|bridge| {
            let list = bridge["channels"].as_array().unwrap();
            let mut list: Vec<_> = list.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
            list.sort();
            list
        });
        channels.collect()
    }

    /// How many snoop channels it has.
    pub(crate) async fn snoops(&self) -> usize {
        self.snoop_names().await.len()
    }

    /// The ids of its snoop channels.
    pub(crate) async fn snoop_names(&self) -> Vec<String> {
        let channels = self.get("channels").await;
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let snoops = channels.as_array().unwrap().iter();
        let snoops = snoops.filter(|one| text(one, "name").starts_with("Snoop/"));
        snoops.map(|one| text(one, "id")).collect()
    }

    async fn launch(&mut self) -> Result<(), String> {
        let process = installation().start(self.folder.path());
        self.process = Some(process.map_err(|error| error.to_string())?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(process) = &mut self.process
                && let Some(status) = process.ended()
            {
                return Err(format!("it ended with {status}: {}", self.said()));
            }
            if self.is_ready().await {
                return Ok(());
            }
            if self.said().contains("Address already in use") {
                return Err(self.said());
            }
            if Instant::now() > deadline {
                return Err(self.said());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let name = self.try_get("asterisk/info").await.map(|info| info["config"]["name"].clone());
        // The endpoints come later than the ARI.
        name.is_ok_and(|name| name == self.name())
            && self.try_get("endpoints/PJSIP").await.is_ok_and(|list| list[0].is_object())
            && self.speaks_sip().await
    }

    /// Whether it is this very Asterisk that has the SIP port.
    async fn speaks_sip(&self) -> bool {
        let asked = async {
            let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
            let port = socket.local_addr().ok()?.port();
            let options = Message::new("OPTIONS sip:127.0.0.1 SIP/2.0")
                .with("Via", format!("SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{port}"))
                .with("Max-Forwards", "70")
                .with("From", "<sip:probe@127.0.0.1>;tag=probe")
                .with("To", "<sip:127.0.0.1>")
                .with("Call-ID", format!("{port}@probe"))
                .with("CSeq", "1 OPTIONS");
            let server = (Ipv4Addr::LOCALHOST, self.sip_port);
            socket.send_to(&options.to_bytes(), server).await.ok()?;
            let mut buffer = vec![0; 4096];
            let length = socket.recv(&mut buffer).await.ok()?;
            let answer = Message::parse(buffer.get(..length)?)?;
            Some(answer.header("Server") == self.name())
        };
        timeout(Duration::from_millis(500), asked).await.ok().flatten().unwrap_or(false)
    }
}

fn lines_of(phones: &[&Phone]) -> Vec<(String, u16)> {
    phones.iter().map(|phone| (phone.user.clone(), phone.port())).collect()
}

/// Waits until Asterisk's bridges are these, each a sorted list of channels.
pub(crate) async fn bridges_are(pbx: &Pbx, expected: &[Vec<&str>]) {
    eventually(crate::phone::PATIENCE, &format!("bridges {expected:?}"), || async {
        let bridges = pbx.bridges().await;
        if bridges == expected { Ok(()) } else { Err(format!("{bridges:?}")) }
    })
    .await;
}
