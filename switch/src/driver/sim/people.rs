//! What people can do with the simulated switch. Whatever they do, they wait until
//! the engine has acted on it, so that what they read next shows its effect.

use futures::future;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};
use tracing::warn;

use crate::driver::{Cause, ChannelId, Handled, Label, Origin, Shown};

use super::behaviour::Behaviour;
use super::fault::Fault;
use super::hand::{Hand, HandError};
use super::line::Party;
use super::model::Model;
use super::ripples::Watch;
use super::view::{PhoneView, TrunkLegView};
use super::{Follow, Sim};

/// How long a hand waits for the engine to have acted on it.
pub(super) const HAND_TIMEOUT: Duration = Duration::from_secs(2);

/// How long who places a call waits for its name; longer, since without it there is no answer.
pub(super) const OFFER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a hand waits for the consequences of consequences.
const MAX_RIPPLE_ROUNDS: usize = 4;

impl Sim {
    /// Sets how an account's phone takes calls that start to ring from now on. Returns when the
    /// engine has acted on it, should the phone be registered now and was not, or the other way.
    ///
    /// # Errors
    /// [`HandError::NoPhone`], [`HandError::Phonebook`].
    pub async fn set_behaviour(
        &self,
        account_id: &str,
        behaviour: Behaviour,
    ) -> Result<(), HandError> {
        self.check_phone(account_id).await?;
        self.act(|model, _now| {
            model.set_behaviour(account_id, behaviour);
            Ok(())
        })
        .await
    }

    /// An account's phone dials. Returns when the engine has named the call.
    ///
    /// # Errors
    /// [`HandError::NoPhone`], [`HandError::Phonebook`], [`HandError::CallRefused`],
    /// [`HandError::CallNotTaken`], [`HandError::Full`].
    pub async fn dial(&self, account_id: &str, destination: &str) -> Result<Label, HandError> {
        self.check_phone(account_id).await?;
        let account_id = account_id.to_owned();
        let party = Party::Phone(account_id.clone());
        self.offer(party, Origin::Phone { account_id }, destination).await
    }

    /// A call comes in from the public network. Returns when the engine has named it.
    ///
    /// # Errors
    /// [`HandError::CallRefused`], [`HandError::CallNotTaken`], [`HandError::Full`].
    pub async fn trunk_call(&self, from: Shown, to: &str) -> Result<Label, HandError> {
        self.offer(Party::Trunk(from.number.clone()), Origin::Trunk { from }, to).await
    }

    /// A person's hand on an account's phone: on one call, or on the one that it would mean.
    /// Returns when the engine has acted on it.
    ///
    /// # Errors
    /// [`HandError::NoPhone`], [`HandError::Phonebook`], or what there was nothing of.
    pub async fn phone_hand(
        &self,
        account_id: &str,
        hand: Hand,
        call_id: Option<&str>,
    ) -> Result<(), HandError> {
        self.check_phone(account_id).await?;
        self.act(|model, now| model.hand_on_phone(now, account_id, hand, call_id)).await
    }

    /// The far end's hand on a leg of the trunk. Returns when the engine has acted on it.
    ///
    /// # Errors
    /// [`HandError::NoLeg`], [`HandError::LegEnded`], or what there was nothing of.
    pub async fn leg_hand(&self, tag: &str, hand: Hand) -> Result<(), HandError> {
        self.act(|model, now| model.hand_on_leg(now, tag, hand)).await
    }

    /// Keys pressed on an account's phone, `gap` milliseconds apart. Returns when all are pressed
    /// or the call has ended.
    ///
    /// # Errors
    /// [`HandError::NoPhone`], [`HandError::Phonebook`], [`HandError::NothingSpokenOn`].
    pub async fn phone_keys(
        &self,
        account_id: &str,
        digits: &str,
        gap_ms: u32,
        call_id: Option<&str>,
    ) -> Result<(), HandError> {
        self.check_phone(account_id).await?;
        let channel = self.model.lock().keys_on_phone(account_id, call_id)?;
        self.press_keys(&channel, digits, gap_ms).await
    }

    /// Keys pressed at the far end of a leg of the trunk, as [`Sim::phone_keys`].
    ///
    /// # Errors
    /// [`HandError::NoLeg`], [`HandError::LegEnded`], [`HandError::NothingSpokenOn`].
    pub async fn leg_keys(&self, tag: &str, digits: &str, gap_ms: u32) -> Result<(), HandError> {
        let channel = self.model.lock().keys_on_leg(tag)?;
        self.press_keys(&channel, digits, gap_ms).await
    }

