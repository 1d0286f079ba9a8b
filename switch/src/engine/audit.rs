//! Compares the engine with the switch, since events and operations may be lost between them.
//!
//! The engine's model is the truth about calls, the switch's list the truth about channels: a
//! channel that the switch has and no call ends there, one that a call has and not the switch
//! ends its call. A difference counts when it is still there at the next look, so that what is
//! under way between the two is left alone.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::actor::News;
use super::{Engine, HANG_UPS, Life};
use crate::domain::Input;
use crate::driver::{Cause, ChannelId, Event};

/// Time between two looks; longer than an operation takes, however often it is tried.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// What differed at a look.
#[derive(Debug, Default)]
struct Differences {
    /// Channels of the switch without a call.
    stray: HashSet<ChannelId>,
    /// Channels of calls that the switch has not.
    missing: HashSet<ChannelId>,
}

impl Engine {
    /// Looks again and again until `stop`.
    pub async fn audit(self, stop: CancellationToken) {
        let looking = async {
            self.release_strays().await;
            let mut last: Option<(Life, Differences)> = None;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                self.compare_phones().await;
                let life = self.life();
                let seen = last.take().filter(|(of, _)| *of == life).unwrap_or_default().1;
                last = self.look(seen).await.map(|differences| (life, differences));
            }
        };
        stop.run_until_cancelled(looking).await;
    }

    /// Finds differences and corrects those that were there at the last look.
    async fn look(&self, last: Differences) -> Option<Differences> {
        let known_before = self.0.shared.channels();
        let channels = match self.0.shared.driver.channels().await {
            Ok(channels) => channels,
            Err(error) => {
                tracing::warn!(%error, "channels cannot be listed");
                return None;
            }
        };
        let others = self.other_nodes().await;
        let there: HashSet<ChannelId> = channels.iter().map(|channel| channel.id.clone()).collect();
        let own = channels.into_iter().filter(|channel| !others.have(channel));
        let own: HashSet<ChannelId> = own.map(|channel| channel.id).collect();
        let known = self.0.shared.channels();
        let is_stray = |channel: &&ChannelId| {
            !known.contains(*channel)
                && !known_before.contains(*channel)
                && !self.0.front_desk.has(channel)
        };
        let is_missing =
            |channel: &&ChannelId| known_before.contains(*channel) && !there.contains(*channel);
        let mut found = Differences {
            stray: own.iter().filter(is_stray).cloned().collect(),
            missing: known.iter().filter(is_missing).cloned().collect(),
        };

        let stray: Vec<_> = found.stray.intersection(&last.stray).cloned().collect();
        let missing: Vec<_> = found.missing.intersection(&last.missing).cloned().collect();
        found.stray.retain(|channel| !last.stray.contains(channel));
        found.missing.retain(|channel| !last.missing.contains(channel));
        if !stray.is_empty() || !missing.is_empty() {
            tracing::warn!(
                stray = stray.len(),
                missing = missing.len(),
                "engine and switch differed, corrected"
            );
        }
        let ending = stray.into_iter().map(|channel| self.hang_up(channel));
        futures::stream::iter(ending).for_each_concurrent(HANG_UPS, |done| done).await;
        for channel in missing {
            let event = Event::Ended { channel, cause: Cause::Lost };
            self.deliver(News { input: Input::Corrected(event), handled: None }).await;
        }
        Some(found)
    }
}
