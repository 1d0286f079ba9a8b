//! `AccountService`: phone lines.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh::caller::{self, Caller};
use proto::auth::v1 as pb;
use proto::auth::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

use super::error::status;
use super::list::{page, within};
use crate::availability::Phones;
use crate::domain::directory::{AccountKey, Directory};
use crate::domain::error::LookupError;
use crate::domain::id::IAccount;
use crate::domain::party::AccountDetails;

/// Serves `AccountService`.
#[derive(Debug)]
pub(crate) struct AccountRpc {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) phones: Phones,
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn get_account_list(
        &self,
        request: Request<pb::GetAccountListRequest>,
    ) -> Result<Response<pb::GetAccountListResponse>, Status> {
        let caller = caller::of(&request)?;
        let listed = self.list(&caller, request.into_inner()).await;
        Ok(Response::new(listed.map_err(|error| status(&error))?))
    }

    async fn get_account_info(
        &self,
        request: Request<pb::GetAccountInfoRequest>,
    ) -> Result<Response<pb::GetAccountInfoResponse>, Status> {
        let caller = caller::of(&request)?;
        let found = self.info(&caller, request.into_inner()).await;
        let account_info = Some(found.map_err(|error| status(&error))?);
        Ok(Response::new(pb::GetAccountInfoResponse { account_info }))
    }
}

impl AccountRpc {
    async fn list(
        &self,
        caller: &Caller,
        request: pb::GetAccountListRequest,
    ) -> Result<pb::GetAccountListResponse, LookupError> {
        let within = within(&*self.directory, caller, request.i_customer).await?;
        let id = request.id.as_deref();
        let page = page(request.limit, request.offset);
        let accounts = self.directory.accounts(within, id, page).await?;
        let total = if request.get_total {
            Some(self.directory.count_accounts(within, id).await?)
        } else {
            None
        };
        let of: BTreeSet<i64> =
            accounts.iter().map(|details| details.account.i_customer.0).collect();
        let shown = if caller.scope.i_account().is_some() { brief } else { full };
        let mut account_list: Vec<_> = accounts.into_iter().map(shown).collect();
        self.say_availability(&mut account_list, of).await;
        Ok(pb::GetAccountListResponse { account_list, total })
    }

    async fn info(
        &self,
        caller: &Caller,
        request: pb::GetAccountInfoRequest,
    ) -> Result<pb::AccountInfo, LookupError> {
        let own = caller.scope.i_account();
        let key = match (request.i_account, request.id.as_deref(), own) {
            (Some(_), Some(_), _) => return Err(LookupError::Invalid("id")),
            (Some(i_account), None, _) | (None, None, Some(i_account)) => {
                AccountKey::IAccount(IAccount(i_account))
            }
            (None, Some(id), _) => AccountKey::Id(id),
            (None, None, None) => return Err(LookupError::Missing("i_account")),
        };
        let found = self.directory.account(key).await?;
        let found = found.filter(|details| caller.scope.reaches(details.account.owner()));
        let details = found.ok_or(LookupError::AccountNotFound)?;
        // Of its colleagues an account learns no more than the list tells it.
        let is_open = own.is_none_or(|own| own == details.account.i_account.0);
        let of = BTreeSet::from([details.account.i_customer.0]);
        let shown = if is_open { full(details) } else { brief(details) };
        let mut shown = [shown];
        self.say_availability(&mut shown, of).await;
        let [shown] = shown;
        Ok(shown)
    }

    /// Says of accounts of these customers what their phones are.
    async fn say_availability(&self, accounts: &mut [pb::AccountInfo], i_customers: BTreeSet<i64>) {
        let phones = self.phones.of(i_customers).await;
        for account in accounts {
            account.availability = phones.as_ref().map(|phones| phones.of(account.i_account));
        }
    }
}

fn brief(details: AccountDetails) -> pb::AccountInfo {
    pb::AccountInfo {
        i_account: details.account.i_account.0,
        id: details.account.id,
        name: details.account.name,
        ..pb::AccountInfo::default()
    }
}

fn full(details: AccountDetails) -> pb::AccountInfo {
    pb::AccountInfo {
        i_customer: Some(details.account.i_customer.0),
        login: details.login.clone(),
        blocked: Some(details.account.is_blocked),
        product_name: details.product.clone(),
        ..brief(details)
    }
}
