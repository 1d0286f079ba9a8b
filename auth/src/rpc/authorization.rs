//! `AuthorizationService`: what a number is, who an account is, what lies in a scope.
//!
//! `ResolveNumber` and `GetAccount` serve the mesh itself, also where no session is behind a call
//! (a phone that dials), so they look at no scope; who asks compares it where the object is.

use std::sync::Arc;

use mesh::caller::{self, Caller, Owner, Scope};
use proto::auth::v1 as pb;
use proto::auth::v1::authorization_service_server::AuthorizationService;
use proto::auth::v1::check_scope_request::Of;
use proto::auth::v1::get_account_request::By;
use proto::auth::v1::resolve_number_response::Route as WireRoute;
use proto::switch::v1 as switch;
use tonic::{Request, Response, Status};

use super::error::status;
use crate::domain::directory::{AccountKey, CustomerKey, Directory, StoreError};
use crate::domain::error::LookupError;
use crate::domain::id::{IAccount, ICQueue, ICustomer};
use crate::domain::number::{self, Origin, Route};
use crate::domain::party::{AccessNumber, Account, Entry, HuntGroup, Standing};

/// Serves `AuthorizationService`.
#[derive(Debug)]
pub(crate) struct AuthorizationRpc {
    pub(crate) directory: Arc<dyn Directory>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AuthorizationService for AuthorizationRpc {
    async fn resolve_number(
        &self,
        request: Request<pb::ResolveNumberRequest>,
    ) -> Answer<pb::ResolveNumberResponse> {
        let request = request.into_inner();
        let response = self.resolve(&request).await.map_err(|error| status(&error))?;
        Ok(Response::new(response))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Answer<pb::GetAccountResponse> {
        let request = request.into_inner();
        let found = match request.by {
            None => return Err(status(&LookupError::Invalid("by"))),
            Some(By::IAccount(key)) => {
                let key = AccountKey::IAccount(IAccount(key));
                let found = self.directory.account(key).await;
                found.map(|found| found.map(|details| details.account))
            }
            Some(By::AccountId(id)) => {
                let found = self.directory.number(number::normalise(&id)).await;
                found.map(|entry| match entry {
                    Some(Entry::Account(account)) => Some(account),
                    _ => None,
                })
            }
        };
        let account = found.map_err(|error| status(&error))?;
        let asked = account.as_ref().filter(|_| request.with_services);
        let (may_confer, has_credit) = match asked.map(|account| account.i_account) {
            Some(i_account) => {
                let details = self.directory.account(AccountKey::IAccount(i_account)).await;
                let details = details.map_err(|error| status(&error))?;
                let standing = self.directory.standing(i_account).await;
                let standing = standing.map_err(|error| status(&error))?;
                (
                    details.is_some_and(|details| details.has_conferencing),
                    standing.is_some_and(|standing| standing.has_credit),
                )
            }
            None => (false, false),
        };
        Ok(Response::new(pb::GetAccountResponse {
            blocked: account.as_ref().is_some_and(|account| account.is_blocked),
            may_confer,
            has_credit,
            may_connect_two: account.as_ref().is_some_and(|account| account.may_connect_two),
            account: account.map(wire_account),
        }))
    }

    async fn check_scope(
        &self,
        request: Request<pb::CheckScopeRequest>,
    ) -> Answer<pb::CheckScopeResponse> {
        let caller = caller::of(&request)?;
        let object = request.into_inner().of.ok_or_else(|| status(&LookupError::Invalid("of")))?;
        let owner = self.in_scope(&caller, object).await.map_err(|error| status(&error))?;
        Ok(Response::new(pb::CheckScopeResponse {
            in_scope: owner.is_some(),
            i_customer: owner.map_or(0, |owner| owner.i_customer),
        }))
    }
}

impl AuthorizationRpc {
    async fn resolve(
        &self,
        request: &pb::ResolveNumberRequest,
    ) -> Result<pb::ResolveNumberResponse, StoreError> {
        let origin = match request.i_customer {
            0 => Origin::Trunk,
            i_customer => Origin::Customer(ICustomer(i_customer)),
        };
        let entry = self.directory.number(number::normalise(&request.number)).await?;
        let refused = match request.i_account {
            0 => false,
            i_account => self
                .directory
                .standing(IAccount(i_account))
                .await?
                // An account that is gone pays for nothing.
                .is_none_or(Standing::refuses),
        };
        let route = wire_route(number::route(origin, &request.number, entry));
        Ok(pb::ResolveNumberResponse { route: Some(route), refused })
    }

    /// The owner of an object, when the caller's scope includes it.
    async fn in_scope(&self, caller: &Caller, object: Of) -> Result<Option<Owner>, StoreError> {
        // An account sees itself, its own access numbers and the queues where it is an agent.
        let own = |key: IAccount| caller.scope.i_account().is_none_or(|own| own == key.0);
        let is_account = matches!(caller.scope, Scope::Account { .. });
        let owner = match object {
            Of::ICustomer(key) if !is_account => {
                let key = CustomerKey::ICustomer(ICustomer(key));
                self.directory.customer(key).await?.map(|customer| customer.owner())
            }
            Of::ICustomer(_) => None,
            Of::IAccount(key) => self
                .directory
                .account(AccountKey::IAccount(IAccount(key)))
                .await?
                .filter(|details| own(details.account.i_account))
                .map(|details| details.account.owner()),
            Of::AccessNumber(number) => {
                match self.directory.number(number::normalise(&number)).await? {
                    Some(Entry::AccessNumber(access))
                        if own(access.application_owner.i_account) =>
                    {
                        Some(access.application_owner.owner())
                    }
                    _ => None,
                }
            }
            Of::ICQueue(key) => self
                .directory
                .hunt_group_of(ICQueue(key))
                .await?
                .filter(|group| {
                    !is_account || group.members.iter().any(|member| own(member.account.i_account))
                })
                .map(|group| group.owner()),
        };
        Ok(owner.filter(|owner| caller.scope.reaches(*owner)))
    }
}

fn wire_route(route: Route) -> WireRoute {
    match route {
        Route::Account(account) => WireRoute::Account(wire_account(account)),
        Route::ForeignAccount(account) => WireRoute::ForeignAccount(wire_account(account)),
        Route::Pstn(number) => WireRoute::Pstn(number),
        Route::HuntGroup(group) => WireRoute::HuntGroup(wire_hunt_group(group)),
        Route::AccessNumber(number) => WireRoute::AccessNumber(wire_access_number(number)),
        Route::Nowhere => WireRoute::Nowhere(pb::Nowhere {}),
    }
}

fn wire_account(account: Account) -> switch::Account {
    switch::Account {
        i_account: account.i_account.0,
        i_reseller: account.owner().i_reseller,
        account_id: account.id,
        name: account.name,
        i_customer: account.i_customer.0,
        decision_timeout_seconds: account.decision.as_ref().map_or(0, |it| seconds(it.timeout)),
        decision_fallback: account.decision.map(|it| it.fallback).unwrap_or_default(),
    }
}

/// A count or a time as messages have it; the import has bounded it.
fn seconds(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn wire_hunt_group(group: HuntGroup) -> pb::HuntGroup {
    let owner = group.owner();
    let settings = group.queue.as_ref().map(|queue| pb::QueueSettings {
        ring_all: queue.rules.ring_all,
        agent_timeout_seconds: seconds(queue.rules.agent_timeout),
        max_waiting: seconds(queue.rules.max_waiting),
        max_wait_seconds: seconds(queue.rules.max_wait),
        overflow: queue.rules.overflow.clone().unwrap_or_default(),
    });
    let (i_c_queue, queue_name) = group.queue.map(|queue| (queue.i_c_queue.0, queue.name)).unzip();
    pb::HuntGroup {
        i_c_group: group.i_c_group.0,
        id: group.id,
        name: group.name,
        i_customer: owner.i_customer,
        i_reseller: owner.i_reseller,
        i_c_queue,
        queue_name,
        settings,
        decision_timeout_seconds: group.decision.as_ref().map_or(0, |it| seconds(it.timeout)),
        decision_fallback: group.decision.map(|it| it.fallback).unwrap_or_default(),
        members: group.members.iter().map(|member| member.account.i_account.0).collect(),
        agents: group
            .members
            .into_iter()
            .filter(|member| member.is_active)
            .map(|member| wire_account(member.account))
            .collect(),
    }
}

fn wire_access_number(number: AccessNumber) -> pb::AccessNumber {
    pb::AccessNumber {
        number: number.number,
        i_ivr_application: number.i_ivr_application.0,
        owner: Some(wire_account(number.application_owner)),
        enabled: number.is_enabled,
        on_app_gone: number.on_app_gone.as_str().to_owned(),
    }
}
