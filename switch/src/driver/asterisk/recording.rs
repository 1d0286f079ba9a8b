//! Records what a party says and hears: a snoop channel hears both, and is recorded.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::ari::{AriError, Path};
use super::lines::Debris;
use super::media::over;
use super::playing::HANG_UP;
use super::snoop::{SnoopId, Use};
use super::{Inner, message};
use crate::driver::{ChannelId, DriverError, Event, RecordingId};

/// Between two looks at a recording of an earlier process.
const FINISH_PAUSE: Duration = Duration::from_millis(20);

/// A recording that has not been collected.
#[derive(Debug)]
pub(super) struct Recorder {
    channel: ChannelId,
    pub(super) snoop: SnoopId,
    /// Asterisk has said that it records.
    is_confirmed: bool,
    /// It is to end, or its end has been told.
    is_over: bool,
    /// True when Asterisk has all of it.
    is_whole: watch::Sender<bool>,
}

/// Takes a recording back that has not begun, also when the operation is abandoned half way.
struct Begun<'a> {
    switch: &'a Inner,
    recording: &'a RecordingId,
    is_so: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_so {
            self.switch.forget_recording(self.recording);
        }
    }
}

/// A recording or a channel as Asterisk describes it; that it does is all.
#[derive(serde::Deserialize)]
struct Live {}

impl Inner {
    pub(super) async fn record(
        &self,
        channel: &ChannelId,
        recording: &RecordingId,
    ) -> Result<(), DriverError> {
        if !self.knows(channel) {
            return Ok(());
        }
        let snoop = self.fresh_snoop();
        let recorder = Recorder {
            channel: channel.clone(),
            snoop: snoop.clone(),
            is_confirmed: false,
            is_over: false,
            is_whole: watch::Sender::new(false),
        };
        self.recorders.lock().insert(recording.clone(), recorder);
        let mut begun = Begun { switch: self, recording, is_so: false };
        if !self.snoop(channel, &snoop, Use::Both).await? {
            return Ok(());
        }
        let path = Path::new(&["channels", &snoop.0, "record"])
            .with("name", &self.stored_name(recording))
            .with("format", "wav")
            .with("ifExists", "overwrite");
        self.ari.post(&path).await?;
        begun.is_so = true;
        if let Some(recorder) = self.recorders.lock().get_mut(recording) {
            recorder.is_confirmed = true;
        }
        Ok(())
    }

    pub(super) async fn stop_record(&self, recording: &RecordingId) -> Result<(), DriverError> {
        let snoop = match self.recorders.lock().get_mut(recording) {
            Some(recorder) => {
                recorder.is_over = true;
                recorder.snoop.clone()
            }
            None => return Ok(()),
        };
        over(self.ari.post(&self.live(recording, &["stop"])).await)?;
        Ok(over(self.ari.delete(&Path::new(&["channels", &snoop.0])).await)?)
    }

    pub(super) async fn collect(
        &self,
        recording: &RecordingId,
        file: &FilePath,
    ) -> Result<(), DriverError> {
        let whole = self.recorders.lock().get(recording).map(|it| it.is_whole.subscribe());
        if let Some(mut whole) = whole {
            // It comes when the channel has gone; should it not be told, it is looked for anyway.
            drop(timeout(self.ari.timeout(), whole.wait_for(|is_whole| *is_whole)).await);
        } else {
            self.finish(recording).await?;
        }
        let downloaded = self.ari.download(&self.stored(recording, &["file"]), file).await;
        if !matches!(downloaded, Err(DriverError::Unreachable)) {
            self.forget_recording(recording);
        }
        downloaded?;
        if let Err(error) = over(self.ari.delete(&self.stored(recording, &[])).await) {
            warn!(%error, "a recording was left with Asterisk");
        }
        Ok(())
    }

    /// The name of a recording with Asterisk, which may have those of others: `~` is in no name of an
    /// application.
    fn stored_name(&self, recording: &RecordingId) -> String {
        format!("{}~{}", self.app, recording.0)
    }

    /// The recording of this application that has a name.
    fn recording_of(&self, name: &str) -> Option<RecordingId> {
        let (app, id) = name.split_once('~')?;
        (app == self.app).then(|| RecordingId(id.to_owned()))
    }

    fn live(&self, recording: &RecordingId, more: &[&str]) -> Path {
        let name = self.stored_name(recording);
        Path::new(&[&["recordings", "live", &name], more].concat())
    }

    fn stored(&self, recording: &RecordingId, more: &[&str]) -> Path {
        let name = self.stored_name(recording);
        Path::new(&[&["recordings", "stored", &name], more].concat())
    }

