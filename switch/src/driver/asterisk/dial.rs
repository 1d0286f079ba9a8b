//! Makes channels.

use serde_json::json;
use tracing::debug;

use super::ari::{AriError, Path};
use super::lines::{Stage, Way};
use super::{Inner, LABEL, label_text};
use crate::driver::{Cause, ChannelId, DriverError, Endpoint, Event, Label, Shown};

/// A phone that cannot be reached.
const UNAVAILABLE: u16 = 480;
/// A number that cannot be one.
const NOT_FOUND: u16 = 404;
/// A trunk that cannot be reached.
const NO_TRUNK: u16 = 503;

/// Given to the application with a dialled channel, so that it is not taken for a call that comes
/// in.
pub(super) const DIALLED: &str = "dialled";

/// How Asterisk dials an endpoint.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// With this text; the code is for when Asterisk cannot even begin.
    Dial { endpoint: String, unreachable: u16 },
    /// Not at all.
    Refuse(u16),
}

impl Inner {
    /// Dials. What cannot be reached is an event and no error, as for a party that refuses.
    pub(super) async fn dial(
        &self,
        channel: ChannelId,
        endpoint: Endpoint,
        shown: &Shown,
        label: Label,
    ) -> Result<(), DriverError> {
        if !*self.connected.borrow() {
            // Nobody would hear how it goes on.
            return Err(DriverError::Unreachable);
        }
        let variable = label_text(&self.app, &label);
        if !self.book.lock().enter(&channel, Way::Dialled, Stage::Asked, label) {
            return Err(DriverError::Refused(format!("channel {channel} exists")));
        }
        let (text, unreachable) = match self.target(&endpoint) {
            Target::Dial { endpoint, unreachable } => (endpoint, unreachable),
            Target::Refuse(code) => {
                self.refused(channel, code).await;
                return Ok(());
            }
        };
        let mut request = json!({
            "endpoint": text,
            "app": self.app,
            "appArgs": DIALLED,
            "channelId": channel.0,
            "callerId": caller_id(shown),
            // The engine has its own idea of how long a phone rings.
            "timeout": -1,
            "variables": { LABEL: variable },
        });
        if matches!(endpoint, Endpoint::Join { .. })
            && let Some(request) = request.as_object_mut()
        {
            let inner = uuid::Uuid::now_v7().simple().to_string();
            self.book.lock().pair(&channel, ChannelId(inner.clone()));
            request.insert("otherChannelId".to_owned(), inner.into());
        }
        match self.ari.post_json(&Path::new(&["channels"]), &request).await {
            Ok(()) => {
                self.book.lock().advance(&channel, Stage::Made);
                Ok(())
            }
            Err(error @ AriError::Status { .. }) if matches!(error.status(), Some(400 | 500)) => {
                debug!(%error, "party cannot be dialled");
                self.refused(channel, unreachable).await;
                Ok(())
            }
            Err(error) => {
                self.book.lock().strike(&channel);
                Err(error.into())
            }
        }
    }

    /// Ends a channel that never came to be.
    async fn refused(&self, channel: ChannelId, code: u16) {
        if self.book.lock().strike(&channel).is_some() {
            self.tell(Event::Ended { channel, cause: Cause::Refused(code) }).await;
        }
    }

    fn target(&self, endpoint: &Endpoint) -> Target {
        match endpoint {
            Endpoint::Phone { account_id } if is_endpoint(account_id) => {
                Target::Dial { endpoint: format!("PJSIP/{account_id}"), unreachable: UNAVAILABLE }
            }
            Endpoint::Phone { .. } => Target::Refuse(UNAVAILABLE),
            Endpoint::Trunk { number } if is_number(number) => Target::Dial {
                endpoint: format!("PJSIP/{number}@{}", self.trunk),
                unreachable: NO_TRUNK,
            },
            Endpoint::Join { number } if is_number(number) => Target::Dial {
                // `/n` keeps Asterisk from cutting the pair out of the way.
                endpoint: format!("Local/{number}@{}/n", self.join_context),
                unreachable: NOT_FOUND,
            },
            Endpoint::Trunk { .. } | Endpoint::Join { .. } => Target::Refuse(NOT_FOUND),
        }
    }
}

/// Names that are one endpoint and nothing else in a dial text: `PJSIP/a@b` would be somebody
/// else's.
fn is_endpoint(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_+".contains(c))
}

/// Numbers and names that leave the choice of the way to the configuration.
fn is_number(number: &str) -> bool {
    !number.is_empty() && number.chars().all(|c| c.is_ascii_alphanumeric() || "+*#.-_".contains(c))
}

/// `"Name" <number>`, without what would end a part early.
fn caller_id(shown: &Shown) -> String {
    let clean = |text: &str| -> String {
        text.chars().filter(|c| !c.is_control() && !"\"<>\\".contains(*c)).collect()
    };
    format!("\"{}\" <{}>", clean(&shown.name), clean(&shown.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_from_outside_chooses_another_way() {
        for text in ["", "1@other", "1/2", "1&PJSIP/2", "1,2", "a b", "${X}"] {
            assert!(!is_endpoint(text) && !is_number(text), "{text}");
        }
        assert!(is_endpoint("101") && is_endpoint("alice.smith_1-2"));
        assert!(is_number("+12065550100") && is_number("*97#"));
    }

    #[test]
    fn names_with_quotes_stay_names() {
        let shown = Shown { number: "101".to_owned(), name: "A \"x\" <666>\r\n".to_owned() };

        assert_eq!(caller_id(&shown), "\"A x 666\" <101>");
    }
}
