//! A far end for load: it takes any number of calls at once, answers each at once, and hears nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::agent::{Error, Settings};
use crate::sip::{Audio, Message};

/// A far end that answers every call. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Crowd {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    user: String,
    socket: UdpSocket,
    address: SocketAddr,
    /// Where audio would come; nobody reads it.
    audio: UdpSocket,
    state: Mutex<State>,
    /// How many calls have come since they were taken, and how many go on.
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Default)]
struct State {
    /// When each call began to come in.
    came: Vec<Instant>,
    /// Calls that go on.
    calls: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    came: usize,
    calls: usize,
}

impl Crowd {
    /// Starts one. It does not register: the switch has to know its port.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let Settings { user, address, tasks, stop, .. } = settings;
        let socket = UdpSocket::bind((address, 0)).await?;
        let audio = UdpSocket::bind((address, 0)).await?;
        let address = socket.local_addr()?;
        let (state, counts) = (Mutex::default(), watch::Sender::default());
        let inner = Arc::new(Inner { user, socket, address, audio, state, counts });
        let running = Arc::clone(&inner);
        tasks.spawn(async move {
            stop.run_until_cancelled(running.run()).await;
        });
        Ok(Self { inner })
    }

    /// Its endpoint, and the port where it listens.
    #[must_use]
    pub fn line(&self) -> (String, u16) {
        (self.inner.user.clone(), self.inner.address.port())
    }

    /// When each call came in since this was asked last.
    #[must_use]
    pub fn take_came(&self) -> Vec<Instant> {
        let came = std::mem::take(&mut self.inner.state.lock().came);
        self.inner.tell();
        came
    }

    /// Waits until so many calls have come in.
    ///
    /// # Errors
    /// When they do not come in time.
    pub async fn until_came(&self, count: usize, patience: Duration) -> Result<(), Error> {
        let what = format!("{} has had {count} calls", self.inner.user);
        self.until(what, patience, |counts| counts.came >= count).await
    }

    /// Waits until so many calls go on.
    ///
    /// # Errors
    /// When it is not so in time.
    pub async fn until_talks(&self, count: usize, patience: Duration) -> Result<(), Error> {
        let what = format!("{} has {count} calls", self.inner.user);
        self.until(what, patience, |counts| counts.calls == count).await
    }

    async fn until(
        &self,
        what: String,
        patience: Duration,
        is_so: impl Fn(&Counts) -> bool,
    ) -> Result<(), Error> {
        let mut counts = self.inner.counts.subscribe();
        let is_in_time = matches!(timeout(patience, counts.wait_for(is_so)).await, Ok(Ok(_)));
        let seen = format!("{:?}", *counts.borrow());
        if is_in_time { Ok(()) } else { Err(Error::Late { what, patience, seen }) }
    }
}

impl Inner {
    async fn run(self: Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else { continue };
            let now = Instant::now();
            let Some(request) = buffer.get(..length).and_then(Message::parse) else { continue };
            match request.method() {
                Some("INVITE") => {
                    if self.begin(request.header("Call-ID"), now) {
                        self.answer(&request, 180, from).await;
                    }
                    self.answer(&request, 200, from).await;
                }
                Some("BYE") => {
                    self.state.lock().calls.remove(request.header("Call-ID"));
                    self.tell();
                    self.answer(&request, 200, from).await;
                }
                // Answers to nothing, and what needs none.
                None | Some("ACK") => {}
                Some(_) => self.answer(&request, 200, from).await,
            }
        }
    }

    /// Whether a call is new: an invitation may come again.
    fn begin(&self, id: &str, now: Instant) -> bool {
        let mut state = self.state.lock();
        let is_new = state.calls.insert(id.to_owned());
        if is_new {
            state.came.push(now);
        }
        drop(state);
        self.tell();
        is_new
    }

    fn tell(&self) {
        let state = self.state.lock();
        let counts = Counts { came: state.came.len(), calls: state.calls.len() };
        self.counts.send_replace(counts);
    }

    async fn answer(&self, request: &Message, code: u16, to: SocketAddr) {
        let contact = format!("<sip:{}@{}>", self.user, self.address);
        let answer = request.answer(code, "Yes", &self.user).with("Contact", contact);
        let answer = match self.audio.local_addr() {
            Ok(at) if code == 200 && request.method() == Some("INVITE") => {
                let audio = Audio { at: (at.ip(), at.port()), events: None };
                answer.with_body("application/sdp", audio.describe("sendrecv"))
            }
            _ => answer,
        };
        // What is lost is asked again.
        self.socket.send_to(&answer.to_bytes(), to).await.ok();
    }
}