    /// What Asterisk has stored of this application, but what this process has recorded.
    pub(super) async fn left_recordings(&self) -> Result<Vec<RecordingId>, DriverError> {
        let path = Path::new(&["recordings", "stored"]);
        let stored: Vec<message::Recording> = self.ari.get(&path).await?;
        let stored = stored.iter().filter_map(|recording| self.recording_of(&recording.name));
        // After the list, so that none is taken for a stranger that has just begun.
        let recorders = self.recorders.lock();
        Ok(stored.filter(|recording| !recorders.contains_key(recording)).collect())
    }

    /// Ends a recording of an earlier process, and waits until Asterisk has all of it.
    async fn finish(&self, recording: &RecordingId) -> Result<(), AriError> {
        let live = self.live(recording, &[]);
        over(self.ari.post(&self.live(recording, &["stop"])).await)?;
        let deadline = Instant::now() + self.ari.timeout();
        loop {
            match self.ari.get::<Live>(&live).await {
                Err(error) if error.status() == Some(404) => return Ok(()),
                there => {
                    there?;
                }
            }
            if Instant::now() > deadline {
                return Err(AriError::Timeout);
            }
            tokio::time::sleep(FINISH_PAUSE).await;
        }
    }

    pub(super) async fn discard(&self, recording: &RecordingId) -> Result<(), DriverError> {
        self.forget_recording(recording);
        over(self.ari.post(&self.live(recording, &["stop"])).await)?;
        Ok(over(self.ari.delete(&self.stored(recording, &[])).await)?)
    }

    /// A recording is whole. If that was nobody's wish, its party has gone, which will be told in a
    /// moment; or else somebody at the console has ended it.
    pub(super) fn recorded(self: &Arc<Self>, name: &str) {
        let Some(recording) = self.recording_of(name) else { return };
        let is_wished = match self.recorders.lock().get(&recording) {
            Some(recorder) => {
                recorder.is_whole.send_replace(true);
                recorder.is_over
            }
            None => return,
        };
        if !is_wished {
            let switch = Arc::clone(self);
            self.tasks.spawn(async move {
                tokio::time::sleep(HANG_UP).await;
                if switch.has_party(&recording).await
                    && let Some(event) = switch.ended_by_itself(recording)
                {
                    switch.tell(event).await;
                }
            });
        }
    }

    /// Whether Asterisk still has the party of a recording: its end may be told late.
    async fn has_party(&self, recording: &RecordingId) -> bool {
        let party = self.recorders.lock().get(recording).map(|it| it.channel.0.clone());
        let Some(party) = party else { return false };
        let there = self.ari.get::<Live>(&Path::new(&["channels", &party])).await;
        !there.is_err_and(|error| error.status() == Some(404))
    }

    /// The end of a recording that nobody wished, unless its party has gone; once.
    fn ended_by_itself(&self, recording: RecordingId) -> Option<Event> {
        let mut recorders = self.recorders.lock();
        let recorder = recorders.get_mut(&recording).filter(|recorder| !recorder.is_over)?;
        let channel = recorder.channel.clone();
        if !self.knows(&channel) {
            return None;
        }
        recorder.is_over = true;
        Some(Event::RecordingEnded { channel, recording })
    }

    /// Nothing is recorded, or nothing more, under a name.
    pub(super) fn not_recorded(&self, name: &str) -> Option<Event> {
        self.failed(self.recording_of(name)?)
    }

    fn failed(&self, recording: RecordingId) -> Option<Event> {
        let channel = self.forget_recording(&recording)?;
        Some(Event::RecordingFailed { channel, recording })
    }

    /// A recording is no longer of interest. Gives whose it was.
    fn forget_recording(&self, recording: &RecordingId) -> Option<ChannelId> {
        let recorder = self.recorders.lock().remove(recording)?;
        self.take_down(Debris { snoops: vec![recorder.snoop], ..Debris::default() });
        Some(recorder.channel)
    }

    /// Tells which recordings have failed while nothing was heard.
    pub(super) async fn compare_recordings(self: &Arc<Self>) -> Result<(), AriError> {
        let under_way: Vec<_> = {
            let recorders = self.recorders.lock();
            let confirmed = recorders.iter().filter(|(_, recorder)| recorder.is_confirmed);
            confirmed.map(|(recording, _)| recording.clone()).collect()
        };
        for recording in under_way {
            match self.ari.get::<Live>(&self.live(&recording, &[])).await {
                Err(error) if error.status() == Some(404) => {}
                there => {
                    there?;
                    continue;
                }
            }
            match self.ari.get::<Live>(&self.stored(&recording, &[])).await {
                Err(error) if error.status() == Some(404) => {
                    if let Some(event) = self.failed(recording) {
                        self.correct(event).await;
                    }
                }
                there => {
                    there?;
                    if let Some(recorder) = self.recorders.lock().get(&recording) {
                        recorder.is_whole.send_replace(true);
                    }
                    if let Some(event) = self.ended_by_itself(recording) {
                        self.correct(event).await;
                    }
                }
            }
        }
        Ok(())
    }
}
