//! What Asterisk says over the event socket, and how it describes a channel.

use serde::Deserialize;

/// An event, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Message {
    /// A channel has come under the application's control.
    StasisStart {
        #[serde(default)]
        args: Vec<String>,
        channel: Channel,
    },
    /// A channel has left the application.
    StasisEnd { channel: Channel },
    /// Down, ringing, up.
    ChannelStateChange { channel: Channel },
    /// How dialling goes on; for a local channel the only word about ringing.
    Dial { peer: Channel, dialstatus: String },
    /// A channel is gone.
    ChannelDestroyed {
        channel: Channel,
        #[serde(default)]
        cause: i32,
        #[serde(default)]
        tech_cause: Option<i32>,
    },
    /// The phone's hold key.
    ChannelHold { channel: Channel },
    /// Again.
    ChannelUnhold { channel: Channel },
    /// A key.
    ChannelDtmfReceived { digit: String, channel: Channel },
    /// A bridge is gone.
    BridgeDestroyed { bridge: Bridge },
    /// An endpoint can be reached from now on, or cannot.
    EndpointStateChange { endpoint: Endpoint },
    /// One of an endpoint's contacts has come, gone or changed; it is told as well as the other.
    ContactStatusChange { endpoint: Endpoint },
    /// Something has been played, or cannot be.
    PlaybackFinished { playback: Playback },
    /// A recording is whole.
    RecordingFinished { recording: Recording },
    /// Nothing is recorded.
    RecordingFailed { recording: Recording },
    /// Another client has connected under the application's name.
    ApplicationReplaced {},
    /// All others.
    #[serde(other)]
    Other,
}

/// An endpoint as Asterisk describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Endpoint {
    /// `PJSIP`, …
    pub(super) technology: String,
    /// Its name.
    pub(super) resource: String,
    /// `online`, `offline`, `unknown`.
    #[serde(default)]
    pub(super) state: Option<String>,
}

/// A playback as Asterisk describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Playback {
    pub(super) id: String,
    /// `done`, `failed`, …
    #[serde(default)]
    pub(super) state: String,
}

/// A recording as Asterisk describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Recording {
    pub(super) name: String,
}

/// A channel variable.
#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    pub(super) value: String,
}

/// A bridge as Asterisk describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bridge {
    pub(super) id: String,
    #[serde(default)]
    pub(super) channels: Vec<String>,
}

/// A channel as Asterisk describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Channel {
    pub(super) id: String,
    /// `PJSIP/101-0000002a`, `Local/201@context-00000001;2`.
    #[serde(default)]
    pub(super) name: String,
    /// `Down`, `Ring`, `Ringing`, `Up`, …
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) caller: Caller,
    #[serde(default)]
    pub(super) dialplan: Dialplan,
}

/// Number and name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Caller {
    pub(super) number: String,
    pub(super) name: String,
}

/// Where in the dialplan a channel is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Dialplan {
    pub(super) exten: String,
    pub(super) app_name: String,
    pub(super) app_data: String,
}

impl Channel {
    /// The endpoint's name; `None` for a channel that is no SIP phone or trunk.
    pub(super) fn endpoint(&self) -> Option<&str> {
        let (endpoint, _) = self.name.strip_prefix("PJSIP/")?.rsplit_once('-')?;
        Some(endpoint)
    }

    /// True for a channel that takes sound off another, or whispers into it.
    pub(super) fn is_snoop(&self) -> bool {
        self.name.starts_with("Snoop/")
    }

    /// True for a half of a local channel.
    pub(super) fn is_local(&self) -> bool {
        self.name.starts_with("Local/")
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == "Up"
    }

    /// What the dialplan has given to the application besides its name.
    pub(super) fn args(&self) -> Vec<String> {
        self.dialplan.app_data.split(',').skip(1).map(|arg| arg.trim().to_owned()).collect()
    }

    /// True while the channel is under the control of the Stasis application `app`.
    pub(super) fn is_in(&self, app: &str) -> bool {
        self.dialplan.app_name == "Stasis"
            && self.dialplan.app_data.split(',').next().is_some_and(|name| name.trim() == app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_unknown_ones_passed_over() {
        let text = r#"{"type":"ChannelDestroyed","timestamp":"x","cause":17,"cause_txt":"User busy",
            "channel":{"id":"c1","name":"PJSIP/my-phone-0000002a","state":"Down","more":1}}"#;
        let message: Message = serde_json::from_str(text).unwrap();
        let Message::ChannelDestroyed { channel, cause: 17, tech_cause: None } = message else {
            panic!("{message:?}")
        };
        assert_eq!(channel.endpoint(), Some("my-phone"));

        let other = serde_json::from_str(r#"{"type":"BridgeCreated","bridge":{}}"#).unwrap();
        assert!(matches!(other, Message::Other));
    }

    #[test]
    fn a_channel_is_in_the_application_it_was_sent_to() {
        let text = r#"{"id":"c","name":"Local/1@x-1;2",
            "dialplan":{"exten":"1","app_name":"Stasis","app_data":"cordboard,more"}}"#;
        let channel: Channel = serde_json::from_str(text).unwrap();

        assert!(channel.is_in("cordboard") && !channel.is_in("cord"));
        assert!(channel.is_local() && channel.endpoint().is_none());
    }
}
