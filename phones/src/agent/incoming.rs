//! What comes in, and what an agent makes of it.

use std::net::SocketAddr;

use tokio::time::sleep;

use super::call::Call;
use super::{Agent, Asked, Error, MOST_CALLS, Manner, transaction};
use crate::digest::Challenge;
use crate::sip::{Audio, Message, address_of};

impl Agent {
    pub(super) async fn run(self) {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, from)) = self.inner.socket.recv_from(&mut buffer).await else {
                continue;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            let Some(message) = Message::parse(bytes) else { continue };
            // What cannot be sent now comes again, as UDP is repeated.
            match message.code() {
                Some(code) => self.answered(message, code).await.ok(),
                None => self.asked(message, from).await.ok(),
            };
        }
    }

    async fn asked(&self, request: Message, from: SocketAddr) -> Result<(), Error> {
        let id = request.header("Call-ID").to_owned();
        let is_known = self.of(&id, |_| ()).is_some();
        let ok = request.answer(200, "OK", &self.tag());
        match request.method().unwrap_or_default() {
            "INVITE" if is_known => self.invited_again(&id, request).await,
            "INVITE" => self.invited(&id, request, from).await,
            "ACK" => {
                let mut state = self.inner.state.lock();
                if let Some(call) = state.calls.iter_mut().find(|call| call.id == id) {
                    call.is_acknowledged = true;
                }
                Ok(())
            }
            "BYE" => {
                self.send(&ok, from).await?;
                self.give_up(&id, from).await?;
                self.note("BYE");
                Ok(())
            }
            "CANCEL" => {
                self.send(&ok, from).await?;
                if self.ringing(&id).is_some() {
                    self.give_up(&id, from).await?;
                }
                self.note("CANCEL");
                Ok(())
            }
            "INFO" => {
                let key = request.body().split("Signal=").nth(1).unwrap_or_default().trim_start();
                let key = key.chars().next().unwrap_or('?');
                self.note(format!("INFO {key}"));
                self.send(&ok, from).await
            }
            "NOTIFY" => self.notified(&id, &request, from).await,
            _ => self.send(&ok, from).await,
        }
    }

    /// The other side ends a call; one that rings is answered with 487 (section 15.1.2).
    async fn give_up(&self, id: &str, from: SocketAddr) -> Result<(), Error> {
        let gone =
            self.ringing(id).map(|invite| invite.answer(487, "Request Terminated", &self.tag()));
        self.forget(id);
        match gone {
            Some(gone) => self.send(&gone, from).await,
            None => Ok(()),
        }
    }

    /// The switch has the phone answer, as telephones know it that follow a switchboard: by an event `talk`
    /// in the call that rings.
    async fn notified(&self, id: &str, notify: &Message, from: SocketAddr) -> Result<(), Error> {
        let event = notify.header("Event");
        self.note(format!("NOTIFY {event}"));
        let number = self.of(id, |call| call.number.clone()).unwrap_or_default();
        if let Manner::Deaf(code) = self.inner.conduct.manner(&number) {
            return self.send(&notify.answer(code, "No", &self.tag()), from).await;
        }
        self.send(&notify.answer(200, "OK", &self.tag()), from).await?;
        match self.ringing(id) {
            Some(invite) if event == "talk" => self.accept(id, &invite).await,
            _ => Ok(()),
        }
    }

    /// The invitation of a call that rings here.
    fn ringing(&self, id: &str) -> Option<Message> {
        self.of(id, |call| call.invite.clone().filter(|_| !call.is_up)).flatten()
    }

    async fn invited(&self, id: &str, invite: Message, from: SocketAddr) -> Result<(), Error> {
        let asked = invite.addressee();
        let number = if asked.is_empty() { self.user() } else { asked }.to_owned();
        self.note(format!("INVITE {number}"));
        let is_full = self.inner.state.lock().calls.len() >= MOST_CALLS;
        let manner = if is_full { Manner::Refuse(486) } else { self.inner.conduct.manner(&number) };
        if let Manner::Refuse(code) = manner {
            return self.send(&invite.answer(code, "No", &self.tag()), from).await;
        }
        let ringing = invite.answer(180, "Ringing", &self.tag()).with("Contact", self.contact());
        let voice = self.voice_for(&number).await?;
        let call = Call::received(&invite, &number, ringing.header("To"), from, voice);
        self.inner.state.lock().calls.push(call);
        self.reply(id, &ringing).await?;
        self.changed();
        match manner {
            Manner::Answer => self.accept(id, &invite).await?,
            Manner::AnswerAfter(time) => {
                let (agent, id, stop) =
                    (self.clone(), id.to_owned(), self.inner.settings.stop.clone());
                self.inner.settings.tasks.spawn(async move {
                    let answering = async {
                        sleep(time).await;
                        // It may be over, or answered.
                        if agent.of(&id, |call| call.is_up) == Some(false) {
                            agent.accept(&id, &invite).await.ok();
                        }
                    };
                    stop.run_until_cancelled(answering).await;
                });
            }
            Manner::Ring | Manner::Deaf(_) | Manner::Refuse(_) => {}
        }
        Ok(())
    }

    /// An INVITE in a call: one that was sent again, or another in the same dialog.
    async fn invited_again(&self, id: &str, invite: Message) -> Result<(), Error> {
        let found = self.of(id, |call| {
            let first = call.invite.as_ref().map(|first| first.header("CSeq").to_owned());
            (first, call.is_up, call.answer.clone(), call.switch)
        });
        let Some((first, is_up, answer, switch)) = found else { return Ok(()) };
        if first.as_deref() == Some(invite.header("CSeq")) {
            return match answer {
                Some(answer) => self.send(&answer, switch).await,
                None => Ok(()),
            };
        }
        if is_up { self.accept(id, &invite).await } else { Ok(()) }
    }

    /// Accepts an invitation, or one more on the same call; repeats it until it is acknowledged.
    pub(super) async fn accept(&self, id: &str, invite: &Message) -> Result<(), Error> {
        let (answer, switch) = {
            let mut state = self.inner.state.lock();
            let call = state.calls.iter_mut().find(|call| call.id == id && !call.is_given_up);
            let call = call.ok_or(Error::NoCall)?;
            call.is_up = true;
            call.is_acknowledged = false;
            hear(call, invite.body());
            let body = call.voice.audio(call.events).describe("sendrecv");
            let answer = invite
                .answer(200, "OK", &self.tag())
                .with("Contact", self.contact())
                .with_body("application/sdp", body);
            (answer, call.switch)
        };
        self.reply(id, &answer).await?;
        self.changed();
        let (agent, id, stop) = (self.clone(), id.to_owned(), self.inner.settings.stop.clone());
        self.inner.settings.tasks.spawn(async move {
            let is_over = |state: &super::State| {
                let call = state.calls.iter().find(|call| call.id == id);
                call.is_none_or(|call| call.is_acknowledged)
            };
            stop.run_until_cancelled(agent.repeat(answer.to_bytes(), switch, is_over)).await;
        });
        Ok(())
    }

    /// Answers the invitation of a call.
    pub(super) async fn reply(&self, id: &str, answer: &Message) -> Result<(), Error> {
        let to = {
            let mut state = self.inner.state.lock();
            let call = state.calls.iter_mut().find(|call| call.id == id).ok_or(Error::NoCall)?;
            call.answer = Some(answer.clone());
            call.switch
        };
        self.send(answer, to).await
    }

    async fn answered(&self, answer: Message, code: u16) -> Result<(), Error> {
        let (number, method) = answer.sequence();
        let branch = answer.branch();
        let asked = {
            let mut state = self.inner.state.lock();
            let key = transaction(branch, method);
            if code < 200 {
                if let Some(asked) = state.asked.get_mut(&key) {
                    // Others are repeated until the final answer, but seldom enough as it is.
                    asked.is_heard = true;
                }
                None
            } else {
                state.asked.remove(&key)
            }
        };
        if method == "INVITE" {
            let ack = self.invite_answered(&answer, code, number, branch);
            if let Some((ack, to)) = ack {
                self.send(&ack, to).await?;
            }
            let id = answer.header("Call-ID");
            if self.of(id, |call| call.is_up && call.is_given_up) == Some(true) {
                // It was answered just then (section 15).
                self.hang_up(id).await?;
            }
        }
        let is_copy = asked.is_none() && code >= 200;
        if is_copy && !(method == "INVITE" && code < 300) {
            // Of an answer that was taken: no answer to what was asked since.
            return Ok(());
        }
        if let Some(asked) = asked
            && let Some((request, to)) = self.authorised(asked, &answer)
        {
            return self.ask(request, to).await;
        }
        match method {
            "INVITE" => {
                if code >= 300 {
                    let id = answer.header("Call-ID");
                    self.inner.state.lock().calls.retain(|call| call.id != id || call.is_up);
                }
                self.note(code.to_string());
            }
            "REGISTER" => {
                if code >= 200 {
                    self.inner.state.lock().registered = Some(code);
                }
                self.note(format!("{code} {method}"));
            }
            _ => self.note(format!("{code} {method}")),
        }
        Ok(())
    }

    /// Takes over what an answer to an INVITE says; gives the ACK, and where it goes.
    fn invite_answered(
        &self,
        answer: &Message,
        code: u16,
        number: u32,
        branch: &str,
    ) -> Option<(Message, SocketAddr)> {
        let mut state = self.inner.state.lock();
        let id = answer.header("Call-ID");
        let call = state.calls.iter_mut().find(|call| call.id == id)?;
        if code > 100 && code < 300 {
            // Early media, or the call's.
            hear(call, answer.body());
        }
        if code < 200 {
            return None;
        }
        if code < 300 {
            answer.header("To").clone_into(&mut call.remote);
            address_of(answer.header("Contact")).clone_into(&mut call.target);
            call.is_up = true;
            return Some((self.acknowledgement(call, code, number, branch), call.switch));
        }
        let ack = self.acknowledgement(call, code, number, branch);
        Some((ack.without("To").with("To", answer.header("To")), call.switch))
    }

    /// The request once more, with what the switch asks for; `None` when it asks for nothing, did not
    /// believe it, or the call was given up meanwhile (RFC 3261, section 22.2).
    fn authorised(&self, asked: Asked, answer: &Message) -> Option<(Message, SocketAddr)> {
        let (header, challenge) = Challenge::of(answer)?;
        let credentials = self.inner.settings.credentials.as_ref()?;
        let Asked { request, to, .. } = asked;
        if !request.header(header).is_empty() && !challenge.is_stale() {
            return None;
        }
        let method = request.method()?.to_owned();
        let mut state = self.inner.state.lock();
        state.count += 1;
        let branch = format!("z9hG4bK{}-{}-{}", self.user(), self.port(), state.count);
        let sequence = if method == "REGISTER" { state.count } else { request.sequence().0 + 1 };
        let id = request.header("Call-ID");
        if let Some(call) = state.calls.iter_mut().find(|call| call.id == id) {
            if call.is_given_up {
                return None;
            }
            call.sequence = call.sequence.max(sequence);
            call.branch.clone_from(&branch);
        }
        drop(state);
        let own = format!("{:016x}", fastrand::u64(..));
        let value = challenge.answer(credentials, &method, request.uri(), &own);
        let via = format!("SIP/2.0/UDP {};rport;branch={branch}", self.inner.address);
        let request = request
            .without(header)
            .without("Via")
            .without("CSeq")
            .with("Via", via)
            .with("CSeq", format!("{sequence} {method}"))
            .with(header, value);
        Some((request, to))
    }
}

/// Speaks to what the other side describes, and hears it.
fn hear(call: &mut Call, body: &str) {
    if let Some(audio) = Audio::parse(body) {
        call.events = audio.events;
        call.voice.connect(audio);
    }
}
