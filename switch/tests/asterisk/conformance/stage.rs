//! A node of the switch on either driver, and people at phones.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use mesh::net::Listener;
use mesh::testing::eventually;
use phones::Crowd;
use proto::call::v1::CallRef;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;
use serde_json::{Value, json};
use switch::driver::asterisk::{self, Url};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::harness::{Desk, Service, World};
use crate::fixture::Phones;
use crate::pbx::{MUSIC, Pbx, RINGBACK};
use crate::phone::{Manner, PATIENCE, Phone};

/// Accounts of one customer, by the ids of their phones.
pub(crate) const ALICE: &str = "101";
pub(crate) const BOB: &str = "102";
pub(crate) const DORA: &str = "104";
pub(crate) const EMIL: &str = "105";
/// She can have several calls at once, and nobody asks what she says and hears.
pub(crate) const FRIDA: &str = "106";

/// A prompt that the program brings along, and its pitch.
pub(crate) const PROMPT: &str = "visa/enter-number.au";
const PITCH: f64 = 440.0;

/// What a person hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    Silence,
    Ringback,
    Music,
    /// [`PROMPT`].
    Prompt,
    /// These people, and nobody else.
    Voices(&'static [&'static str]),
}

pub(crate) struct Stage {
    pub(crate) desk: Desk,
    people: People,
    config: switch::Config,
    /// Recordings, and what Asterisk plays.
    _folder: TempDir,
}

enum People {
    Sim { control: String, stop: CancellationToken },
    Sip(Box<Sip>),
}

struct Sip {
    phones: Phones,
    /// Dora's and Emil's.
    more: [Phone; 2],
    pbx: Pbx,
    _frida: Crowd,
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let People::Sim { stop, .. } = &self.people {
            stop.cancel();
        }
    }
}

fn config(folder: &TempDir, driver: switch::Driver) -> switch::Config {
    let mut config = switch::Config { node: "switch-1".to_owned(), driver, ..Default::default() };
    config.recordings.folder = Some(folder.path().join("recordings"));
    config
}

