//! A SIP user agent (RFC 3261) over UDP, with any number of calls, which does what people at phones
//! do. How it behaves when it is called is its owner's ([`Conduct`]).

mod call;
mod incoming;

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::call::Call;
use crate::digest::Credentials;
use crate::rtp::Press;
use crate::sip::Message;
use crate::voice::{NotHeard, Voice};

/// Time to the first repetition of a request, the longest between two, and when it is given up (RFC
/// 3261, section 17.1.1.1: T1, T2, 64 T1).
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const GIVEN_UP: Duration = Duration::from_secs(32);

/// Calls at a time; one more is refused as busy.
const MOST_CALLS: usize = 1_000;
/// Lines of the log that are kept.
const MOST_LINES: usize = 1_000;

/// The payload type that is offered for telephone events.
const EVENTS: u8 = 101;

/// What an agent does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Rings and answers.
    Answer,
    /// Rings for this long, and answers.
    AnswerAfter(Duration),
    /// Rings until somebody answers, or the switch has it answer.
    Ring,
    /// The same, and refuses with this code when the switch has it answer.
    Deaf(u16),
    /// Refuses with this code; without ringing.
    Refuse(u16),
}

/// How an agent behaves under each of its numbers.
pub trait Conduct: Debug + Send + Sync {
    /// What it does when it is called there.
    fn manner(&self, number: &str) -> Manner;
    /// The pitch with which it speaks in a call of this number, in hertz.
    fn tone(&self, number: &str) -> f64;
}

/// What a phone could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No socket, or it broke.
    #[error("the phone's socket failed")]
    Socket(#[from] std::io::Error),
    /// It was told no switch.
    #[error("the phone knows no switch")]
    NoSwitch,
    /// There is no such call.
    #[error("the phone has no such call")]
    NoCall,
    /// The switch did not do in time what was waited for.
    #[error("not within {patience:?}: {what}; last seen: {seen}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        patience: Duration,
        /// What came in instead.
        seen: String,
    },
    /// The switch refused to register the phone.
    #[error("the registration was refused with {0}")]
    NotRegistered(u16),
    /// Something else is heard.
    #[error(transparent)]
    NotHeard(#[from] NotHeard),
    /// There is no such key, or too many wait.
    #[error("key `{0}` cannot be pressed")]
    Key(char),
}

/// Who an agent is.
#[derive(Debug)]
pub struct Settings {
    /// The user part of its contact.
    pub user: String,
    /// With what it answers when the switch asks who it is.
    pub credentials: Option<Credentials>,
    /// The address on which it listens.
    pub address: IpAddr,
    /// Tasks that it needs run on this tracker until `stop`.
    pub tasks: TaskTracker,
    /// Ends it.
    pub stop: CancellationToken,
}

/// A user agent. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Agent {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    conduct: Arc<dyn Conduct>,
    socket: UdpSocket,
    address: SocketAddr,
    state: Mutex<State>,
    /// Counts what comes in.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The switch to which it belongs.
    home: Option<SocketAddr>,
    /// Oldest first.
    calls: Vec<Call>,
    /// Requests without a final answer, by their transactions.
    asked: HashMap<String, Asked>,
    /// The final answer to the last registration.
    registered: Option<u16>,
    log: VecDeque<String>,
    /// Makes texts unique.
    count: u32,
}

/// A request under way.
#[derive(Debug)]
struct Asked {
    request: Message,
    to: SocketAddr,
    /// Something has been answered: it need not be repeated.
    is_heard: bool,
}

