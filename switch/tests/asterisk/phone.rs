//! A SIP phone that does what a test says, with one call at a time: the newest.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;

use mesh::testing::eventually;
use phones::agent::Settings;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use phones::Manner;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A phone. Its user part is an account's id.
#[derive(Clone)]
pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) tone: f64,
    line: phones::Phone,
}

/// Of a user agent on this machine.
pub(crate) fn settings(user: &str, tasks: &TaskTracker, stop: &CancellationToken) -> Settings {
    Settings {
        user: user.to_owned(),
        credentials: None,
        address: IpAddr::from(Ipv4Addr::LOCALHOST),
        tasks: tasks.clone(),
        stop: stop.clone(),
    }
}

impl Deref for Phone {
    type Target = phones::Phone;

    fn deref(&self) -> &phones::Phone {
        &self.line
    }
}

impl Phone {
    pub(crate) async fn start(
        user: &str,
        tone: f64,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let line = phones::Phone::start(settings(user, tasks, stop), tone).await.unwrap();
        Self { user: user.to_owned(), tone, line }
    }

    pub(crate) fn set_server(&self, port: u16) {
        self.line.set_switch(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }

    // --- what its user does

    /// Dials.
    pub(crate) async fn call(&self, number: &str) {
        self.call_as(number, "", &self.user).await;
    }

    /// Dials under a name and number of one's choice.
    pub(crate) async fn call_as(&self, number: &str, name: &str, from: &str) {
        self.line.dial(number, name, from).await.unwrap();
    }

    /// Tells Asterisk where it can be reached, or with `false` that it cannot any more.
    pub(crate) async fn register(&self, is_registered: bool) {
        self.line.ask_to_register(is_registered).await.unwrap();
    }

    /// Answers the call that rings.
    pub(crate) async fn answer(&self) {
        self.line.answer(&self.newest()).await.unwrap();
    }

    /// Hangs up, or gives up a call that nobody has answered.
    pub(crate) async fn hang_up(&self) {
        self.line.hang_up(&self.newest()).await.unwrap();
    }

    /// Presses hold.
    pub(crate) async fn hold(&self) {
        self.line.hold(&self.newest(), true).await.unwrap();
    }

    /// Takes the call back.
    pub(crate) async fn resume(&self) {
        self.line.hold(&self.newest(), false).await.unwrap();
    }

    /// Presses a key.
    pub(crate) async fn press(&self, key: char) {
        self.line.press(&self.newest(), key).await.unwrap();
    }

    /// Puts the receiver down on a line that is dead.
    pub(crate) fn forget(&self) {
        self.line.forget(&self.newest());
    }

    fn newest(&self) -> String {
        self.line.newest().expect("a call")
    }

    // --- what can be seen and heard

    /// Waits until a line has come in `count` times.
    pub(crate) async fn sees(&self, line: &str, count: usize) {
        if let Err(error) = self.line.sees(line, count, PATIENCE).await {
            panic!("{error}");
        }
    }

    /// Name and number that the call shows.
    pub(crate) fn shown(&self) -> (String, String) {
        self.line.shown(&self.newest()).expect("somebody calls")
    }

    /// Waits until a tone is heard among what comes from now on.
    pub(crate) async fn hears(&self, tone: f64) {
        self.until_heard(&[(tone, true)]).await;
    }

    /// Waits until each of the tones is heard, or not, at one time.
    pub(crate) async fn until_heard(&self, tones: &[(f64, bool)]) {
        let now = Instant::now();
        let what = format!("phone {} has a call", self.user);
        let voice = eventually(PATIENCE, &what, || async {
            let call = self.line.newest().ok_or("none")?;
            self.line.voice(&call).ok_or_else(|| "it is over".to_owned())
        })
        .await;
        if let Err(error) = voice.until_heard(now, tones, 1, PATIENCE).await {
            panic!("phone {} hears {tones:?}: {error}", self.user);
        }
    }
}
