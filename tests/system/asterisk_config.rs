//! The configuration that `cordboard admin asterisk-config` writes, on a real Asterisk.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use http::{Method, StatusCode};
use mesh::testing::{eventually, ports};
use phones::asterisk::{Installation, Running};
use serde_json::json;
use system_tests::Client;
use system_tests::process::{Process, program};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

/// What `scripts/asterisk` has unpacked; `None` where the tests have been told to do without.
pub(crate) fn installation() -> Option<Installation> {
    Some(Installation::in_folder(&home()?).expect("an Asterisk in the folder"))
}

/// Where it is.
pub(crate) fn home() -> Option<PathBuf> {
    if std::env::var_os("CORDBOARD_WITHOUT_ASTERISK").is_some_and(|value| value == "1") {
        println!("skipped: CORDBOARD_WITHOUT_ASTERISK=1");
        return None;
    }
    let home = std::env::var_os("CORDBOARD_ASTERISK").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/asterisk"),
        PathBuf::from,
    );
    let home = home.canonicalize();
    Some(
        home.expect(
            "there is no Asterisk: run scripts/asterisk, or set CORDBOARD_WITHOUT_ASTERISK=1",
        ),
    )
}

/// Writes a configuration of the demo directory into `folder`.
pub(crate) fn write_config(folder: &Path, more: &[&str]) -> Output {
    let demo = folder.join("demo.toml");
    let database = format!("sqlite://{}", folder.join("directory.db").display());
    if !demo.exists() {
        let text = Command::new(program()).args(["admin", "demo-directory"]).output().unwrap();
        fs::write(&demo, text.stdout).unwrap();
        let imported = Command::new(program())
            .args(["admin", "import", demo.to_str().unwrap(), "--database", &database])
            .output()
            .unwrap();
        assert!(imported.status.success(), "{imported:?}");
    }
    let etc = folder.join("etc");
    Command::new(program())
        .args(["admin", "asterisk-config", etc.to_str().unwrap(), "--database", &database])
        .args(more)
        .output()
        .unwrap()
}

