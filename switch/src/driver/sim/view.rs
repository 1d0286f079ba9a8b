//! What can be read of phones and legs, in the words of the control port.

use serde::Serialize;

use crate::driver::{ChannelId, Shown};

use super::behaviour::Behaviour;
use super::hears::{self, Hears};
use super::line::Line;
use super::model::Model;

/// A living leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LegView {
    /// The leg's state as the API names it.
    pub state: String,
    /// The call.
    pub call_id: String,
    /// The leg.
    pub tag: String,
    /// What its party hears.
    pub hears: Hears,
    /// Digits that the switch has played to it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digits: String,
    /// What a called party is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<ShownView>,
}

/// Number and name on a display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownView {
    /// Number.
    pub number: String,
    /// Name; may be empty.
    pub name: String,
}

/// A phone: the call that its user is busy with, and all calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhoneView {
    /// State of that call's leg; `idle` without a call.
    pub state: String,
    /// That call; `null` without one.
    pub call_id: Option<String>,
    /// Its leg.
    pub tag: Option<String>,
    /// How the phone takes calls.
    #[serde(flatten)]
    pub behaviour: Behaviour,
    /// What its user hears of all calls that are not on hold.
    pub hears: Hears,
    /// Digits that the switch has played to it in that call.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digits: String,
    /// All living calls, oldest first.
    pub calls: Vec<LegView>,
}

/// A leg that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndedView {
    /// Always `terminated`.
    pub state: &'static str,
    /// Why, as the API names it.
    pub reason: String,
    /// Its SIP code.
    pub reason_code: u16,
    /// Always empty.
    pub hears: Hears,
}

/// A leg of the trunk, living or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TrunkLegView {
    /// Living.
    Alive(LegView),
    /// Ended.
    Ended(EndedView),
}

impl Model {
    /// What can be read of an account's phone.
    pub(super) fn phone_view(&self, account_id: &str) -> PhoneView {
        let channels = self.phone_channels(account_id);
        let lines = || channels.iter().filter_map(|id| Some((id, self.lines.get(id)?)));
        let nearest = lines()
            .min_by_key(|(_, line)| (line.remoteness(), u64::MAX - line.order))
            .map(|(id, line)| self.leg_view(id, line));
        let (state, call_id, tag, digits) = match nearest {
            Some(leg) => (leg.state, Some(leg.call_id), Some(leg.tag), leg.digits),
            None => ("idle".to_owned(), None, None, String::new()),
        };
        PhoneView {
            state,
            call_id,
            tag,
            behaviour: self.behaviour(account_id),
            hears: hears::of_phone(&self.lines, channels),
            digits,
            calls: lines().map(|(id, line)| self.leg_view(id, line)).collect(),
        }
    }

    /// What can be read of the trunk's leg with this tag.
    pub(super) fn trunk_leg_view(&self, tag: &str) -> Option<TrunkLegView> {
        let channel = self.legs.get(tag)?;
        if let Some(line) = self.lines.get(channel) {
            return Some(TrunkLegView::Alive(self.leg_view(channel, line)));
        }
        self.ended.get(channel).map(|line| {
            TrunkLegView::Ended(EndedView {
                state: "terminated",
                reason: line.reason.text.clone(),
                reason_code: line.reason.code,
                hears: Hears::nobody(),
            })
        })
    }

    fn leg_view(&self, channel: &ChannelId, line: &Line) -> LegView {
        let state = if line.label.state.is_empty() { "trying" } else { &line.label.state };
        LegView {
            state: state.to_owned(),
            call_id: line.label.call_id.clone(),
            tag: line.label.tag.clone(),
            hears: hears::of_channel(&self.lines, channel),
            digits: line.digits.clone(),
            shown: line.shown.as_ref().map(ShownView::of),
        }
    }

    /// The channels of a phone, oldest first.
    pub(super) fn phone_channels(&self, account_id: &str) -> &[ChannelId] {
        self.phones.get(account_id).map_or(&[], |phone| &phone.channels)
    }
}

impl ShownView {
    fn of(shown: &Shown) -> Self {
        Self { number: shown.number.clone(), name: shown.name.clone() }
    }
}