impl Agent {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(settings: Settings, conduct: Arc<dyn Conduct>) -> Result<Self, Error> {
        let socket = UdpSocket::bind((settings.address, 0)).await?;
        let address = socket.local_addr()?;
        let (state, changed) = (Mutex::default(), watch::Sender::new(0));
        let (tasks, stop) = (settings.tasks.clone(), settings.stop.clone());
        let inner = Inner { settings, conduct, socket, address, state, changed };
        let agent = Self { inner: Arc::new(inner) };
        let running = agent.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(running.run()).await;
        });
        Ok(agent)
    }

    /// The user part of its contact.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.inner.settings.user
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.inner.address.port()
    }

    /// From now on it belongs to the switch at this address.
    pub fn set_switch(&self, address: SocketAddr) {
        self.inner.state.lock().home = Some(address);
    }

    // --- what its user does

    /// Asks the switch to send its calls here, or with `false` not to any more (RFC 3261, section
    /// 10). The answer comes later.
    ///
    /// # Errors
    /// Without a switch.
    pub async fn ask_to_register(&self, is_registered: bool) -> Result<(), Error> {
        let (register, to) = {
            let mut state = self.inner.state.lock();
            state.registered = None;
            state.count += 1;
            let to = state.home.ok_or(Error::NoSwitch)?;
            (self.registration(to, state.count, is_registered), to)
        };
        self.ask(register, to).await
    }

    /// Registers, and waits until the switch has taken it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn register(&self, patience: Duration) -> Result<(), Error> {
        self.ask_to_register(true).await?;
        match self.until("an answer to REGISTER", patience, |state| state.registered).await? {
            200..300 => Ok(()),
            code => Err(Error::NotRegistered(code)),
        }
    }

    /// Dials, under a name and number of one's choice; gives the call.
    ///
    /// # Errors
    /// Without a switch.
    pub async fn dial(&self, number: &str, name: &str, from: &str) -> Result<String, Error> {
        let voice = self.voice_for(from).await?;
        let (invite, to, id) = {
            let mut state = self.inner.state.lock();
            let to = state.home.ok_or(Error::NoSwitch)?;
            state.count += 1;
            let unique = format!("{}-{}-{}", self.user(), self.port(), state.count);
            let call = Call::placed(&unique, number, name, from, to, voice);
            let body = call.voice.audio(Some(EVENTS)).describe("sendrecv");
            let invite = self.request("INVITE", &call).with_body("application/sdp", body);
            let id = call.id.clone();
            state.calls.push(call);
            (invite, to, id)
        };
        self.ask(invite, to).await?;
        Ok(id)
    }

    /// The newest call.
    #[must_use]
    pub fn newest(&self) -> Option<String> {
        self.inner.state.lock().calls.last().map(|call| call.id.clone())
    }

    /// The newest call of a number.
    #[must_use]
    pub fn newest_of(&self, number: &str) -> Option<String> {
        let state = self.inner.state.lock();
        state.calls.iter().rev().find(|call| call.number == number).map(|call| call.id.clone())
    }

    /// The newest call that rings here.
    #[must_use]
    pub fn rings(&self) -> Option<String> {
        let state = self.inner.state.lock();
        let rings = |call: &&Call| call.invite.is_some() && !call.is_up;
        state.calls.iter().rev().find(rings).map(|call| call.id.clone())
    }

    /// Answers a call that rings.
    ///
    /// # Errors
    /// When it does not.
    pub async fn answer(&self, id: &str) -> Result<(), Error> {
        let invite = self.of(id, |call| call.invite.clone()).flatten().ok_or(Error::NoCall)?;
        self.accept(id, &invite).await
    }

    /// Hangs up: ends a call (BYE), refuses one that rings (603), or gives one up (CANCEL).
    ///
    /// # Errors
    /// When there is no such call.
    pub async fn hang_up(&self, id: &str) -> Result<(), Error> {
        // At one moment, as an answer may come at the next.
        let (is_up, invite, cancel, to) = {
            let mut state = self.inner.state.lock();
            let call = state.calls.iter_mut().find(|call| call.id == id).ok_or(Error::NoCall)?;
            call.is_given_up = !call.is_up;
            (call.is_up, call.invite.clone(), self.cancel(call), call.switch)
        };
        match invite {
            _ if is_up => {
                self.in_dialog(id, "BYE", |bye| bye).await?;
                self.forget(id);
            }
            Some(invite) => {
                self.reply(id, &invite.answer(603, "Decline", &self.tag())).await?;
                self.forget(id);
            }
            None => self.ask(cancel, to).await?,
        }
        Ok(())
    }

    /// Presses hold, or with `false` takes the call back.
    ///
    /// # Errors
    /// When there is no such call.
    pub async fn hold(&self, id: &str, is_held: bool) -> Result<(), Error> {
        let direction = if is_held { "sendonly" } else { "sendrecv" };
        let describe = |call: &Call| call.voice.audio(call.events).describe(direction);
        let body = self.of(id, describe).ok_or(Error::NoCall)?;
        self.in_dialog(id, "INVITE", |invite| invite.with_body("application/sdp", body)).await
    }

    /// Presses a key: as a telephone event where the switch takes them, else as an INFO.
    ///
    /// # Errors
    /// When there is no such call or key.
    pub async fn press(&self, id: &str, key: char) -> Result<(), Error> {
        let (voice, events) =
            self.of(id, |call| (call.voice.clone(), call.events)).ok_or(Error::NoCall)?;
        if events.is_some() {
            return if voice.press(key) { Ok(()) } else { Err(Error::Key(key)) };
        }
        if Press::of(key).is_none() {
            return Err(Error::Key(key));
        }
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        self.in_dialog(id, "INFO", |info| info.with_body("application/dtmf-relay", body)).await
    }

    /// Puts the receiver down on a line that is dead.
    pub fn forget(&self, id: &str) {
        self.inner.state.lock().calls.retain(|call| call.id != id);
        self.changed();
    }

    // --- what can be seen and heard

    /// The voice of a call.
    #[must_use]
    pub fn voice(&self, id: &str) -> Option<Voice> {
        self.of(id, |call| call.voice.clone())
    }

    /// Name and number that a call shows that came in.
    #[must_use]
    pub fn shown(&self, id: &str) -> Option<(String, String)> {
        Some(self.of(id, |call| call.invite.clone())??.party("From"))
    }

    /// What has come in: `INVITE 101`, `BYE`, `180`, `200 INFO`, `INFO 5`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.inner.state.lock().log.iter().cloned().collect()
    }

    /// Waits until a line has come in `count` times.
    ///
    /// # Errors
    /// When it has not.
    pub async fn sees(&self, line: &str, count: usize, patience: Duration) -> Result<(), Error> {
        let what = format!("phone {} sees {count} times {line}", self.user());
        let seen = |state: &State| state.log.iter().filter(|seen| *seen == line).count();
        self.until(&what, patience, |state| (seen(state) >= count).then_some(())).await
    }

    /// Waits until there is a call of this number, and gives it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn until_called(&self, number: &str, patience: Duration) -> Result<String, Error> {
        let what = format!("phone {} has a call of {number}", self.user());
        self.until(&what, patience, |state| {
            let call = state.calls.iter().rev().find(|call| call.number == number);
            call.map(|call| call.id.clone())
        })
        .await
    }

    async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&State) -> Option<T>,
    ) -> Result<T, Error> {
        let mut changed = self.inner.changed.subscribe();
        let looking = async {
            loop {
                let found = look(&self.inner.state.lock());
                // The sender lives as long as the agent.
                if found.is_some() || changed.changed().await.is_err() {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(patience, looking).await.ok().flatten();
        found.ok_or_else(|| Error::Late {
            what: what.to_owned(),
            patience,
            seen: format!("{:?}", self.log()),
        })
    }

    // --- how it sends

    fn of<T>(&self, id: &str, look: impl FnOnce(&Call) -> T) -> Option<T> {
        self.inner.state.lock().calls.iter().find(|call| call.id == id).map(look)
    }

    async fn voice_for(&self, number: &str) -> Result<Voice, Error> {
        let Settings { address, tasks, stop, .. } = &self.inner.settings;
        let tone = self.inner.conduct.tone(number);
        Ok(Voice::start(*address, tone, tasks, stop).await?)
    }

    async fn in_dialog(
        &self,
        id: &str,
        method: &str,
        fill: impl FnOnce(Message) -> Message,
    ) -> Result<(), Error> {
        let (request, to) = {
            let mut state = self.inner.state.lock();
            state.count += 1;
            let branch = format!("z9hG4bK{}-{}-{}", self.user(), self.port(), state.count);
            let call = state.calls.iter_mut().find(|call| call.id == id).ok_or(Error::NoCall)?;
            call.sequence += 1;
            call.branch = branch;
            (fill(self.request(method, call)), call.switch)
        };
        self.ask(request, to).await
    }

    /// Sends a request, and again until it is answered.
    async fn ask(&self, request: Message, to: SocketAddr) -> Result<(), Error> {
        let key = transaction(request.branch(), request.method().unwrap_or_default());
        let bytes = request.to_bytes();
        let asked = Asked { request, to, is_heard: false };
        self.inner.state.lock().asked.insert(key.clone(), asked);
        self.inner.socket.send_to(&bytes, to).await?;
        let (agent, stop) = (self.clone(), self.inner.settings.stop.clone());
        self.inner.settings.tasks.spawn(async move {
            stop.run_until_cancelled(agent.repeat(bytes, to, |state: &State| {
                state.asked.get(&key).is_none_or(|asked| asked.is_heard)
            }))
            .await;
            // Nobody answers any more.
            agent.inner.state.lock().asked.retain(|other, asked| *other != key || asked.is_heard);
        });
        Ok(())
    }

    /// Sends something again, more and more seldom, until it is not needed any more.
    async fn repeat(&self, bytes: Vec<u8>, to: SocketAddr, is_over: impl Fn(&State) -> bool) {
        let (begin, mut pause) = (Instant::now(), T1);
        while begin.elapsed() < GIVEN_UP {
            sleep(pause).await;
            if is_over(&self.inner.state.lock()) {
                return;
            }
            // What does not go out now may at the next time.
            self.inner.socket.send_to(&bytes, to).await.ok();
            pause = T2.min(pause * 2);
        }
    }

    async fn send(&self, message: &Message, to: SocketAddr) -> Result<(), Error> {
        self.inner.socket.send_to(&message.to_bytes(), to).await?;
        Ok(())
    }

    fn note(&self, line: impl Into<String>) {
        let mut state = self.inner.state.lock();
        if state.log.len() == MOST_LINES {
            state.log.pop_front();
        }
        state.log.push_back(line.into());
        drop(state);
        self.changed();
    }

    fn changed(&self) {
        self.inner.changed.send_modify(|count| *count += 1);
    }

    fn tag(&self) -> String {
        format!("tag-{}-{}", self.user(), self.port())
    }
}

/// Names a transaction: a CANCEL has the branch of what it gives up (RFC 3261, section 17.1.3).
fn transaction(branch: &str, method: &str) -> String {
    format!("{method} {branch}")
}

#[cfg(test)]
mod tests;
