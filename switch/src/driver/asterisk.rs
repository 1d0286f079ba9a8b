//! A real switch: Asterisk 18 or newer, over its REST interface (ARI).
//!
//! - `ari` sends requests, `socket` listens to events and comes back when the connection
//!   breaks, `message` is what Asterisk says.
//! - `lines` is the book of channels: every event comes once, whatever Asterisk repeats or
//!   the connection loses. `resync` compares it with Asterisk after a break.
//! - `events` turns Asterisk's words into [`Event`]s, `cause` its hang-up
//!   causes into SIP codes.
//! - `handover` hands calls over to the Asterisk of another node.
//! - `phones` knows which phones are registered.
//! - `dial` makes channels; `plan` says who has to be where to hear whom, `media` brings them
//!   there, and `ears` whisper to a party what nobody else may hear.
//! - `playing` plays what is in the `spool`; `recording` records. Both and the ears use `snoop`
//!   channels.
//! - `manager` makes a phone answer, which the REST interface cannot.

mod ari;
mod cause;
mod config;
mod dial;
mod ears;
mod events;
mod handover;
mod lines;
mod manager;
mod media;
mod message;
mod names;
mod phones;
mod plan;
mod playing;
mod recording;
mod resync;
mod snoop;
mod socket;
mod spool;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use mesh::health::Component;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{
    Channel, ChannelId, Driver, DriverError, Event, Label, MixId, Op, Origin, Reason, RecordingId,
    Signal, Source,
};

pub use config::{Config, Url};

use ari::{AriError, Client, Path};
use lines::{Debris, Line, Lines, Stage};
use manager::Manager;
use recording::Recorder;
use spool::Spool;

/// Channel variable with the application's name and the channel's [`Label`]; for people who look
/// at the switch, and to know one's own channels again.
const LABEL: &str = "CORDBOARD_LABEL";

/// What the driver needs from around it.
#[derive(Debug)]
pub struct Deps {
    /// Where events go. When the engine does not keep up, the event socket is read no further.
    pub signals: mpsc::Sender<Signal>,
    /// Told whether Asterisk is there.
    pub health: Component,
    /// Runs the event socket and the connections.
    pub tasks: TaskTracker,
    /// Ends those.
    pub stop: CancellationToken,
}

/// One Asterisk.
#[derive(Debug)]
pub struct Asterisk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// For tasks that go on beside an operation.
    own: Weak<Self>,
    ari: Client,
    app: String,
    trunk: String,
    join_context: String,
    handover_context: String,
    music_class: String,
    /// None when no phone is to be made to answer.
    manager: Option<Manager>,
    /// None when nothing can be played.
    spool: Option<Spool>,
    book: Mutex<Lines>,
    recorders: Mutex<HashMap<RecordingId, Recorder>>,
    entries: snoop::Entries,
    /// Endpoints that have been told to be unreachable.
    unregistered: Mutex<BTreeSet<String>>,
    /// Woken when a claim on channels is let go.
    unclaimed: Notify,
    /// True while events come.
    connected: watch::Sender<bool>,
    signals: mpsc::Sender<Signal>,
    tasks: TaskTracker,
    /// Told when there may be bridges left behind.
    untidy: Notify,
}

impl Asterisk {
    /// Connects in the background, and again whenever the connection breaks. Needs a runtime.
    ///
    /// # Errors
    /// When the configuration cannot work, with a sentence that names the key.
    pub fn new(config: &Config, deps: Deps) -> Result<Self, String> {
        config.validate()?;
        let access = config.access()?;
        let manager = config.manager()?.map(Manager::new);
        let spool = config.media_folder.as_deref().map(|folder| Spool::open(folder, &config.app));
        let spool = spool.transpose().map_err(|error| format!("media_folder: {error}"))?;
        let Deps { signals, health, tasks, stop } = deps;
        let ari = Client::new(&access, config.request_timeout, tasks.clone(), stop.clone())?;
        let inner = Arc::new_cyclic(|own| Inner {
            own: Weak::clone(own),
            ari,
            app: config.app.clone(),
            trunk: config.trunk.clone(),
            join_context: config.join_context.clone(),
            handover_context: config.handover_context.clone(),
            music_class: config.music_class.clone(),
            manager,
            spool,
            book: Mutex::default(),
            recorders: Mutex::default(),
            entries: snoop::Entries::default(),
            unregistered: Mutex::default(),
            unclaimed: Notify::new(),
            connected: watch::Sender::new(false),
            signals,
            tasks: tasks.clone(),
            untidy: Notify::new(),
        });
        tasks.spawn(socket::listen(Arc::clone(&inner), health, stop.clone()));
        let tidy = Arc::clone(&inner);
        tasks.spawn(async move { stop.run_until_cancelled(tidy.keep_tidy()).await });
        Ok(Self { inner })
    }

