//! Snoop channels: what is said on a channel, taken off it or whispered into it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;

use super::ari::{AriError, Path};
use super::lines::Debris;
use super::media::over;
use super::message::Channel;
use super::plan::RoomId;
use super::{Inner, names};
use crate::driver::ChannelId;

/// Given to the application with a snoop channel.
pub(super) const SNOOP: &str = "snoop";

/// Pauses before something is taken down again.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// Name of a snoop channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SnoopId(pub(super) String);

impl fmt::Display for SnoopId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a snoop channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To hear what the party says.
    Mouth,
    /// To whisper to the party.
    Ear,
    /// To hear what the party says and hears.
    Both,
}

/// Those who wait until a snoop channel is under control.
pub(super) type Entries = Mutex<HashMap<SnoopId, oneshot::Sender<()>>>;

/// Takes a wait back.
struct Waiting<'a>(&'a Entries, &'a SnoopId);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().remove(self.1);
    }
}

impl Inner {
    /// A name for a bridge.
    pub(super) fn fresh_room(&self) -> RoomId {
        RoomId(names::fresh(&self.room_prefix()))
    }

    /// True for the name of a bridge that this driver, or an earlier process, has made.
    pub(super) fn is_own_room(&self, name: &str) -> bool {
        names::is_fresh(name, &self.room_prefix())
    }

    /// A name for a snoop channel.
    pub(super) fn fresh_snoop(&self) -> SnoopId {
        SnoopId(names::fresh(&self.snoop_prefix()))
    }

    fn room_prefix(&self) -> String {
        format!("{}-", self.app)
    }

    fn snoop_prefix(&self) -> String {
        format!("{}-{SNOOP}-", self.app)
    }

    /// True for a snoop channel that this driver, or an earlier process, has made.
    pub(super) fn is_own_snoop(&self, channel: &Channel) -> bool {
        channel.is_snoop() && names::is_fresh(&channel.id, &self.snoop_prefix())
    }

    /// A snoop channel has come under control.
    pub(super) fn snoop_entered(&self, channel: &Channel) {
        let waiter = self.entries.lock().remove(&SnoopId(channel.id.clone()));
        // Who waited may have given up.
        let _ = waiter.map(|waiter| waiter.send(()));
    }

    /// Makes a snoop channel and waits until it is under control; false when the channel that it is
    /// to snoop on is gone.
    pub(super) async fn snoop(
        &self,
        on: &ChannelId,
        snoop: &SnoopId,
        what: Use,
    ) -> Result<bool, AriError> {
        let (spy, whisper) = match what {
            Use::Mouth => ("in", "none"),
            Use::Ear => ("none", "out"),
            Use::Both => ("both", "none"),
        };
        let path = Path::new(&["channels", &on.0, "snoop", &snoop.0])
            .with("app", &self.app)
            .with("appArgs", SNOOP)
            .with("spy", spy)
            .with("whisper", whisper);
        let (sender, entered) = oneshot::channel();
        self.entries.lock().insert(snoop.clone(), sender);
        let _waiting = Waiting(&self.entries, snoop);
        match self.ari.post(&path).await {
            Err(error) if error.status() == Some(404) => return Ok(false),
            made => made?,
        }
        let is_entered =
            timeout(self.ari.timeout(), entered).await.is_ok_and(|entered| entered.is_ok());
        if is_entered { Ok(true) } else { Err(AriError::Timeout) }
    }

    /// Makes a mixing bridge.
    pub(super) async fn make_room(&self, room: &RoomId) -> Result<(), AriError> {
        let path = Path::new(&["bridges"])
            .with("type", "mixing,dtmf_events")
            .with("bridgeId", &room.0)
            .with("name", &room.0);
        let made = self.ari.post(&path).await;
        if made.is_err() {
            // It may have been made all the same.
            self.tidy_later();
        }
        made
    }

    /// Takes down what nobody is in or heard by any more, and waits for it. It goes on when nobody
    /// waits any longer.
    pub(super) async fn remove(&self, debris: Debris) -> Result<(), AriError> {
        match self.removing(debris) {
            // A task that is gone has been stopped with everything else.
            Some(removing) => removing.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }

    /// The same, and nobody waits.
    pub(super) fn take_down(&self, debris: Debris) {
        drop(self.removing(debris));
    }

    /// Ends something through which somebody is heard: a refusal that passes is not waited out by
    /// those who hear too much. No answer in time leaves no time for another try.
    async fn delete_patiently(&self, path: &Path) -> Result<(), AriError> {
        for pause in RETRY_PAUSES {
            match self.ari.delete(path).await {
                Err(error) if error.is_passing() => tokio::time::sleep(pause).await,
                done => return done,
            }
        }
        self.ari.delete(path).await
    }

    fn removing(&self, debris: Debris) -> Option<JoinHandle<Result<(), AriError>>> {
        let switch = self.own.upgrade().filter(|_| !debris.is_empty())?;
        Some(self.tasks.spawn(async move {
            let snoops = debris.snoops.iter().map(|snoop| Path::new(&["channels", &snoop.0]));
            let rooms = debris.rooms.iter().map(|room| Path::new(&["bridges", &room.0]));
            let mut outcome = Ok(());
            for path in snoops.chain(rooms) {
                if let Err(error) = over(switch.delete_patiently(&path).await) {
                    debug!(%error, "something was not taken down");
                    switch.tidy_later();
                    outcome = Err(error);
                }
            }
            outcome
        }))
    }
}
