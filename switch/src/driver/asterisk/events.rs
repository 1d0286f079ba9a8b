//! Turns Asterisk's words into events.

use std::sync::Arc;

use tracing::{error, warn};

use super::dial::DIALLED;
use super::handover::{HANDED, read_origin};
use super::lines::{Stage, Way};
use super::message::{Channel, Message};
use super::plan::RoomId;
use super::snoop::SnoopId;
use super::{Inner, cause};
use crate::driver::{Cause, ChannelId, Event, Label, Origin, Shown, Source};

impl Inner {
    /// Takes one message in.
    pub(super) async fn take_in(self: &Arc<Self>, message: Message) {
        if let Some(event) = self.event_of(message) {
            self.tell(event).await;
        }
    }

    fn event_of(self: &Arc<Self>, message: Message) -> Option<Event> {
        match message {
            Message::StasisStart { args, channel } => self.entered(&args, &channel),
            Message::StasisEnd { channel } => self.ended(&channel, 16, None),
            Message::ChannelDestroyed { channel, cause, tech_cause } => {
                self.ended(&channel, cause, tech_cause)
            }
            Message::ChannelStateChange { channel } => self.rings(&channel, &channel.state),
            Message::Dial { peer, dialstatus } => self.rings(&peer, &dialstatus),
            Message::ChannelHold { channel } => {
                self.known(channel).map(|channel| Event::Held { channel })
            }
            Message::ChannelUnhold { channel } => {
                self.known(channel).map(|channel| Event::Resumed { channel })
            }
            Message::ChannelDtmfReceived { digit, channel } => {
                let digit = digit.chars().next()?;
                self.known(channel).map(|channel| Event::Digit { channel, digit })
            }
            Message::EndpointStateChange { endpoint }
            | Message::ContactStatusChange { endpoint } => self.phone_changed(&endpoint),
            Message::ApplicationReplaced {} => {
                error!(
                    app = self.app,
                    "another client has connected to Asterisk under the same application name"
                );
                None
            }
            Message::PlaybackFinished { playback } => self.played(&playback),
            Message::RecordingFinished { recording } => {
                self.recorded(&recording.name);
                None
            }
            Message::RecordingFailed { recording } => self.not_recorded(&recording.name),
            Message::BridgeDestroyed { bridge } => {
                self.lost_room(&RoomId(bridge.id));
                None
            }
            Message::Other => None,
        }
    }

    fn known(&self, channel: Channel) -> Option<ChannelId> {
        let id = ChannelId(channel.id);
        self.knows(&id).then_some(id)
    }

    /// A channel has come under our control: a dialled one has answered, another comes in.
    fn entered(self: &Arc<Self>, args: &[String], channel: &Channel) -> Option<Event> {
        if channel.is_snoop() {
            self.snoop_entered(channel);
            return None;
        }
        let id = ChannelId(channel.id.clone());
        let way = self.book.lock().lines.get(&id).map(|line| line.way);
        match way {
            Some(Way::Dialled) => self.answered(id),
            Some(Way::Incoming) => None,
            // Hung up just when it answered.
            None if args.first().is_some_and(|arg| arg == DIALLED) => None,
            None => self.offered(channel, args),
        }
    }

    /// A dialled channel is up, and under our control.
    pub(super) fn answered(self: &Arc<Self>, channel: ChannelId) -> Option<Event> {
        let is_wanted = {
            let mut book = self.book.lock();
            if !book.advance(&channel, Stage::Answered) {
                return None;
            }
            book.lines.get(&channel).is_some_and(|line| line.wanted != Source::default())
        };
        if is_wanted {
            // It was said before what it is to hear.
            self.arrange_apart(channel.clone());
        }
        Some(Event::Answered { channel })
    }

    /// A call comes in, perhaps from another node that has handed it over.
    pub(super) fn offered(&self, channel: &Channel, args: &[String]) -> Option<Event> {
        let id = ChannelId(channel.id.clone());
        let from =
            || Shown { number: channel.caller.number.clone(), name: channel.caller.name.clone() };
        let is_handed = args.first().is_some_and(|arg| arg == HANDED);
        let origin = if is_handed {
            let origin = args.get(1).and_then(|text| read_origin(text, from()));
            let Some(origin) = origin else {
                warn!("a call was handed over without an origin");
                return None;
            };
            origin
        } else if channel.is_local() {
            Origin::Join { from: from() }
        } else {
            match channel.endpoint() {
                Some(endpoint) if endpoint == self.trunk => Origin::Trunk { from: from() },
                Some(endpoint) => Origin::Phone { account_id: endpoint.to_owned() },
                None => {
                    warn!("a channel that is no SIP phone came into the application");
                    return None;
                }
            }
        };
        let stage = if channel.is_up() { Stage::Answered } else { Stage::Made };
        if !self.book.lock().enter(&id, Way::Incoming, stage, Label::default()) {
            return None;
        }
        if let Some(line) = self.book.lock().lines.get_mut(&id) {
            line.is_handed = is_handed;
        }
        Some(Event::Offered { channel: id, origin, dialled: channel.dialplan.exten.clone() })
    }

    /// A dialled party is alerted, if `state` says so.
    pub(super) fn rings(&self, channel: &Channel, state: &str) -> Option<Event> {
        if !state.eq_ignore_ascii_case("ringing") {
            return None;
        }
        let channel = ChannelId(channel.id.clone());
        let mut book = self.book.lock();
        book.lines.get(&channel).filter(|line| line.way == Way::Dialled)?;
        book.advance(&channel, Stage::Ringing).then_some(Event::Ringing { channel })
    }

    /// A channel is gone, by itself.
    fn ended(self: &Arc<Self>, channel: &Channel, q850: i32, sip: Option<i32>) -> Option<Event> {
        if channel.is_snoop() {
            self.lost_snoop(&SnoopId(channel.id.clone()));
            return None;
        }
        let channel = ChannelId(channel.id.clone());
        let line = self.struck(&channel)?;
        let sip = line.refusal.map(i32::from).or(sip);
        let cause = cause::of_end(line.way, line.stage, q850, sip);
        Some(Event::Ended { channel, cause })
    }

    /// A channel is gone, and nobody said how.
    pub(super) async fn lost(&self, channel: ChannelId, cause: Cause) {
        if self.struck(&channel).is_some() {
            self.correct(Event::Ended { channel, cause }).await;
        }
    }
}
