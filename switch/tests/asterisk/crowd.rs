//! A far end that takes any number of calls at once, answers each, and hears nothing.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mesh::testing::eventually;
use parking_lot::Mutex;
use phones::sip::{Audio, Message};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct Crowd {
    user: String,
    socket: UdpSocket,
    /// Where audio would come; nobody reads it.
    audio: UdpSocket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When each call began to come in.
    came: Vec<Instant>,
    /// Calls that go on.
    calls: BTreeSet<String>,
}

impl Crowd {
    pub(crate) async fn start(
        user: &str,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (socket, audio) = (bind().await.unwrap(), bind().await.unwrap());
        let (user, state) = (user.to_owned(), Mutex::default());
        let crowd = Arc::new(Self { user, socket, audio, state });
        let (running, stop) = (Arc::clone(&crowd), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(running.run()).await });
        crowd
    }

    /// Its endpoint, and where it listens.
    pub(crate) fn line(&self) -> (String, u16) {
        (self.user.clone(), self.socket.local_addr().unwrap().port())
    }

    /// When each call came in since this was asked last.
    pub(crate) fn take_came(&self) -> Vec<Instant> {
        std::mem::take(&mut self.state.lock().came)
    }

    /// Waits until so many calls have come in.
    pub(crate) async fn until_came(&self, count: usize) {
        eventually(
            Duration::from_secs(20),
            &format!("{} has {count} calls", self.user),
            || async {
                let came = self.state.lock().came.len();
                if came >= count { Ok(()) } else { Err(came.to_string()) }
            },
        )
        .await;
    }

    /// Waits until so many calls go on.
    pub(crate) async fn until_talks(&self, count: usize) {
        eventually(Duration::from_secs(20), &format!("{} talks {count}", self.user), || async {
            let calls = self.state.lock().calls.len();
            if calls == count { Ok(()) } else { Err(calls.to_string()) }
        })
        .await;
    }

    async fn run(self: Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else { continue };
            let now = Instant::now();
            let Some(request) = Message::parse(&buffer[..length]) else { continue };
            match request.method() {
                Some("INVITE") => {
                    let id = request.header("Call-ID").to_owned();
                    if self.state.lock().calls.insert(id) {
                        self.state.lock().came.push(now);
                        self.answer(&request, 180, from).await;
                    }
                    self.answer(&request, 200, from).await;
                }
                Some("BYE") => {
                    self.state.lock().calls.remove(request.header("Call-ID"));
                    self.answer(&request, 200, from).await;
                }
                // Answers to nothing, and what needs none.
                None | Some("ACK") => {}
                Some(_) => self.answer(&request, 200, from).await,
            }
        }
    }

    async fn answer(&self, request: &Message, code: u16, to: SocketAddr) {
        let port = self.socket.local_addr().unwrap().port();
        let contact = format!("<sip:{}@127.0.0.1:{port}>", self.user);
        let answer = request.answer(code, "Yes", &self.user).with("Contact", contact);
        let answer = if code == 200 && request.method() == Some("INVITE") {
            let at = self.audio.local_addr().unwrap();
            let audio = Audio { at: (at.ip(), at.port()), events: None };
            answer.with_body("application/sdp", audio.describe("sendrecv"))
        } else {
            answer
        };
        self.socket.send_to(&answer.to_bytes(), to).await.unwrap();
    }
}
