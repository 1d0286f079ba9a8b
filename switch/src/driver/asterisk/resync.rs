//! Compares the book with Asterisk, since events are lost while the socket is not connected.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt as _;
use serde::Deserialize;
use tracing::{info, warn};

use super::ari::{AriError, Path};
use super::lines::{Debris, Stage, Way};
use super::media::over;
use super::message::{self, Bridge, Message, Variable};
use super::plan::{Placed, Presence, RoomId};
use super::snoop::SnoopId;
use super::{Inner, LABEL, read_label};
use crate::driver::{self, Cause, ChannelId, DriverError, Event, Label, Source};

/// Channels that are asked for their label at once.
const ASKED_AT_ONCE: usize = 16;

/// See [`Inner::warn_of_device_states`].
const DEVICE_STATES: &str = "res_stasis_device_state.so";

/// What tells one life of Asterisk from the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Info {
    status: Status,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Status {
    startup_time: String,
}

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    status: String,
}

impl Inner {
    /// Tells what was missed. `life` is that of the last time. What happens from now on comes
    /// over the socket, which is connected already.
    pub(super) async fn resync(self: &Arc<Self>, life: &mut Option<Info>) -> Result<(), AriError> {
        let expected = self.book.lock().confirmed();
        let info: Info = self.ari.get(&Path::new(&["asterisk", "info"])).await?;
        let list = self.list().await?;
        let is_restarted = life.as_ref().is_some_and(|last| *last != info);
        if life.as_ref() != Some(&info) {
            self.warn_of_device_states().await;
            self.warn_of_manager();
        }
        *life = Some(info);

        let cause = if is_restarted { Cause::Lost } else { Cause::HungUp };
        let there: BTreeSet<_> = list.iter().map(|channel| channel.id.as_str()).collect();
        let gone: Vec<_> =
            expected.into_iter().filter(|channel| !there.contains(channel.0.as_str())).collect();
        if !gone.is_empty() {
            warn!(
                channels = gone.len(),
                is_restarted, "channels ended while Asterisk was not heard"
            );
        }
        for channel in gone {
            self.lost(channel, cause.clone()).await;
        }
        let left = self.compare_snoops(&list);
        self.take_down(Debris { snoops: left, ..Debris::default() });
        self.compare_playbacks().await?;
        self.compare_recordings().await?;
        let mut survivors = Vec::new();
        for channel in list {
            if channel.is_snoop() {
                continue;
            }
            if self.knows(&ChannelId(channel.id.clone())) {
                if let Some(event) = self.missed(&channel) {
                    self.correct(event).await;
                }
                continue;
            }
            match self.label_of_stranger(&channel).await {
                Some(label) if !label.call_id.is_empty() => {
                    if channel.is_up() && channel.is_in(&self.app) {
                        survivors.push((channel, label));
                    }
                }
                // It came in meanwhile.
                Some(_) if channel.is_in(&self.app) && !channel.is_up() => {
                    if let Some(event) = self.offered(&channel, &channel.args()) {
                        self.correct(event).await;
                    }
                }
                Some(_) | None => {}
            }
        }
        self.arrange_all();
        self.take_up(survivors).await?;
        self.compare_phones().await?;
        self.sweep().await
    }

    /// With this module, which nothing here needs, an Asterisk of 2025 and 2026 may lock up for good
    /// when an event socket breaks while device states change (Asterisk's issue 2170).
    async fn warn_of_device_states(&self) {
        let path = Path::new(&["asterisk", "modules", DEVICE_STATES]);
        let is_running =
            self.ari.get::<Module>(&path).await.is_ok_and(|module| module.status == "Running");
        if is_running {
            warn!(
                module = DEVICE_STATES,
                "Asterisk should not load this module: it may lock up when the event socket breaks"
            );
        }
    }

    /// What has happened on a channel that is there.
    fn missed(self: &Arc<Self>, channel: &message::Channel) -> Option<Event> {
        let id = ChannelId(channel.id.clone());
        let way = self.book.lock().lines.get(&id).map(|line| line.way);
        match way {
            Some(Way::Dialled) if channel.is_up() && channel.is_in(&self.app) => self.answered(id),
            Some(Way::Dialled) => self.rings(channel, &channel.state),
            Some(Way::Incoming) | None => None,
        }
    }

    /// Brings everybody to where they should be: what was wished for while Asterisk did not answer
    /// may have come to nothing. Where all is as it should be nothing is done.
    fn arrange_all(self: &Arc<Self>) {
        let answered: Vec<_> = {
            let book = self.book.lock();
            let lines = book.lines.iter().filter(|(_, line)| line.stage == Stage::Answered);
            lines.map(|(id, _)| id.clone()).collect()
        };
        for channel in answered {
            self.arrange_apart(channel);
        }
    }