impl Stage {
    pub(crate) async fn sim() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let control = format!("http://{}/sim", listener.local_addr().unwrap());
        let world = World::on(&tasks, &stop);
        let config = config(&folder, switch::Driver::Sim);
        let service = Service::configured(&world, config.clone(), Some(listener)).await;
        let people = People::Sim { control, stop };
        Self { desk: Desk::new(world, service), people, config, _folder: folder }
    }

    pub(crate) async fn asterisk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let phones = Phones::start().await;
        let more = [phones.another(DORA, 1500.0).await, phones.another(EMIL, 1700.0).await];
        let [dora, emil] = &more;
        let all = [&phones.alice, &phones.bob, dora, emil, &phones.trunk];
        let frida = phones.crowd(FRIDA).await;
        let pbx = Pbx::start_beside(&all, &[frida.line()]).await;
        let world = World::new(&phones);
        let mut config = config(&folder, switch::Driver::Asterisk);
        config.asterisk = asterisk::Config {
            url: Url::new(pbx.url()),
            media_folder: Some(folder.path().join("media")),
            ..asterisk::Config::default()
        };
        let service = Service::configured(&world, config.clone(), None).await;
        let people = People::Sip(Box::new(Sip { phones, more, pbx, _frida: frida }));
        Self { desk: Desk::new(world, service), people, config, _folder: folder }
    }

    /// The process of the node dies, and starts again under the same name.
    pub(crate) async fn starts_anew(&mut self) {
        self.desk.service.crash().await;
        self.desk.service = Service::configured(&self.desk.world, self.config.clone(), None).await;
    }

    /// How many snoop channels Asterisk has.
    pub(crate) async fn snoops(&self) -> usize {
        let People::Sip(sip) = &self.people else { return 0 };
        sip.pbx.snoops().await
    }

    /// Waits until nothing is left on the switch itself.
    pub(crate) async fn until_empty(&self) {
        if let People::Sip(sip) = &self.people {
            sip.pbx.until_empty().await;
        }
    }

    // --- what is commanded

    /// An account's leg of a call.
    pub(crate) async fn leg(&self, call: &str, who: &str) -> CallRef {
        let tag = self.desk.tag(call, number_of(who)).await;
        CallRef { id: call.to_owned(), tag: Some(tag) }
    }

    /// Places a call and waits until both talk.
    pub(crate) async fn connect(&self, caller: &str, called: &str) -> String {
        let call = self.desk.originate(caller, called).await;
        let expected = ["trying", "ringing", "early", "connected"];
        self.desk.until(&call, number_of(caller), &expected).await;
        call
    }

    pub(crate) async fn terminate(&self, call: &str) {
        let whole = CallRef { id: call.to_owned(), tag: None };
        let terminate = pb::TerminateCall { call: Some(whole), reason_code: None };
        self.desk.command(Command::TerminateCall(terminate)).await;
    }

    /// Waits until the last that was told of somebody's leg is this.
    pub(crate) async fn until_last(&self, call: &str, who: &str, expected: &str) {
        self.desk.until_last(call, number_of(who), expected).await;
    }

    // --- what people do

    /// From now on the phone rings until it is answered.
    pub(crate) async fn lets_ring(&self, who: &str) {
        match self.phone(who) {
            Some(phone) => phone.set_manner(Manner::Ring),
            None => self.put(who, &json!({"behaviour": "manual"})).await,
        }
    }

    /// From now on the phone refuses, as busy or as one who does not want.
    pub(crate) async fn refuses(&self, who: &str, code: u16) {
        let behaviour = if code == 486 { "busy" } else { "decline" };
        match self.phone(who) {
            Some(phone) => phone.set_manner(Manner::Refuse(code)),
            None => self.put(who, &json!({"behaviour": behaviour})).await,
        }
    }

    pub(crate) async fn answers(&self, who: &str) {
        match self.phone(who) {
            Some(phone) => phone.answer().await,
            None => self.hand(who, "answer", &json!({})).await,
        }
    }

    pub(crate) async fn hangs_up(&self, who: &str) {
        match self.phone(who) {
            Some(phone) => phone.hang_up().await,
            None => self.hand(who, "hangup", &json!({})).await,
        }
    }

    pub(crate) async fn holds(&self, who: &str) {
        match self.phone(who) {
            Some(phone) => phone.hold().await,
            None => self.hand(who, "hold", &json!({})).await,
        }
    }

    pub(crate) async fn resumes(&self, who: &str) {
        match self.phone(who) {
            Some(phone) => phone.resume().await,
            None => self.hand(who, "resume", &json!({})).await,
        }
    }

    pub(crate) async fn dials(&self, who: &str, number: &str) -> String {
        match self.phone(who) {
            Some(phone) => phone.call(number).await,
            None => self.hand(who, "dial", &json!({"destination": number})).await,
        }
        self.desk.new_call().await
    }

    pub(crate) async fn presses(&self, who: &str, keys: &str) {
        match self.phone(who) {
            Some(phone) => {
                for (index, key) in keys.chars().enumerate() {
                    phone.press(key).await;
                    // A phone waits for the answer before it sends the next.
                    phone.sees("200 INFO", index + 1).await;
                }
            }
            None => self.hand(who, "dtmf", &json!({"digits": keys, "gap_ms": 50})).await,
        }
    }

    /// Waits until somebody hears this.
    pub(crate) async fn hears(&self, who: &str, what: Hears) {
        let People::Sip(_) = &self.people else {
            let expected = match what {
                Hears::Silence => json!("silence"),
                Hears::Ringback => json!("ringback"),
                Hears::Music => json!("music"),
                Hears::Prompt => json!(format!("prompt:{PROMPT}")),
                Hears::Voices(people) => json!(people),
            };
            return eventually(PATIENCE, &format!("{who} hears {what:?}"), || async {
                let phone = self.control("GET", who, &Value::Null).await;
                if phone["hears"] == expected { Ok(()) } else { Err(phone.to_string()) }
            })
            .await;
        };
        let is_heard =
            |other: &str| matches!(what, Hears::Voices(people) if people.contains(&other));
        let others = [ALICE, BOB, DORA, EMIL].into_iter().filter(|other| *other != who);
        let voices = others.filter_map(|other| Some((self.phone(other)?.tone, is_heard(other))));
        let mut tones: Vec<_> = voices.collect();
        tones.extend([
            (MUSIC, what == Hears::Music),
            (RINGBACK, what == Hears::Ringback),
            (PITCH, what == Hears::Prompt),
        ]);
        if let Some(phone) = self.phone(who) {
            phone.until_heard(&tones).await;
        }
    }

    fn phone(&self, who: &str) -> Option<&Phone> {
        let People::Sip(sip) = &self.people else { return None };
        [&sip.phones.alice, &sip.phones.bob]
            .into_iter()
            .chain(&sip.more)
            .find(|phone| phone.user == who)
    }

    async fn put(&self, who: &str, behaviour: &Value) {
        self.control("PUT", who, behaviour).await;
    }

    async fn hand(&self, who: &str, action: &str, body: &Value) {
        self.control("POST", &format!("{who}/{action}"), body).await;
    }

    async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let People::Sim { control, .. } = &self.people else { panic!("a real phone") };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{control}/phones/{path}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = self.desk.send(request).await;
        let status = answer.status();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{method} {path}: {status} {text:?}");
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// The account's number in the directory.
pub(crate) fn number_of(who: &str) -> i64 {
    who.parse::<i64>().unwrap() - 100
}