/// Waits until the Cordboard with this admin port hears its Asterisk.
pub(crate) async fn until_heard(admin: SocketAddr) {
    eventually(PATIENCE, "the switch is ready", || async {
        match system_tests::http::send(admin, Method::GET, "/readyz", None).await {
            Ok((StatusCode::OK, report))
                if report["components"]["switch.asterisk"]["state"] == "ready" =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// Starts Asterisk on what was written, in folders of its own.
pub(crate) fn start(asterisk: &Installation, folder: &Path) -> Running {
    asterisk.furnish(folder, "test").unwrap();
    asterisk.start(folder).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asterisk_with_the_written_configuration_serves_cordboard() {
    let Some(asterisk) = installation() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (ari, first) = (ports::free_tcp(), ports::free_udp_range(101));
    let (ari, sip) = (format!("127.0.0.1:{ari}"), format!("127.0.0.1:{}", ports::free_udp()));
    let rtp = format!("{first}-{}", first + 100);
    let peers = folder.path().join("peers");
    fs::write(&peers, "s3cret\n").unwrap();
    let peers = peers.to_str().unwrap();
    let several = ["--node", "a", "--peer", "b=127.0.0.1:9", "--peer-password-file", peers];
    let own = ["--ari-listen", &ari, "--sip-listen", &sip, "--rtp", &rtp, "--trunk", "127.0.0.1:9"];
    let own = [&own[..], &["--talk"]].concat();
    let written = write_config(folder.path(), &[&own[..], &several].concat());
    assert!(written.status.success(), "{written:?}");
    // The manager's own port, which others on this machine may have.
    let manager = folder.path().join("etc/manager.conf");
    let port = format!("\nport = {}\n\n", ports::free_tcp());
    let text = fs::read_to_string(&manager).unwrap().replacen("\n\n", &port, 1);
    fs::write(&manager, text).unwrap();
    let asterisk = start(&asterisk, folder.path());

    let password = folder.path().join("etc/ari-password");
    let set = format!("switch.asterisk.password_file={}", password.display());
    let url = format!("http://cordboard@{ari}");
    let manager = folder.path().join("etc/manager-password");
    let manager = format!("switch.asterisk.manager_password_file={}", manager.display());
    let switch = ["--switch", "asterisk", "--ari", &url, "--set", &set, "--set", &manager];
    let args = [&["up", "--ephemeral"][..], &switch].concat();
    let args: Vec<_> = args.into_iter().map(ToOwned::to_owned).collect();
    let up = Process::start(&args).await;
    assert_eq!(up.ready.get("sim"), None);

    until_heard(up.address("admin")).await;

    let said = asterisk.said();
    assert!(!said.contains("ERROR"), "{said}");

    // Alice's phone has not registered: Asterisk knows the endpoint, and that nobody is there.
    let mut alice = Client::subscribed(up.address("public"), "101").await;
    alice.must("CallControl/originate_call", json!({"destination": "102"})).await;
    let states = alice.until_over(1).await;
    assert_eq!(states.last().unwrap()["reason_code"], 480, "{states:?}");

    // The manager's user may send a NOTIFY, and nobody is there to get it.
    let user = folder.path().join("etc/manager-password");
    let secret = fs::read_to_string(user).unwrap().trim().to_owned();
    let login = format!("action=login&username=cordboard&secret={secret}");
    let (session, login) = manager_says(&ari, "", &login).await;
    assert!(login.contains("Authentication accepted"), "{login}");
    for (action, says) in [
        ("PJSIPNotify&Channel=PJSIP%2Fx&Variable=Event%3Dtalk", "Channel not found"),
        (
            "Originate&Channel=PJSIP%2F101&Exten=102&Context=cordboard&Priority=1",
            "Permission denied",
        ),
        ("Command&Command=core%20show%20version", "Permission denied"),
        ("UpdateConfig&SrcFilename=a.conf&DstFilename=a.conf", "Permission denied"),
    ] {
        let (_, said) = manager_says(&ari, &session, &format!("action={action}")).await;
        assert!(said.contains(says), "{action}: {said}");
    }
}

/// The session's cookie, and what Asterisk's manager answers.
async fn manager_says(at: &str, session: &str, form: &str) -> (String, String) {
    let mut socket = TcpStream::connect(at).await.unwrap();
    let request = format!(
        "POST /rawman HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {session}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let cookie = answer.split("Set-Cookie: ").nth(1).and_then(|rest| rest.split(';').next());
    (cookie.unwrap_or_default().to_owned(), answer)
}

#[test]
fn a_second_run_keeps_the_passwords_and_closes_the_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write_config(folder.path(), &[]).status.success());
    let phones = fs::read_to_string(folder.path().join("etc/phones.txt")).unwrap();
    let ari = fs::read_to_string(folder.path().join("etc/ari-password")).unwrap();

    assert!(write_config(folder.path(), &["--trunk", "sip.provider.example"]).status.success());

    assert_eq!(fs::read_to_string(folder.path().join("etc/phones.txt")).unwrap(), phones);
    assert_eq!(fs::read_to_string(folder.path().join("etc/ari-password")).unwrap(), ari);
    for entry in fs::read_dir(folder.path().join("etc")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    let pjsip = fs::read_to_string(folder.path().join("etc/pjsip.conf")).unwrap();
    assert!(pjsip.contains("match = sip.provider.example"), "{pjsip}");
    assert_eq!(phones.lines().count(), 8);
    let manager = fs::read_to_string(folder.path().join("etc/manager.conf")).unwrap();
    assert_eq!(manager, "[general]\nenabled = no\n", "unless phones are to be made to answer");
}

#[test]
fn what_cannot_be_in_a_configuration_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, value, says) in
        [("--trunk", "a\nb", "has to be a host"), ("--rtp", "9-1", "has to be two ports")]
    {
        let refused = write_config(folder.path(), &[flag, value]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(says), "{said}");
    }
    assert!(!folder.path().join("etc").exists());
}
