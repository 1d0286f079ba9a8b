//! Hands calls over to the Asterisk of another node, and takes in what is handed over here.
//!
//! The channel leaves the application for a context of the dialplan, which dials the other Asterisk
//! and stays in the way of the call: [`NODE`] says which, [`ORIGIN`] whose call it was. The other
//! Asterisk gives the origin to the application as an argument, behind [`HANDED`]. It comes over an endpoint
//! that no phone may have, in a context of its own: so no phone can say that it is another.

use super::Inner;
use super::ari::{AriError, Path};
use super::lines::{Stage, Way};
use crate::driver::{ChannelId, DriverError, Origin, Shown};

/// Before the origin among the application's arguments.
pub(super) const HANDED: &str = "handed";

/// Channel variable: the endpoint of the other node's Asterisk, named as the node.
const NODE: &str = "CORDBOARD_NODE";

/// Channel variable: an origin as [`text_of`] writes it.
const ORIGIN: &str = "CORDBOARD_ORIGIN";

const PHONE: &str = "phone:";
const TRUNK: &str = "trunk";
const JOIN: &str = "join";

/// Whose call it is, for the other node; who calls goes with the call itself.
fn text_of(origin: &Origin) -> String {
    match origin {
        Origin::Phone { account_id } => format!("{PHONE}{account_id}"),
        Origin::Trunk { .. } => TRUNK.to_owned(),
        Origin::Join { .. } => JOIN.to_owned(),
    }
}

/// The origin that another node has written; `None` when it makes no sense.
pub(super) fn read_origin(text: &str, from: Shown) -> Option<Origin> {
    match text {
        TRUNK => Some(Origin::Trunk { from }),
        JOIN => Some(Origin::Join { from }),
        phone => {
            let account_id = phone.strip_prefix(PHONE)?.to_owned();
            Some(Origin::Phone { account_id })
        }
    }
}

impl Inner {
    pub(super) async fn hand_over(
        &self,
        channel: &ChannelId,
        node: &str,
        origin: &Origin,
        dialled: &str,
    ) -> Result<(), DriverError> {
        if self.handover_context.is_empty() {
            return Err(DriverError::Refused("handover_context is empty".to_owned()));
        }
        {
            let book = self.book.lock();
            let line = book.lines.get(channel);
            let Some(line) = line.filter(|line| line.way == Way::Incoming) else {
                return Err(DriverError::Refused("the caller has gone".to_owned()));
            };
            if line.is_handed || line.stage == Stage::Answered {
                // Two nodes that take each other for the home would never come to an end.
                return Err(DriverError::Refused("it was handed over already".to_owned()));
            }
        }
        self.set_variable(channel, NODE, node).await?;
        self.set_variable(channel, ORIGIN, &text_of(origin)).await?;
        // First, so that its leaving is no event.
        let struck = self.book.lock().strike(channel);
        let path = Path::new(&["channels", &channel.0, "continue"])
            .with("context", &self.handover_context)
            .with("extension", dialled)
            .with("priority", "1");
        match self.ari.post(&path).await {
            // The caller has given up.
            Err(error) if error.status() == Some(404) => Ok(()),
            Err(error) => {
                if let Some((line, _)) = struck {
                    self.book.lock().lines.insert(channel.clone(), line);
                }
                Err(error.into())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn set_variable(
        &self,
        channel: &ChannelId,
        name: &str,
        value: &str,
    ) -> Result<(), AriError> {
        let path = Path::new(&["channels", &channel.0, "variable"])
            .with("variable", name)
            .with("value", value);
        self.ari.post(&path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_back() {
        let from = || Shown { number: "555".to_owned(), name: "Mary".to_owned() };
        for origin in [
            Origin::Phone { account_id: "101".to_owned() },
            Origin::Trunk { from: from() },
            Origin::Join { from: from() },
        ] {
            assert_eq!(read_origin(&text_of(&origin), from()), Some(origin));
        }
        assert_eq!(read_origin("elsewhere", from()), None);
    }
}
