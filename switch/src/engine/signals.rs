//! The way of an event: to the actor that has the channel.

use mesh::caller::Owner;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::actor::News;
use super::front_desk::{self, Begin};
use crate::domain::{Input, Standard};
use crate::driver::{ChannelId, Event, Handled, Signal};

impl Engine {
    /// Takes events in until the driver has no more, or until `stop`.
    pub async fn listen(self, mut signals: mpsc::Receiver<Signal>, stop: CancellationToken) {
        loop {
            let signal = tokio::select! {
                signal = signals.recv() => signal,
                () = stop.cancelled() => return,
            };
            crate::metrics::SIGNALS.add(u64::from(signal.is_some()), []);
            match signal {
                Some(signal) => self.signal(signal).await,
                None => return,
            }
        }
    }

    pub(super) async fn signal(&self, signal: Signal) {
        let Signal { event, handled, is_corrective } = signal;
        if let Event::Offered { channel, origin, dialled } = event {
            if self.0.shared.customer_of_channel(&channel).is_some() {
                // Offered once more.
                return;
            }
            let life = self.life();
            match self.0.front_desk.begin(&channel) {
                Begin::Begun => {}
                Begin::Known => return,
                Begin::Full => {
                    tracing::warn!("call refused, too many are being looked up");
                    self.refuse_apart(channel);
                    return;
                }
            }
            let engine = self.clone();
            self.0.tasks.spawn(async move {
                let offer = front_desk::Offer { channel: channel.clone(), origin, dialled, life };
                front_desk::receive(&engine, offer, handled).await;
                while let Some(waiting) = engine.0.front_desk.next(&channel) {
                    for news in waiting {
                        engine.deliver(news).await;
                    }
                }
            });
            return;
        }
        if let Event::Registered { account_id, is_registered } = event {
            self.0.registrations.note(account_id, is_registered, handled);
            return;
        }
        let Some(channel) = event.channel().cloned() else { return };
        let input = if is_corrective { Input::Corrected(event) } else { Input::Channel(event) };
        let news = News { input, handled };
        if let Some(news) = self.0.front_desk.keep(&channel, news) {
            self.deliver(news).await;
        }
    }

    /// Refuses a channel in a task of its own, so that the events behind it need not wait.
    fn refuse_apart(&self, channel: ChannelId) {
        let engine = self.clone();
        self.0.tasks.spawn(async move { engine.refuse(channel, Standard::Unavailable).await });
    }

    /// Gives an event to the actor that has its channel; without one it is of no interest any
    /// more.
    pub(super) async fn deliver(&self, news: News) {
        let Some(event) = news.input.event() else { return };
        let Some(channel) = event.channel().cloned() else { return };
        let has_ended = matches!(event, Event::Ended { .. });
        let of = self.0.shared.customer_of_channel(&channel);
        let Some(actor) = of.and_then(|i_customer| self.existing(i_customer)) else {
            if has_ended {
                self.0.shared.forget_channel(&channel);
            }
            if let Some(handled) = news.handled {
                drop(handled.send(Handled::default()));
            }
            return;
        };
        // An actor that has stopped has ended its calls.
        drop(actor.news.send(news).await);
    }

    /// Gives an offer to the actor of its customer; false when it is not taken.
    pub(super) async fn offer(
        &self,
        owner: Owner,
        channel: &ChannelId,
        life: u64,
        news: News,
    ) -> bool {
        let Some(actor) = self.actor_of(owner, Some(life)) else { return false };
        // Noted before the actor has the offer, so that what happens on the channel from now on
        // comes to the actor behind it.
        self.0.shared.note_channel(channel, owner.i_customer);
        let is_taken = actor.news.send(news).await.is_ok();
        if !is_taken {
            self.0.shared.forget_channel(channel);
        }
        is_taken
    }
}
