//! `CDRService`: what was charged.

use std::sync::Arc;

use mesh::caller::{self, Caller};
use mesh::clock::Timestamp;
use proto::auth::v1 as pb;
use proto::auth::v1::cdr_service_server::CdrService;
use proto::call::v1::CallRef;
use tonic::{Request, Response, Status};

use super::error::status;
use super::list::{page, within};
use crate::domain::accounting::{Direction, Service, Xdr, XdrsWithin};
use crate::domain::directory::{AccountKey, Directory};
use crate::domain::error::LookupError;
use crate::domain::id::IAccount;

/// Serves `CDRService`.
#[derive(Debug)]
pub(crate) struct CdrRpc {
    pub(crate) directory: Arc<dyn Directory>,
}

#[tonic::async_trait]
impl CdrService for CdrRpc {
    async fn get_xdr_list(
        &self,
        request: Request<pb::GetXdrListRequest>,
    ) -> Result<Response<pb::GetXdrListResponse>, Status> {
        let caller = caller::of(&request)?;
        let listed = self.list(&caller, request.into_inner()).await;
        Ok(Response::new(listed.map_err(|error| status(&error))?))
    }
}

impl CdrRpc {
    async fn list(
        &self,
        caller: &Caller,
        request: pb::GetXdrListRequest,
    ) -> Result<pb::GetXdrListResponse, LookupError> {
        let within = XdrsWithin {
            within: within(&*self.directory, caller, request.i_customer).await?,
            i_account: self.account(caller, &request).await?,
            service: match request.service() {
                pb::ChargedService::Unspecified => None,
                pb::ChargedService::Voice => Some(Service::Voice),
                pb::ChargedService::Conferencing => Some(Service::Conferencing),
            },
            from: request.from_date.map(Timestamp::from_micros),
            to: request.to_date.map(Timestamp::from_micros),
        };
        let page = page(request.limit, request.offset);
        let (xdrs, total) = if request.get_total {
            let (xdrs, total) = self.directory.counted_xdrs(within, page).await?;
            (xdrs, Some(total))
        } else {
            (self.directory.xdrs(within, page).await?, None)
        };
        Ok(pb::GetXdrListResponse { xdr_list: xdrs.into_iter().map(wire).collect(), total })
    }

    /// The account of which the list is: the one that is named, in the account realm its own.
    async fn account(
        &self,
        caller: &Caller,
        request: &pb::GetXdrListRequest,
    ) -> Result<Option<IAccount>, LookupError> {
        let mut narrowed = caller.scope.i_account().map(IAccount);
        let by_key = request.i_account.map(|key| AccountKey::IAccount(IAccount(key)));
        let by_id = request.account_id.as_deref().map(AccountKey::Id);
        for key in [by_key, by_id].into_iter().flatten() {
            let found = self.directory.account(key).await?.map(|details| details.account);
            let account = found
                .filter(|account| caller.scope.reaches(account.owner()))
                // Two names are names of the same one, and an account sees itself alone.
                .filter(|account| narrowed.is_none_or(|it| it == account.i_account))
                .ok_or(LookupError::AccountNotFound)?;
            narrowed = Some(account.i_account);
        }
        Ok(narrowed)
    }
}

fn wire(xdr: Xdr) -> pb::Xdr {
    let service = match xdr.service {
        Service::Voice => pb::ChargedService::Voice,
        Service::Conferencing => pb::ChargedService::Conferencing,
    };
    let direction = match xdr.direction {
        Direction::Incoming => pb::ChargedDirection::Incoming,
        Direction::Outgoing => pb::ChargedDirection::Outgoing,
    };
    pb::Xdr {
        i_xdr: xdr.i_xdr,
        call: Some(CallRef { id: xdr.call_id, tag: Some(xdr.tag) }),
        tracking_id: xdr.tracking_id,
        account_id: xdr.account_id,
        i_customer: xdr.i_customer.0,
        service: service.into(),
        direction: direction.into(),
        cli: xdr.cli,
        cld: xdr.cld,
        connect_time: xdr.connect_time.as_micros(),
        disconnect_time: xdr.disconnect_time.as_micros(),
        charged_quantity: xdr.charged_quantity,
        charged_amount: xdr.charged_amount.to_string(),
        currency: xdr.currency,
        disconnect_cause: i32::try_from(xdr.disconnect_cause).unwrap_or_default(),
        recording: xdr.recording,
    }
}
