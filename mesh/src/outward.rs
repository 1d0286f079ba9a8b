//! The way out: requests to addresses that customers name, such as webhooks and audio.
//!
//! What a customer names must not lead into the operator's own networks. So an address is
//! `http` or `https`, without a user name; its host is resolved, and when *any* of the
//! addresses found is not of the public internet the whole is [`Forbidden`], unless
//! [`Rules::allow_private`] is set. The connection goes to the very addresses that were
//! checked: no second look-up, no proxy, no redirect. Each exchange has a deadline and a
//! bound on the bytes of the answer.

mod address;
mod client;
mod public;

pub use address::{Address, Forbidden};
pub use client::{Answer, Client, Limits, SendError};
pub use public::is_public;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which addresses may be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether private, loopback and link-local addresses may be reached as well; for tests, and
    /// where customers' programs stand in the operator's own network.
    pub allow_private: bool,
}
