//! The RPCs: parse, ask the hub or a replay, answer.

mod error;
mod explain;
mod live;
mod parse;
mod replay;
mod server;

use std::sync::Arc;

use mesh::token::Verifier;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::domain::scope::{self, Access, Scope};
use crate::hub::Hub;
use crate::presence::Presence;
use crate::replay::Source;
use error::{Denial, RequestError};
pub(crate) use server::NotifierServer;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Partitions and live streams.
    pub(crate) hub: Arc<Hub>,
    /// Past events.
    pub(crate) source: Source,
    /// Who listens to access numbers.
    pub(crate) presence: Arc<Presence>,
    /// Says whose a token is.
    pub(crate) verifier: Verifier,
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// The tasks of live streams.
    pub(crate) tasks: TaskTracker,
    /// Ends them.
    pub(crate) stop: CancellationToken,
}

impl Shared {
    /// Checks a scope against a token.
    async fn admit(
        &self,
        scope: Scope,
        token: &str,
    ) -> Result<(Access, Arc<mesh::caller::Caller>), Denial> {
        let caller = self.verifier.verify(token).await?;
        let access = scope::admit(&caller, scope)?;
        Ok((access, caller))
    }
}
