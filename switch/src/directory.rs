//! What the engine asks of the directory: who dials, and where a number leads.

use std::time::Duration;

use async_trait::async_trait;
use mesh::caller::Owner;
use mesh::client::Pool;
use proto::auth::v1 as pb;
use proto::auth::v1::accounting_service_client::AccountingServiceClient;
use proto::auth::v1::authorization_service_client::AuthorizationServiceClient;
use proto::switch::v1::AccountingRecord;

use crate::domain::{
    AGENT_TIMEOUT, Account, Application, Group, OnAppGone, QueueSettings, ResolveFailure, Route,
};
use crate::driver::sim;
use crate::journal::Accounted;

/// Where a number leads, and in whose environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The environment that the number belongs to, when it belongs to one.
    pub owner: Option<Owner>,
    /// What it is.
    pub route: Route,
}

/// The directory does not answer.
#[derive(Debug, thiserror::Error)]
#[error("directory does not answer")]
pub struct DirectoryError(#[source] pub Box<tonic::Status>);

/// The engine's view of the directory.
#[async_trait]
pub trait Directory: Send + Sync + std::fmt::Debug + 'static {
    /// Finds an account by its id.
    ///
    /// # Errors
    /// When the directory does not answer.
    async fn account(&self, account_id: &str) -> Result<Option<Account>, DirectoryError>;

    /// Finds what `number` is for an account that dials it and pays.
    ///
    /// # Errors
    /// [`ResolveFailure`] says why the call cannot go on.
    async fn resolve(
        &self,
        i_customer: i64,
        i_account: i64,
        number: &str,
    ) -> Result<Route, ResolveFailure>;

    /// Has credit held for a charge, for `seconds` in all; says for how many there is, `None` when
    /// the charge costs nothing.
    ///
    /// # Errors
    /// When the directory does not answer.
    async fn reserve(
        &self,
        charge: AccountingRecord,
        seconds: u64,
    ) -> Result<Option<u64>, DirectoryError>;

    /// Finds what `number` is for a call that comes in from outside.
    ///
    /// # Errors
    /// When the directory does not answer.
    async fn destination(&self, number: &str) -> Result<Destination, DirectoryError>;
}

/// The directory behind auth's gRPC.
#[derive(Clone, Debug)]
pub struct AuthDirectory {
    pool: Pool,
    client: AuthorizationServiceClient<Pool>,
    accounting: AccountingServiceClient<Pool>,
}

/// How long a call waits for auth to come back, e.g. while it is started anew.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long auth may take to answer about credit; well below the time before a slice's end at which
/// it is asked.
const ASK: Duration = Duration::from_secs(3);

impl AuthDirectory {
    /// The directory of the auth service that `pool` reaches.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            client: AuthorizationServiceClient::new(pool.clone()),
            accounting: AccountingServiceClient::new(pool.clone()),
            pool,
        }
    }

    /// Auth's client, once it is reachable or patience is over: then the request itself fails.
    async fn client(&self) -> AuthorizationServiceClient<Pool> {
        if self.pool.connected() == 0 {
            tokio::time::timeout(PATIENCE, self.pool.until_connected()).await.ok();
        }
        self.client.clone()
    }

    async fn ask(
        &self,
        i_customer: i64,
        i_account: i64,
        number: &str,
    ) -> Result<pb::ResolveNumberResponse, DirectoryError> {
        let request = pb::ResolveNumberRequest { i_customer, i_account, number: number.to_owned() };
        let answer = self.client().await.resolve_number(request).await;
        Ok(answer.map_err(|status| DirectoryError(Box::new(status)))?.into_inner())
    }
}

#[async_trait]
impl Directory for AuthDirectory {
    async fn account(&self, account_id: &str) -> Result<Option<Account>, DirectoryError> {
        let by = pb::get_account_request::By::AccountId(account_id.to_owned());
        let request = pb::GetAccountRequest { by: Some(by), with_services: false };
        let answer = self.client().await.get_account(request).await;
        let answer = answer.map_err(|status| DirectoryError(Box::new(status)))?.into_inner();
        Ok(answer.account.map(crate::wire::account))
    }

    async fn resolve(
        &self,
        i_customer: i64,
        i_account: i64,
        number: &str,
    ) -> Result<Route, ResolveFailure> {
        let answer = self.ask(i_customer, i_account, number).await.map_err(|error| {
            tracing::warn!(error = %error.0, "directory does not answer");
            ResolveFailure::Unavailable
        })?;
        if answer.refused {
            return Err(ResolveFailure::NotAllowed);
        }
        let found = destination(answer);
        match found {
            // Of another environment: reached as over a trunk.
            Destination { owner: Some(owner), route: Route::HuntGroup(group) }
                if owner.i_customer != i_customer =>
            {
                Ok(Route::Foreign { number: group.id, name: group.name })
            }
            Destination { owner: Some(owner), route: Route::Application(application) }
                if owner.i_customer != i_customer =>
            {
                let Application { number, owner, .. } = *application;
                Ok(Route::Foreign { number, name: owner.name })
            }
            found => Ok(found.route),
        }
    }

