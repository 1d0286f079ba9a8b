//! TLS on the public port and between the services, each a process of its own.

use std::sync::Arc;
use std::time::Duration;

use mesh::testing::eventually;
use mesh::testing::pki::{Authority, Mounted};
use serde_json::json;
use system_tests::client::{Client, PATIENCE};
use system_tests::mesh_of::Mesh;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const SERVICES: [&str; 6] = ["auth", "notifier", "switch", "callcontrol", "conference", "edge"];
const LONG: Duration = Duration::from_hours(1);

/// The services' files, below one folder.
struct Secrets {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Secrets {
    fn new() -> Self {
        let secrets =
            Self { folder: tempfile::TempDir::new().unwrap(), authority: Authority::new() };
        secrets.renew_all();
        secrets
    }

    fn renew_all(&self) {
        for service in SERVICES {
            self.renew(service);
        }
    }

    fn renew(&self, service: &str) {
        let folder = self.folder.path().join(service);
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("{service}.cordboard.test");
        let (certificate, key) = self.authority.issue(&[&name], LONG);
        std::fs::write(folder.join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.join("tls.key"), key).unwrap();
        std::fs::write(folder.join("ca.crt"), self.authority.pem()).unwrap();
    }

    fn sets(&self) -> Vec<String> {
        let folder = self.folder.path().display();
        vec![
            format!("tls.mesh.certificate_file={folder}/{{service}}/tls.crt"),
            format!("tls.mesh.key_file={folder}/{{service}}/tls.key"),
            format!("tls.mesh.ca_file={folder}/{{service}}/ca.crt"),
            "tls.mesh.domain=cordboard.test".to_owned(),
            "tls.reload_interval=100ms".to_owned(),
        ]
    }
}

#[tokio::test]
async fn services_talk_over_mutual_tls_and_take_up_renewed_certificates() {
    let secrets = Secrets::new();
    let sets = secrets.sets();
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let mut mesh = Mesh::start_with(&sets).await;

    let mut client = Client::subscribed(mesh.public(), "101").await;
    let call = json!({"account_id": "101", "destination": "102"});
    client.must("CallControl/originate_call", call.clone()).await;
    client.call_state().await;

    // Who shows no certificate gets no answer.
    let mut stranger = TcpStream::connect(mesh.address("auth")).await.unwrap();
    stranger.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stranger.read_to_end(&mut answer).await.ok();
    assert_ne!(answer.get(3..9), Some(&[4, 0, 0, 0, 0, 0][..]), "settings of HTTP/2: {answer:?}");

    secrets.renew_all();
    mesh.kill("callcontrol");
    mesh.start_service("callcontrol").await;

    let mut client = Client::subscribed(mesh.public(), "102").await;
    let call = json!({"account_id": "102", "destination": "103"});
    client.must("CallControl/originate_call", call).await;
    client.call_state().await;
}

#[tokio::test]
async fn the_public_port_speaks_tls_and_takes_up_a_renewed_certificate() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = old.mount(&["pbx.example"], LONG);
    let up = start(&files).await;

    let status = request(&old, up.public).await.unwrap();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    assert!(Client::connect(up.public).await.is_err(), "plain text is refused");

    files.renew(&new, &["pbx.example"], LONG);
    eventually(PATIENCE, "the new certificate", || request(&new, up.public)).await;
}

async fn start(files: &Mounted) -> system_tests::process::Up {
    let certificate = format!("tls.public.certificate_file={}", files.certificate().display());
    let key = format!("tls.public.key_file={}", files.key().display());
    let often = "tls.reload_interval=100ms";
    system_tests::process::Up::start_with(&["--set", &certificate, "--set", &key, "--set", often])
        .await
}

/// The status line of the page at `/`.
async fn request(authority: &Authority, public: std::net::SocketAddr) -> Result<String, String> {
    let stream = TcpStream::connect(public).await.map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::clone(&authority.client()));
    let name = "pbx.example".try_into().unwrap();
    let mut stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    let head = b"GET / HTTP/1.1\r\nHost: pbx.example\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}
