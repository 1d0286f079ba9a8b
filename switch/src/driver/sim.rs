//! The embedded switch: simulated phones, a simulated public network, and hands to
//! act on them. Media is modelled (who hears what), not synthesised.
//!
//! - `model` is the switch as one pure value behind a lock that is never held over
//!   an await; `behaviour`, `line`, `ended`, `hears`, `hand` and `view` are its parts.
//! - [`Sim`] gives it time and lets it speak: it is the [`Driver`] for the engine.
//! - `people` adds to it one method for each thing that a person can do, and
//!   [`control`] offers those over HTTP.
//!
//! Events leave in the order in which they happened, through one bounded queue. When
//! the engine lets it run full, further events are lost, as they may be on a real
//! switch; the engine finds out by comparing [`Driver::channels`] with its model.

pub mod control;

mod behaviour;
mod config;
mod deps;
mod ended;
mod fault;
mod hand;
mod hears;
mod line;
mod model;
mod people;
mod ripples;
#[cfg(test)]
mod tests;
mod view;
mod wav;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future;
use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Channel, Driver, DriverError, Event, Handled, Op, RecordingId, Signal};

pub use behaviour::Behaviour;
pub use config::Config;
pub use deps::{CrashHook, Deps, Phonebook, PhonebookError};
pub use fault::Fault;
pub use hand::{Hand, HandError};
pub use hears::Hears;
pub use view::{EndedView, LegView, PhoneView, ShownView, TrunkLegView};

use behaviour::Times;
use fault::Faults;
use model::Model;
use ripples::Ripples;

/// Events that wait for the engine; beyond them they are lost.
const MAX_WAITING_EVENTS: usize = 16_384;

/// The simulated switch.
#[derive(Debug)]
pub struct Sim {
    model: Mutex<Model>,
    accounts: Arc<dyn Phonebook>,
    crash: Option<CrashHook>,
    faults: Faults,
    /// Events on their way out, in order.
    outbox: mpsc::Sender<Signal>,
    /// Consequences of operations that the engine may still be busy with.
    ripples: Mutex<Ripples>,
    /// Told when the next timer is due earlier than before.
    rescheduled: Notify,
}

impl Sim {
    /// A switch without calls, whose phones all behave by default. Needs a runtime.
    #[must_use]
    pub fn new(config: &Config, deps: Deps) -> Arc<Self> {
        let (outbox, waiting) = mpsc::channel(MAX_WAITING_EVENTS);
        let prefix = uuid::Uuid::now_v7().simple().to_string();
        let sim = Arc::new(Self {
            model: Mutex::new(Model::new(Times::new(config), config.max_channels, prefix)),
            accounts: deps.accounts,
            crash: deps.crash,
            faults: Faults::default(),
            outbox,
            ripples: Mutex::default(),
            rescheduled: Notify::new(),
        });
        deps.tasks.spawn(send_events(waiting, deps.signals, deps.stop.clone()));
        deps.tasks.spawn(Arc::clone(&sim).run_timers(deps.stop));
        sim
    }

    /// Changes the model and sends the events that this causes, in their order; returns what
    /// tells that the engine has handled them, when that is to be followed.
    fn change<T>(
        &self,
        follow: Follow,
        work: impl FnOnce(&mut Model, Instant) -> T,
    ) -> (T, Vec<oneshot::Receiver<Handled>>) {
        let mut model = self.model.lock();
        let due_before = model.next_deadline();
        let done = work(&mut model, Instant::now());
        let events = model.take_events();
        let handled = events.into_iter().filter_map(|event| self.send(event, follow)).collect();
        let due = model.next_deadline();
        drop(model);
        if due.is_some_and(|due| due_before.is_none_or(|before| due < before)) {
            self.rescheduled.notify_one();
        }
        (done, handled)
    }

    /// Called under the model's lock, which keeps the order.
    fn send(&self, event: Event, follow: Follow) -> Option<oneshot::Receiver<Handled>> {
        let (handled, receiver) = match follow {
            Follow::Yes => {
                let (sender, receiver) = oneshot::channel();
                (Some(sender), Some(receiver))
            }
            Follow::No => (None, None),
        };
        if let Err(TrySendError::Full(_lost)) =
            self.outbox.try_send(Signal { handled, ..event.into() })
        {
            warn!("event lost, the engine does not keep up");
        }
        receiver
    }

    async fn run_timers(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let due = self.model.lock().next_deadline();
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.rescheduled.notified() => {}
                () = sleep => {
                    self.change(Follow::No, Model::advance);
                }
            }
        }
    }
}

#[async_trait]
impl Driver for Sim {
    async fn run(&self, op: Op) -> Result<(), DriverError> {
        self.faults.befall().await?;
        let is_watched = self.ripples.lock().are_watched();
        let follow = if is_watched { Follow::Yes } else { Follow::No };
        let (done, handled) = self.change(follow, |model, now| model.apply(now, op));
        if !handled.is_empty() {
            self.ripples.lock().extend(handled);
        }
        done
    }

    async fn channels(&self) -> Result<Vec<Channel>, DriverError> {
        Ok(self.model.lock().channels())
    }

    async fn unregistered(&self) -> Result<Vec<String>, DriverError> {
        Ok(self.model.lock().unregistered())
    }

    async fn collect(&self, recording: &RecordingId, file: &Path) -> Result<(), DriverError> {
        let lasted = self.model.lock().take_recording(recording);
        let lasted =
            lasted.ok_or_else(|| DriverError::Refused("there is no such recording".to_owned()))?;
        let written = wav::write_silence(file, lasted).await;
        written.map_err(|error| DriverError::Refused(error.to_string()))
    }
}

/// Whether somebody may wait for the engine to have handled an event.
#[derive(Clone, Copy, Debug)]
enum Follow {
    Yes,
    No,
}

/// Hands the events over to the engine at its pace.
async fn send_events(
    mut waiting: mpsc::Receiver<Signal>,
    signals: mpsc::Sender<Signal>,
    stop: CancellationToken,
) {
    let sending = async {
        while let Some(signal) = waiting.recv().await {
            if signals.send(signal).await.is_err() {
                return;
            }
        }
    };
    stop.run_until_cancelled(sending).await;
}