    /// Enters channels into the book that an earlier process has left in its calls, where they are.
    async fn take_up(&self, survivors: Vec<(message::Channel, Label)>) -> Result<(), AriError> {
        if survivors.is_empty() {
            return Ok(());
        }
        let bridges: Vec<Bridge> = self.ari.get(&Path::new(&["bridges"])).await?;
        let is_own = |bridge: &&Bridge| self.is_own_room(&bridge.id);
        let mut book = self.book.lock();
        for (channel, label) in survivors {
            let id = ChannelId(channel.id.clone());
            let is_inside = |bridge: &&Bridge| bridge.channels.contains(&channel.id);
            let room = bridges.iter().filter(is_own).find(is_inside);
            book.enter(&id, Way::Incoming, Stage::Answered, label);
            let others = room.into_iter().flat_map(|room| &room.channels);
            let others = others.filter(|other| **other != channel.id).cloned().map(ChannelId);
            let wanted = room.map_or_else(Source::default, |_| Source::Parties(others.collect()));
            let room = room.map(|room| RoomId(room.id.clone()));
            book.rooms.extend(room.clone());
            if let Some(line) = book.lines.get_mut(&id) {
                // Until the engine says otherwise it stays where it is.
                line.wanted = wanted;
                let is_in = |room| Placed::Room(room, Presence::Speaking);
                line.placed = room.map_or(Placed::Unknown(None), is_in);
            }
        }
        Ok(())
    }

    /// Looks through the snoop channels: gives those that an earlier process has left; one that is
    /// no longer there carries nothing.
    fn compare_snoops(&self, list: &[message::Channel]) -> Vec<SnoopId> {
        let there = list.iter().filter(|channel| self.is_own_snoop(channel));
        let there: BTreeSet<_> = there.map(|channel| SnoopId(channel.id.clone())).collect();
        let known = self.known_snoops();
        let mut book = self.book.lock();
        for gone in known.difference(&there) {
            book.lose_snoop(gone);
        }
        there.difference(&known).cloned().collect()
    }

    /// The snoop channels that are in use.
    fn known_snoops(&self) -> BTreeSet<SnoopId> {
        let mut known = self.book.lock().snoops();
        known.extend(self.recorders.lock().values().map(|recorder| recorder.snoop.clone()));
        known
    }

    /// Takes down what an earlier process or a broken connection has left behind.
    pub(super) async fn sweep(&self) -> Result<(), AriError> {
        let list = self.list().await?;
        // After the list, so that none is taken for a stranger that is being made.
        let known = self.known_snoops();
        let snoops = list.iter().filter(|channel| self.is_own_snoop(channel));
        let snoops = snoops.map(|channel| SnoopId(channel.id.clone()));
        let left: Vec<_> = snoops.filter(|snoop| !known.contains(snoop)).collect();
        for snoop in left {
            over(self.ari.delete(&Path::new(&["channels", &snoop.0])).await)?;
        }
        self.sweep_bridges().await
    }

    async fn sweep_bridges(&self) -> Result<(), AriError> {
        let bridges: Vec<Bridge> = self.ari.get(&Path::new(&["bridges"])).await?;
        for Bridge { id, channels } in bridges {
            let is_known = self.book.lock().rooms.iter().any(|room| room.0 == id);
            if !is_known && channels.is_empty() && self.is_own_room(&id) {
                info!(bridge = id, "bridge without channels taken down");
                let done = self.ari.delete(&Path::new(&["bridges", &id])).await;
                match done {
                    Err(error) if error.status() != Some(404) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Every channel of Asterisk, which may list one twice while it changes.
    async fn list(&self) -> Result<Vec<message::Channel>, AriError> {
        let list: Vec<message::Channel> = self.ari.get(&Path::new(&["channels"])).await?;
        let mut listed = BTreeSet::new();
        Ok(list.into_iter().filter(|channel| listed.insert(channel.id.clone())).collect())
    }

    /// The channels that are this application's.
    pub(super) async fn channels(&self) -> Result<Vec<driver::Channel>, DriverError> {
        let mut list = self.list().await?;
        list.retain(|channel| !channel.is_snoop());
        let known: HashMap<_, _> = {
            let book = self.book.lock();
            let known = book.lines.iter();
            known.map(|(id, line)| (id.clone(), (line.stage, line.label.clone()))).collect()
        };
        let known = &known;
        let looked_at = list.into_iter().map(|channel| async move {
            let id = ChannelId(channel.id.clone());
            let (is_answered, label) = match known.get(&id) {
                Some((stage, label)) => (*stage == Stage::Answered, label.clone()),
                None => (channel.is_up(), self.label_of_stranger(&channel).await?),
            };
            Some(driver::Channel { id, is_answered, label })
        });
        let channels = futures::stream::iter(looked_at).buffered(ASKED_AT_ONCE);
        Ok(channels.filter_map(std::future::ready).collect().await)
    }

    /// The label of a channel that is not in the book, if it is this application's: one that was
    /// hung up just now, or that an earlier process has left.
    async fn label_of_stranger(&self, channel: &message::Channel) -> Option<Label> {
        let path = Path::new(&["channels", &channel.id, "variable"]).with("variable", LABEL);
        let label = match self.ari.get::<Variable>(&path).await {
            Ok(variable) => read_label(&self.app, &variable.value),
            Err(_) => None,
        };
        label.or_else(|| channel.is_in(&self.app).then(Label::default))
    }
}

impl Message {
    /// Reads a frame; what makes no sense is passed over.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| {
            warn!(%error, "an event of Asterisk makes no sense");
            Self::Other
        })
    }
}
