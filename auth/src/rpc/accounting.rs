//! `AccountingService`: credit, and what has become of accounting records.
//!
//! Serves the switch, without a session: what is charged is decided there.

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use proto::auth::v1 as pb;
use proto::auth::v1::accounting_service_server::AccountingService;
use tonic::{Request, Response, Status};

use super::error::status;
use crate::domain::accounting::{Granted, Key, Reservation};
use crate::domain::directory::Directory;
use crate::domain::error::LookupError;
use crate::wire;

/// How long credit is held for a charge of which no record comes: longer than any outage after
/// which its record may still come.
const HELD: Duration = Duration::from_hours(24);

/// Records that one question may name.
const MAX_KEYS: usize = 1000;

/// Serves `AccountingService`.
#[derive(Debug)]
pub(crate) struct AccountingRpc {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) clock: Clock,
}

#[tonic::async_trait]
impl AccountingService for AccountingRpc {
    async fn reserve_credit(
        &self,
        request: Request<pb::ReserveCreditRequest>,
    ) -> Result<Response<pb::ReserveCreditResponse>, Status> {
        let granted = self.reserve(request.into_inner()).await;
        let seconds = match granted.map_err(|error| status(&error))? {
            Granted::Seconds(seconds) => Some(seconds),
            Granted::Unlimited => None,
        };
        Ok(Response::new(pb::ReserveCreditResponse { seconds }))
    }

    async fn find_accounted(
        &self,
        request: Request<pb::FindAccountedRequest>,
    ) -> Result<Response<pb::FindAccountedResponse>, Status> {
        let found = self.find(&request.into_inner()).await;
        let accounted = found.map_err(|error| status(&error))?;
        Ok(Response::new(pb::FindAccountedResponse { accounted }))
    }
}

impl AccountingRpc {
    async fn reserve(&self, request: pb::ReserveCreditRequest) -> Result<Granted, LookupError> {
        let charge = wire::charge(request.charge.ok_or(LookupError::Invalid("charge"))?)?;
        if request.seconds < 0 {
            return Err(LookupError::Invalid("seconds"));
        }
        let reservation = Reservation {
            key: charge.key,
            terms: charge.terms,
            seconds: request.seconds,
            expires_at: self.clock.now().plus(HELD),
        };
        let granted = self.directory.reserve(&reservation).await?;
        granted.ok_or(LookupError::AccountNotFound)
    }

    async fn find(&self, request: &pb::FindAccountedRequest) -> Result<Vec<bool>, LookupError> {
        if request.keys.len() > MAX_KEYS {
            return Err(LookupError::Invalid("keys"));
        }
        let keys = request.keys.iter().map(|key| wire::key(&key.tag, key.i_account, key.service()));
        let keys = keys.collect::<Result<Vec<Key>, _>>()?;
        Ok(self.directory.accounted(&keys).await?)
    }
}