    /// What can be read of an account's phone.
    ///
    /// # Errors
    /// [`HandError::NoPhone`], [`HandError::Phonebook`].
    pub async fn phone(&self, account_id: &str) -> Result<PhoneView, HandError> {
        self.check_phone(account_id).await?;
        Ok(self.model.lock().phone_view(account_id))
    }

    /// What can be read of a leg of the trunk, until ten minutes after its end.
    ///
    /// # Errors
    /// [`HandError::NoLeg`].
    pub fn trunk_leg(&self, tag: &str) -> Result<TrunkLegView, HandError> {
        let mut model = self.model.lock();
        model.forget_ended(Instant::now());
        model.trunk_leg_view(tag).ok_or_else(|| HandError::NoLeg(tag.to_owned()))
    }

    /// Switches a fault on; false when this switch cannot have it.
    #[must_use]
    pub fn set_fault(&self, fault: Fault) -> bool {
        match (fault, &self.crash) {
            (Fault::Slow { ms }, _) => self.faults.slow(ms),
            (Fault::DropCommands { count }, _) => self.faults.drop_commands(count),
            (Fault::NodeCrash {}, Some(hook)) => hook.crash(),
            (Fault::NodeCrash {}, None) => return false,
        }
        true
    }

    async fn check_phone(&self, account_id: &str) -> Result<(), HandError> {
        if self.accounts.is_account(account_id).await? {
            return Ok(());
        }
        Err(HandError::NoPhone(account_id.to_owned()))
    }

    async fn offer(&self, party: Party, origin: Origin, to: &str) -> Result<Label, HandError> {
        let watch = Watch::begin(&self.ripples);
        let (channel, handled) =
            self.change(Follow::Yes, |model, _now| model.offer(party, origin, to.to_owned()));
        let channel = channel?;
        let answer = tokio::time::timeout(OFFER_TIMEOUT, future::join_all(handled)).await;
        let is_late = answer.is_err();
        let label = answer.into_iter().flatten().flatten().find_map(|handled| handled.label);
        let Some(label) = label else {
            // Nobody but this simulator has the channel, or the engine is late and learns it so.
            self.change(Follow::No, |model, now| model.end(now, &channel, Cause::HungUp));
            return Err(if is_late { HandError::CallNotTaken } else { HandError::CallRefused });
        };
        self.model.lock().name_offered(&channel, label.clone());
        self.settle(&watch, Vec::new()).await;
        Ok(label)
    }

    async fn act(
        &self,
        work: impl FnOnce(&mut Model, Instant) -> Result<(), HandError>,
    ) -> Result<(), HandError> {
        let watch = Watch::begin(&self.ripples);
        let (done, handled) = self.change(Follow::Yes, work);
        done?;
        self.settle(&watch, handled).await;
        Ok(())
    }

    async fn press_keys(
        &self,
        channel: &ChannelId,
        digits: &str,
        gap_ms: u32,
    ) -> Result<(), HandError> {
        let watch = Watch::begin(&self.ripples);
        let mut all = Vec::new();
        for (index, digit) in digits.chars().enumerate() {
            let gap = self.model.lock().times().of_ms(gap_ms);
            if index > 0 && !gap.is_zero() {
                tokio::time::sleep(gap).await;
            }
            let (is_alive, handled) =
                self.change(Follow::Yes, |model, _now| model.press(channel, digit));
            if !is_alive {
                break;
            }
            all.extend(handled);
        }
        self.settle(&watch, all).await;
        Ok(())
    }

    /// Waits until the engine has handled these events and what has come of them, e.g. in the
    /// environment at the other side of a join. Not longer than a hand has patience.
    async fn settle(&self, watch: &Watch<'_>, handled: Vec<oneshot::Receiver<Handled>>) {
        let settling = async {
            future::join_all(handled).await;
            let mut mark = watch.mark();
            for _ in 0..MAX_RIPPLE_ROUNDS {
                let (ripples, end) = watch.since(mark);
                if ripples.is_empty() {
                    break;
                }
                future::join_all(ripples).await;
                mark = end;
            }
        };
        if tokio::time::timeout(HAND_TIMEOUT, settling).await.is_err() {
            warn!("the engine takes long to act on a hand");
        }
    }
}
