//! Over real sockets, with certificates that end while it runs.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::net::{Connection, Listener, Network, Target};
use crate::testing::eventually;
use crate::testing::pki::{Authority, Mounted, identity};

const LONG: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A service that sends back what it gets.
struct Echo {
    target: Target,
    tasks: TaskTracker,
    _stop: tokio_util::sync::DropGuard,
}

impl Echo {
    async fn start(files: &Mounted, callers: &[&str]) -> Self {
        let tls = ServerTls::mesh(
            identity(&files.certificate(), &files.key(), &files.authority()),
            callers,
        )
        .unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(tls.clone().follow(LOOK_EVERY, stop.clone()));
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let mut listener = listener.with_tls(Some(tls));
        let target = listener.local_target();
        let accepting = tasks.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                let mut connection = listener.accept().await.unwrap();
                accepting.spawn(async move {
                    let mut byte = [0; 1];
                    while let Ok(1) = connection.read(&mut byte).await {
                        if connection.write_all(&byte).await.is_err()
                            || connection.flush().await.is_err()
                        {
                            return;
                        }
                    }
                });
            }
        }));
        Self { target, tasks, _stop: stop.drop_guard() }
    }
}

fn network(files: &Mounted) -> (Network, ClientTls) {
    let tls =
        ClientTls::mesh(identity(&files.certificate(), &files.key(), &files.authority())).unwrap();
    (Network::default().with_tls(tls.clone()), tls)
}

async fn say(connection: &mut Connection) -> io::Result<()> {
    connection.write_all(b"x").await?;
    connection.flush().await?;
    let mut byte = [0; 1];
    connection.read_exact(&mut byte).await?;
    // An alert of TLS is no echo.
    if byte == *b"x" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

async fn exchange(network: &Network, service: &str, target: &Target) -> Result<(), String> {
    let mut connection =
        network.connect(service, target).await.map_err(|error| error.to_string())?;
    say(&mut connection).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn both_ends_prove_which_service_they_are() {
    let authority = Authority::new();
    let auth = Echo::start(&authority.mount(&["auth"], LONG), &["edge", "switch"]).await;
    let (edge, _) = network(&authority.mount(&["edge", "edge.example"], LONG));
    let (notifier, _) = network(&authority.mount(&["notifier"], LONG));
    let (stranger, _) = network(&Authority::new().mount(&["edge"], LONG));

    exchange(&edge, "auth", &auth.target).await.unwrap();
    assert!(exchange(&edge, "switch", &auth.target).await.is_err(), "auth is no switch");
    assert!(exchange(&notifier, "auth", &auth.target).await.is_err(), "it may not call");
    assert!(exchange(&stranger, "auth", &auth.target).await.is_err(), "another authority");
    assert!(exchange(&Network::default(), "auth", &auth.target).await.is_err(), "no TLS");
}

#[tokio::test]
async fn renewed_certificates_serve_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let life = Duration::from_secs(3);
    let (server, client) = (authority.mount(&["auth"], life), authority.mount(&["edge"], life));
    let auth = Echo::start(&server, &["edge"]).await;
    let (network, tls) = network(&client);
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    auth.tasks.spawn(tls.follow(LOOK_EVERY, stop));
    let mut old = network.connect("auth", &auth.target).await.unwrap();
    say(&mut old).await.unwrap();

    // The first certificates end.
    eventually(PATIENCE, "the certificates end", || async {
        match exchange(&network, "auth", &auth.target).await {
            Ok(()) => Err("they are still good".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;
    say(&mut old).await.unwrap();

    server.renew(&authority, &["auth"], LONG);
    client.renew(&authority, &["edge"], LONG);
    eventually(PATIENCE, "new certificates are taken up", || {
        exchange(&network, "auth", &auth.target)
    })
    .await;
    say(&mut old).await.unwrap();
}

#[tokio::test]
async fn an_authority_can_be_replaced_while_both_are_trusted() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server, client) = (old.mount(&["auth"], LONG), old.mount(&["edge"], LONG));
    let both = format!("{}{}", old.pem(), new.pem());
    std::fs::write(server.authority(), &both).unwrap();
    std::fs::write(client.authority(), &both).unwrap();
    let auth = Echo::start(&server, &["edge"]).await;
    let (network, _) = network(&client);
    exchange(&network, "auth", &auth.target).await.unwrap();

    server.renew(&new, &["auth"], LONG);
    std::fs::write(server.authority(), &both).unwrap();

    // The client has the old certificate, and the server's new one comes from the new authority.
    eventually(PATIENCE, "the client goes on", || exchange(&network, "auth", &auth.target)).await;
}

#[tokio::test]
async fn files_that_make_no_sense_change_nothing() {
    let authority = Authority::new();
    let server = authority.mount(&["auth"], LONG);
    let auth = Echo::start(&server, &["edge"]).await;
    let (network, _) = network(&authority.mount(&["edge"], LONG));

    for nonsense in ["", "no certificate", &authority.issue(&["auth"], LONG).0] {
        std::fs::write(server.certificate(), nonsense).unwrap();
        tokio::time::sleep(LOOK_EVERY * 3).await;
        exchange(&network, "auth", &auth.target).await.unwrap();
    }
    std::fs::remove_file(server.key()).unwrap();
    tokio::time::sleep(LOOK_EVERY * 3).await;
    exchange(&network, "auth", &auth.target).await.unwrap();
}

#[tokio::test]
async fn a_client_that_says_nothing_holds_nobody_up() {
    let authority = Authority::new();
    let auth = Echo::start(&authority.mount(&["auth"], LONG), &["edge"]).await;
    let (edge, _) = network(&authority.mount(&["edge"], LONG));
    let silent = Network::default();
    let _held = silent.connect("auth", &auth.target).await.unwrap();

    exchange(&edge, "auth", &auth.target).await.unwrap();
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let (one, other) = (Authority::new(), Authority::new());
    let files = one.mount(&["auth"], LONG);
    std::fs::write(files.key(), other.issue(&["auth"], LONG).1).unwrap();

    let refused = ServerTls::mesh(
        identity(&files.certificate(), &files.key(), &files.authority()),
        &["edge"],
    );

    assert!(format!("{:#}", refused.unwrap_err()).contains("tls.key"));
}