    async fn reserve(
        &self,
        charge: AccountingRecord,
        seconds: u64,
    ) -> Result<Option<u64>, DirectoryError> {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let request = pb::ReserveCreditRequest { charge: Some(charge), seconds };
        let mut client = self.accounting.clone();
        let answer = match tokio::time::timeout(ASK, client.reserve_credit(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(tonic::Status::deadline_exceeded("no answer about credit")),
        };
        match answer {
            Ok(answer) => {
                let seconds = answer.into_inner().seconds;
                Ok(seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0)))
            }
            // An account that is gone pays for nothing.
            Err(status) if status.code() == tonic::Code::NotFound => Ok(Some(0)),
            Err(status) => Err(DirectoryError(Box::new(status))),
        }
    }

    async fn destination(&self, number: &str) -> Result<Destination, DirectoryError> {
        Ok(destination(self.ask(0, 0, number).await?))
    }
}

fn destination(answer: pb::ResolveNumberResponse) -> Destination {
    use pb::resolve_number_response::Route as Found;
    match answer.route {
        Some(Found::Account(account)) => {
            let account = crate::wire::account(account);
            let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
            Destination { owner: Some(owner), route: Route::Account(account) }
        }
        Some(Found::ForeignAccount(account)) => {
            let route = Route::Foreign { number: account.account_id, name: account.name };
            Destination { owner: None, route }
        }
        Some(Found::Pstn(number)) => Destination { owner: None, route: Route::Pstn { number } },
        Some(Found::HuntGroup(group)) => Destination {
            owner: Some(Owner { i_reseller: group.i_reseller, i_customer: group.i_customer }),
            route: Route::HuntGroup(Box::new(hunt_group(group))),
        },
        Some(Found::AccessNumber(access)) => {
            // The number has an owner, also while there is nothing behind it.
            let owner = access.owner.as_ref();
            let owner =
                owner.map(|of| Owner { i_reseller: of.i_reseller, i_customer: of.i_customer });
            let route = application(access)
                .map_or(Route::Nowhere, |application| Route::Application(Box::new(application)));
            Destination { owner, route }
        }
        Some(Found::Nowhere(_)) | None => Destination { owner: None, route: Route::Nowhere },
    }
}

/// The application behind an access number, unless its owner may have none.
fn application(access: pb::AccessNumber) -> Option<Application> {
    let on_app_gone = match access.on_app_gone.as_str() {
        "terminate" => OnAppGone::Terminate,
        "continue" => OnAppGone::Continue,
        _ => OnAppGone::Fallback,
    };
    let owner = crate::wire::account(access.owner.filter(|_| access.enabled)?);
    Some(Application { number: access.number, owner, on_app_gone })
}

fn hunt_group(group: pb::HuntGroup) -> Group {
    let seconds = |seconds: i32| {
        u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    };
    let settings = group.settings.unwrap_or_default();
    let queue = group.i_c_queue.map(|i_c_queue| QueueSettings {
        i_c_queue,
        name: group.queue_name.unwrap_or_default(),
        rings_all: settings.ring_all,
        agent_timeout: seconds(settings.agent_timeout_seconds).unwrap_or(AGENT_TIMEOUT),
        max_waiting: usize::try_from(settings.max_waiting).ok().filter(|max| *max > 0),
        max_wait: seconds(settings.max_wait_seconds),
        overflow: Some(settings.overflow).filter(|number| !number.is_empty()),
    });
    Group {
        id: group.id,
        name: group.name,
        agents: group.agents.into_iter().map(crate::wire::account).collect(),
        members: group.members,
        queue,
        decision: crate::wire::decision(group.decision_timeout_seconds, group.decision_fallback),
    }
}

#[async_trait]
impl Accounted for AuthDirectory {
    async fn accounted(&self, records: &[AccountingRecord]) -> Option<Vec<bool>> {
        let key = |record: &AccountingRecord| pb::AccountingKey {
            tag: record.tag.clone(),
            i_account: record.i_account,
            service: record.service,
        };
        let request = pb::FindAccountedRequest { keys: records.iter().map(key).collect() };
        let mut client = self.accounting.clone();
        let answer = tokio::time::timeout(ASK, client.find_accounted(request)).await.ok()?;
        match answer {
            Ok(answer) => Some(answer.into_inner().accounted),
            Err(error) => {
                tracing::debug!(%error, "auth says nothing about accounting records");
                None
            }
        }
    }
}

/// The simulated phones exist for the accounts of the directory.
#[async_trait]
impl sim::Phonebook for AuthDirectory {
    async fn is_account(&self, account_id: &str) -> Result<bool, sim::PhonebookError> {
        let account = self.account(account_id).await;
        Ok(account.map_err(|error| sim::PhonebookError(Box::new(error)))?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_whose_owner_may_have_no_application_is_the_owners_and_leads_nowhere() {
        let owner = proto::switch::v1::Account {
            i_customer: 1,
            i_reseller: 3,
            ..proto::switch::v1::Account::default()
        };
        let access = pb::AccessNumber {
            number: "1733355700".to_owned(),
            owner: Some(owner),
            enabled: false,
            ..pb::AccessNumber::default()
        };
        let route = Some(pb::resolve_number_response::Route::AccessNumber(access));

        let found = destination(pb::ResolveNumberResponse { route, ..Default::default() });

        assert_eq!(found.owner, Some(Owner { i_reseller: 3, i_customer: 1 }));
        assert!(matches!(found.route, Route::Nowhere), "{:?}", found.route);
    }
}
