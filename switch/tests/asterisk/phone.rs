//! A SIP phone that does what a test says: it rings, answers, refuses, calls, holds and hangs
//! up; it speaks a tone of its own and knows which tones it hears. One call at a time.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mesh::testing::eventually;
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audio::Voice;
use crate::sip::{Message, audio_port, sdp};

/// What a phone does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Rings and answers.
    Answer,
    /// Rings until the test answers.
    Ring,
    /// The same, and answers with this code when it is told to answer.
    Deaf(u16),
    /// Refuses with this code; without ringing.
    Refuse(u16),
}

/// A phone. Its user part is an account's id.
#[derive(Clone)]
pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) tone: f64,
    socket: Arc<UdpSocket>,
    voice: Voice,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    /// The Asterisk to which it belongs.
    home: Option<SocketAddr>,
    /// The one with which it speaks now: another one may call it.
    server: Option<SocketAddr>,
    dialog: Option<Dialog>,
    /// What has come in: `INVITE`, `BYE`, `180`, `200 INVITE`, `INFO 5`.
    log: Vec<String>,
    /// Makes texts unique.
    count: u32,
}

/// The call that the phone is in.
#[derive(Clone)]
struct Dialog {
    id: String,
    /// The invitation, when the phone was called.
    invite: Option<Message>,
    /// This side's and the other's `From` or `To`.
    local: String,
    remote: String,
    /// Where requests in the dialog go.
    target: String,
    sequence: u32,
    /// Branch of the own invitation, which its CANCEL repeats.
    branch: String,
    is_up: bool,
}

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl Phone {
    pub(crate) async fn start(
        user: &str,
        tone: f64,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let voice = Voice::start(tone, tasks, stop).await;
        let state = State {
            manner: Manner::Answer,
            home: None,
            server: None,
            dialog: None,
            log: vec![],
            count: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let phone = Self { user: user.to_owned(), tone, socket, voice, state };
        let (running, stop) = (phone.clone(), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(running.run()).await;
        });
        phone
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    pub(crate) fn set_server(&self, port: u16) {
        let mut state = self.state.lock();
        state.home = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        state.server = state.home;
    }

    pub(crate) fn set_manner(&self, manner: Manner) {
        self.state.lock().manner = manner;
    }

    // --- what its user does

    /// Dials.
    pub(crate) async fn call(&self, number: &str) {
        self.call_as(number, "", &self.user).await;
    }

    /// Dials under a name and number of one's choice.
    pub(crate) async fn call_as(&self, number: &str, name: &str, from: &str) {
        let invite = {
            let mut state = self.state.lock();
            state.count += 1;
            let unique = format!("{}-{}-{}", self.user, self.port(), state.count);
            let dialog = Dialog {
                id: format!("{unique}@phone"),
                invite: None,
                local: format!("\"{name}\" <sip:{from}@127.0.0.1>;tag={unique}"),
                remote: format!("<sip:{number}@127.0.0.1>"),
                target: format!("sip:{number}@127.0.0.1"),
                sequence: 1,
                branch: format!("z9hG4bK{unique}"),
                is_up: false,
            };
            let invite = self
                .request("INVITE", &dialog, &dialog.branch)
                .with_body("application/sdp", sdp(self.voice.port(), "sendrecv"));
            state.dialog = Some(dialog);
            state.server = state.home;
            invite
        };
        self.send(&invite).await;
    }

    /// Tells Asterisk where it can be reached, or with `false` that it cannot any more.
    pub(crate) async fn register(&self, is_registered: bool) {
        let (number, unique) = {
            let mut state = self.state.lock();
            state.count += 1;
            (state.count, format!("{}-{}", self.user, self.port()))
        };
        let own = format!("<sip:{}@127.0.0.1>", self.user);
        let dialog = Dialog {
            id: format!("{unique}@registers"),
            invite: None,
            local: format!("{own};tag={unique}"),
            remote: own,
            target: "sip:127.0.0.1".to_owned(),
            sequence: number,
            branch: String::new(),
            is_up: false,
        };
        let expires = if is_registered { "300" } else { "0" };
        let register = self
            .request("REGISTER", &dialog, &format!("z9hG4bK{unique}-{number}"))
            .with("Expires", expires);
        self.send(&register).await;
    }

    /// Answers the call that rings.
    pub(crate) async fn answer(&self) {
        let invite = self.state.lock().dialog.as_ref().and_then(|dialog| dialog.invite.clone());
        self.accept(&invite.expect("somebody calls")).await;
    }

    /// Hangs up, or gives up a call that nobody has answered.
    pub(crate) async fn hang_up(&self) {
        let dialog = self.state.lock().dialog.clone().expect("a call");
        if dialog.is_up {
            self.in_dialog("BYE", |bye| bye).await;
            self.forget_dialog();
        } else {
            let sequence = Dialog { sequence: 1, ..dialog.clone() };
            self.send(&self.request("CANCEL", &sequence, &dialog.branch)).await;
        }
    }

    /// Presses hold.
    pub(crate) async fn hold(&self) {
        self.reinvite("sendonly").await;
    }

    /// Takes the call back.
    pub(crate) async fn resume(&self) {
        self.reinvite("sendrecv").await;
    }

    /// Presses a key.
    pub(crate) async fn press(&self, key: char) {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        self.in_dialog("INFO", |info| info.with_body("application/dtmf-relay", body)).await;
    }

    /// Puts the receiver down on a line that is dead.
    pub(crate) fn forget(&self) {
        self.forget_dialog();
    }

    // --- what can be seen and heard

    /// Waits until a line has come in `count` times.
    pub(crate) async fn sees(&self, line: &str, count: usize) {
        let what = format!("phone {} sees {count} times {line}", self.user);
        eventually(PATIENCE, &what, || async {
            let state = self.state.lock();
            let seen = state.log.iter().filter(|seen| *seen == line).count();
            if seen >= count { Ok(()) } else { Err(format!("{:?}", state.log)) }
        })
        .await;
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.state.lock().log.clone()
    }

    /// Name and number that the call shows.
    pub(crate) fn shown(&self) -> (String, String) {
        let state = self.state.lock();
        let invite = state.dialog.as_ref().and_then(|dialog| dialog.invite.as_ref());
        invite.expect("somebody calls").party("From")
    }

    /// Waits until a tone is heard among what comes from now on.
    pub(crate) async fn hears(&self, tone: f64) {
        self.until_heard(&[(tone, true)]).await;
    }

    /// Waits until each of the tones is heard, or not, at one time.
    pub(crate) async fn until_heard(&self, tones: &[(f64, bool)]) {
        self.voice.listen_anew();
        eventually(PATIENCE, &format!("phone {} hears {tones:?}", self.user), || async {
            let heard: Vec<_> =
                tones.iter().map(|(tone, _)| (*tone, self.voice.hears(*tone))).collect();
            let is_so = tones.iter().zip(&heard).all(|(wanted, (_, is))| *is == Some(wanted.1));
            if is_so { Ok(()) } else { Err(format!("{heard:?}")) }
        })
        .await;
    }

    // --- how it works

    async fn run(self) {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer).await else { continue };
            let Some(message) = Message::parse(&buffer[..length]) else { continue };
            if message.code().is_some() {
                self.answered(message).await;
            } else {
                if message.method() == Some("INVITE") {
                    self.state.lock().server = Some(from);
                }
                self.asked(message).await;
            }
        }
    }

    async fn asked(&self, request: Message) {
        let method = request.method().unwrap_or_default().to_owned();
        let dialog = self.state.lock().dialog.clone();
        let is_own = dialog.as_ref().is_some_and(|own| own.id == request.header("Call-ID"));
        let ok = request.answer(200, "OK", &self.tag());
        match method.as_str() {
            "INVITE" if is_own && dialog.as_ref().is_some_and(|own| own.is_up) => {
                self.accept(&request).await;
            }
            // Sent once more.
            "INVITE" if is_own => {}
            "INVITE" => self.invited(request).await,
            "ACK" => {}
            "BYE" => {
                self.note("BYE");
                self.send(&ok).await;
                if let Some(own) = dialog.filter(|_| is_own) {
                    self.forget_dialog();
                    if let Some(invite) = own.invite.filter(|_| !own.is_up) {
                        let gone = invite.answer(487, "Request Terminated", &self.tag());
                        self.send(&gone).await;
                    }
                }
            }
            "CANCEL" => {
                self.send(&ok).await;
                let cancelled = self.state.lock().dialog.take().and_then(|own| own.invite);
                if let Some(invite) = cancelled {
                    let gone = invite.answer(487, "Request Terminated", &self.tag());
                    self.send(&gone).await;
                }
                self.note("CANCEL");
            }
            "INFO" => {
                let key = request.body.split("Signal=").nth(1).unwrap_or_default().trim_start();
                let key = key.chars().next().unwrap_or('?');
                self.note(&format!("INFO {key}"));
                self.send(&ok).await;
            }
            "NOTIFY" => self.told(&request).await,
            _ => self.send(&ok).await,
        }
    }

    /// Somebody else presses its keys.
    async fn told(&self, notify: &Message) {
        self.note(&format!("NOTIFY {}", notify.header("Event")));
        let manner = self.state.lock().manner;
        if let Manner::Deaf(code) = manner {
            self.send(&notify.answer(code, "No", &self.tag())).await;
            return;
        }
        self.send(&notify.answer(200, "OK", &self.tag())).await;
        let dialog = self.state.lock().dialog.clone();
        let rings = dialog.filter(|own| own.id == notify.header("Call-ID") && !own.is_up);
        if let Some(invite) = rings.and_then(|own| own.invite)
            && notify.header("Event") == "talk"
        {
            self.accept(&invite).await;
        }
    }

    async fn invited(&self, invite: Message) {
        let manner = self.state.lock().manner;
        self.note(&format!("INVITE {}", invite.addressee()));
        if let Manner::Refuse(code) = manner {
            self.send(&invite.answer(code, "No", &self.tag())).await;
            return;
        }
        let local = invite.answer(180, "Ringing", &self.tag()).header("To").to_owned();
        self.state.lock().dialog = Some(Dialog {
            id: invite.header("Call-ID").to_owned(),
            local,
            remote: invite.header("From").to_owned(),
            target: address_of(invite.header("Contact")),
            sequence: 0,
            branch: String::new(),
            is_up: false,
            invite: Some(invite.clone()),
        });
        self.send(&invite.answer(180, "Ringing", &self.tag()).with("Contact", self.contact()))
            .await;
        if manner == Manner::Answer {
            self.accept(&invite).await;
        }
    }

    /// Accepts an invitation, or one more on the same call.
    async fn accept(&self, invite: &Message) {
        if let Some(dialog) = &mut self.state.lock().dialog {
            dialog.is_up = true;
        }
        if let Some(port) = audio_port(&invite.body) {
            self.voice.connect(Some(port));
        }
        let answer = invite
            .answer(200, "OK", &self.tag())
            .with("Contact", self.contact())
            .with_body("application/sdp", sdp(self.voice.port(), "sendrecv"));
        self.send(&answer).await;
    }

    async fn answered(&self, answer: Message) {
        let code = answer.code().unwrap_or(0);
        let (number, method) = answer.sequence();
        if method != "INVITE" {
            self.note(&format!("{code} {method}"));
            return;
        }
        let ack = {
            let mut state = self.state.lock();
            let Some(dialog) =
                state.dialog.as_mut().filter(|own| own.id == answer.header("Call-ID"))
            else {
                return;
            };
            if code < 200 {
                None
            } else {
                answer.header("To").clone_into(&mut dialog.remote);
                if code < 300 {
                    dialog.target = address_of(answer.header("Contact"));
                    dialog.is_up = true;
                    if let Some(port) = audio_port(&answer.body) {
                        self.voice.connect(Some(port));
                    }
                }
                let branch =
                    if code < 300 { format!("{}a", dialog.branch) } else { dialog.branch.clone() };
                let at = Dialog { sequence: number, ..dialog.clone() };
                let ack = self.request("ACK", &at, &branch);
                if code >= 300 && !dialog.is_up {
                    state.dialog = None;
                }
                Some(ack)
            }
        };
        if let Some(ack) = ack {
            self.send(&ack).await;
        }
        self.note(&code.to_string());
    }

    async fn reinvite(&self, direction: &str) {
        let body = sdp(self.voice.port(), direction);
        self.in_dialog("INVITE", |invite| invite.with_body("application/sdp", body)).await;
    }

    async fn in_dialog(&self, method: &str, fill: impl FnOnce(Message) -> Message) {
        let request = {
            let mut state = self.state.lock();
            state.count += 1;
            let branch = format!("z9hG4bK{}-{}-{}", self.user, self.port(), state.count);
            let dialog = state.dialog.as_mut().expect("a call");
            dialog.sequence += 1;
            dialog.branch.clone_from(&branch);
            fill(self.request(method, dialog, &branch))
        };
        self.send(&request).await;
    }

    fn request(&self, method: &str, dialog: &Dialog, branch: &str) -> Message {
        let via = format!("SIP/2.0/UDP 127.0.0.1:{};rport;branch={branch}", self.port());
        Message::new(format!("{method} {} SIP/2.0", dialog.target))
            .with("Via", via)
            .with("Max-Forwards", "70")
            .with("From", &dialog.local)
            .with("To", &dialog.remote)
            .with("Call-ID", &dialog.id)
            .with("CSeq", format!("{} {method}", dialog.sequence))
            .with("Contact", self.contact())
    }

    async fn send(&self, message: &Message) {
        let server = self.state.lock().server.expect("a server");
        self.socket.send_to(&message.to_bytes(), server).await.unwrap();
    }

    fn note(&self, line: &str) {
        self.state.lock().log.push(line.to_owned());
    }

    fn forget_dialog(&self) {
        self.state.lock().dialog = None;
        self.voice.connect(None);
    }

    fn contact(&self) -> String {
        let mut contact = String::new();
        write!(contact, "<sip:{}@127.0.0.1:{}>", self.user, self.port()).unwrap();
        contact
    }

    fn tag(&self) -> String {
        format!("tag-{}-{}", self.user, self.port())
    }
}

/// The address between angle brackets.
fn address_of(contact: &str) -> String {
    let address = contact.split('<').nth(1).and_then(|rest| rest.split('>').next());
    address.unwrap_or(contact).to_owned()
}