    /// True while events come from Asterisk; for those who wait for it.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.inner.connected.subscribe()
    }
}

#[async_trait]
impl Driver for Asterisk {
    async fn run(&self, op: Op) -> Result<(), DriverError> {
        let inner = &self.inner;
        match op {
            Op::Dial { channel, endpoint, shown, label } => {
                inner.dial(channel, endpoint, &shown, label).await
            }
            Op::Ring { channel } => Ok(inner.command(&channel, "ring").await?),
            Op::Answer { channel } => inner.answer(&channel).await,
            Op::PickUp { channel } => inner.pick_up(&channel).await,
            Op::Hangup { channel, reason } => inner.hang_up(&channel, &reason).await,
            Op::Hear { channel, source } => inner.hear(&channel, source).await,
            Op::Speak { channel, mix } => inner.speak(&channel, mix).await,
            Op::SendDigits { channel, digits } => inner.send_digits(&channel, &digits).await,
            Op::Play { channel, playback, clips, repeat } => {
                inner.play(&channel, playback, &clips, repeat).await
            }
            Op::StopPlay { channel, playback } => inner.stop_play(&channel, &playback).await,
            Op::Record { channel, recording } => inner.record(&channel, &recording).await,
            Op::StopRecord { recording, .. } => inner.stop_record(&recording).await,
            Op::Label { channel, label } => inner.label(&channel, label).await,
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>, DriverError> {
        self.inner.channels().await
    }

    async fn hand_over(
        &self,
        channel: &ChannelId,
        node: &str,
        origin: &Origin,
        dialled: &str,
    ) -> Result<(), DriverError> {
        self.inner.hand_over(channel, node, origin, dialled).await
    }

    fn keeps_channels(&self) -> bool {
        true
    }

    async fn heard(&self) {
        // The sender lives as long as the driver.
        drop(self.connected().wait_for(|is_connected| *is_connected).await);
    }

    async fn unregistered(&self) -> Result<Vec<String>, DriverError> {
        Ok(self.inner.unreachable().await?.into_iter().collect())
    }

    async fn collect(
        &self,
        recording: &RecordingId,
        file: &std::path::Path,
    ) -> Result<(), DriverError> {
        self.inner.collect(recording, file).await
    }

    async fn left_recordings(&self) -> Result<Vec<RecordingId>, DriverError> {
        self.inner.left_recordings().await
    }

    async fn discard(&self, recording: &RecordingId) -> Result<(), DriverError> {
        self.inner.discard(recording).await
    }
}

impl Inner {
    fn knows(&self, channel: &ChannelId) -> bool {
        self.book.lock().lines.contains_key(channel)
    }

    /// Waits while the engine does not keep up.
    async fn tell(&self, event: Event) {
        // The engine may have stopped.
        drop(self.signals.send(event.into()).await);
    }

    /// Tells what was missed when it happened.
    async fn correct(&self, event: Event) {
        let correction = Signal { is_corrective: true, ..event.into() };
        drop(self.signals.send(correction).await);
    }

    /// Does something with a channel, unless it is gone.
    async fn command(&self, channel: &ChannelId, what: &str) -> Result<(), AriError> {
        if !self.knows(channel) {
            return Ok(());
        }
        let done = self.ari.post(&Path::new(&["channels", &channel.0, what])).await;
        self.unless_gone(channel, done).await
    }

    async fn answer(&self, channel: &ChannelId) -> Result<(), DriverError> {
        self.command(channel, "answer").await?;
        self.book.lock().advance(channel, Stage::Answered);
        // It may have been said before what it is to hear from now on.
        let is_wanted = |line: &Line| line.wanted != Source::default();
        if self.book.lock().lines.get(channel).is_some_and(is_wanted) {
            self.arrange(channel).await?;
        }
        Ok(())
    }

    async fn hang_up(&self, channel: &ChannelId, reason: &Reason) -> Result<(), DriverError> {
        // First, so that the end is no event.
        let struck = {
            let mut book = self.book.lock();
            book.refuse_pair(channel, reason.code);
            book.strike(channel)
        };
        if let Some((line, debris)) = struck {
            self.gone(&line, debris);
        }
        let cause = cause::of_sip(reason.code).to_string();
        let path = Path::new(&["channels", &channel.0]).with("reason_code", &cause);
        match self.ari.delete(&path).await {
            Err(error) if error.status() == Some(404) => Ok(()),
            ended => Ok(ended?),
        }
    }

    /// A channel is gone: strikes it out of the book, and looks after what it leaves behind.
    fn struck(&self, channel: &ChannelId) -> Option<Line> {
        let (line, debris) = self.book.lock().strike(channel)?;
        self.gone(&line, debris);
        Some(line)
    }

    fn gone(&self, line: &Line, debris: Debris) {
        self.take_down(debris);
        let left = self.book.lock().left_with(line);
        if let (Some(left), Some(switch)) = (left, self.own.upgrade()) {
            switch.arrange_apart(left);
        }
    }

    async fn hear(&self, channel: &ChannelId, source: Source) -> Result<(), DriverError> {
        match self.book.lock().lines.get_mut(channel) {
            Some(line) => line.wanted = source,
            None => return Ok(()),
        }
        Ok(self.arrange(channel).await?)
    }

    async fn speak(&self, channel: &ChannelId, mix: Option<MixId>) -> Result<(), DriverError> {
        match self.book.lock().lines.get_mut(channel) {
            Some(line) => line.speaks_in = mix,
            None => return Ok(()),
        }
        Ok(self.arrange(channel).await?)
    }

    async fn send_digits(&self, channel: &ChannelId, digits: &str) -> Result<(), DriverError> {
        if !self.knows(channel) || digits.is_empty() {
            return Ok(());
        }
        let path = Path::new(&["channels", &channel.0, "dtmf"]).with("dtmf", digits);
        let sent = self.ari.post(&path).await;
        Ok(self.unless_gone(channel, sent).await?)
    }

    async fn label(&self, channel: &ChannelId, label: Label) -> Result<(), DriverError> {
        let (value, stage) = match self.book.lock().lines.get_mut(channel) {
            Some(line) => {
                line.label = label;
                (label_text(&self.app, &line.label), line.stage)
            }
            None => return Ok(()),
        };
        let path = Path::new(&["channels", &channel.0, "variable"])
            .with("variable", LABEL)
            .with("value", &value);
        match self.ari.post(&path).await {
            // A dialled channel takes variables only when it has answered: the next label is in
            // time, and the first was given when it was dialled.
            Err(error) if error.status() == Some(409) && stage < Stage::Answered => Ok(()),
            outcome => Ok(self.unless_gone(channel, outcome).await?),
        }
    }

    /// Makes a refusal a success when the channel is no longer there, or about to go.
    async fn unless_gone(
        &self,
        channel: &ChannelId,
        outcome: Result<(), AriError>,
    ) -> Result<(), AriError> {
        let Err(error) = outcome else { return Ok(()) };
        match error.status() {
            Some(404) => return Ok(()),
            Some(400 | 409 | 412 | 422) => {}
            _ => return Err(error),
        }
        if !self.knows(channel) {
            return Ok(());
        }
        match self.ari.get::<message::Channel>(&Path::new(&["channels", &channel.0])).await {
            Ok(there) if there.is_in(&self.app) => Err(error),
            // Hung up, on its way out of the application.
            Ok(there) if there.is_up() => Ok(()),
            Ok(_) => Err(error),
            Err(gone) if gone.status() == Some(404) => Ok(()),
            Err(failed) => Err(failed),
        }
    }
}

/// A label as a channel variable has it.
fn label_text(app: &str, label: &Label) -> String {
    let part = |text: &str| if text.is_empty() { "-".to_owned() } else { text.replace(' ', "_") };
    format!("{app} {} {} {}", part(&label.call_id), part(&label.tag), part(&label.state))
}

/// A label of this application, from the channel variable.
fn read_label(app: &str, text: &str) -> Option<Label> {
    let mut parts = text.split(' ');
    if parts.next() != Some(app) {
        return None;
    }
    let mut part = || parts.next().filter(|part| *part != "-").unwrap_or_default().to_owned();
    Some(Label { call_id: part(), tag: part(), state: part() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_back_by_its_own_application_alone() {
        let label =
            Label { call_id: "switch-1.0a".to_owned(), tag: "t".to_owned(), state: String::new() };

        let text = label_text("cordboard", &label);

        assert_eq!(text, "cordboard switch-1.0a t -");
        assert_eq!(read_label("cordboard", &text), Some(label));
        assert_eq!(read_label("other", &text), None);
    }
}
