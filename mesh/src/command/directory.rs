//! What auth knows of accounts and of a session's scope.

use crate::caller::{Owner, Scope};
use crate::client::Pool;
use proto::auth::v1::authorization_service_client::AuthorizationServiceClient;
use proto::auth::v1::check_scope_request::Of;
use proto::auth::v1::get_account_request::By;
use proto::auth::v1::{CheckScopeRequest, GetAccountRequest, GetAccountResponse};
use proto::switch::v1::{Account, ConferenceOwner};

use super::refusal::Refusal;
use super::session::Session;

/// Asks auth.
#[derive(Clone, Debug)]
pub struct Directory {
    client: AuthorizationServiceClient<Pool>,
}

/// An account and what its product lets it do.
#[derive(Clone, Debug)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// Whether it may connect two numbers and pay for both.
    pub may_connect_two: bool,
}

impl Directory {
    /// Asks the auth behind this pool.
    #[must_use]
    pub fn new(auth: Pool) -> Self {
        Self { client: AuthorizationServiceClient::new(auth) }
    }

    /// The account that a command is for: the named one, else the session's own.
    ///
    /// # Errors
    /// `AccountNotFound` when there is none, when it is out of the session's scope, or when the
    /// two names are of two accounts; `MissingParam` when none is named and the session has none.
    pub async fn account(
        &self,
        session: &Session,
        account_id: Option<&str>,
        i_account: Option<i64>,
    ) -> Result<Account, Refusal> {
        self.line(session, account_id, i_account).await.map(|line| line.account)
    }

    /// As [`Self::account`], with what its product lets it do.
    ///
    /// # Errors
    /// The same.
    pub async fn line(
        &self,
        session: &Session,
        account_id: Option<&str>,
        i_account: Option<i64>,
    ) -> Result<Line, Refusal> {
        let named = i_account.map(By::IAccount);
        let named = named.or_else(|| account_id.map(|id| By::AccountId(id.to_owned())));
        let own = session.scope().i_account().map(By::IAccount);
        let by = named.or(own).ok_or(Refusal::MissingParam("account_id"))?;
        let request = session.request(GetAccountRequest { by: Some(by), with_services: false });
        let answer = self.client.clone().get_account(request).await.map_err(Refusal::Directory)?;
        let answer = answer.into_inner();
        let may_connect_two = answer.may_connect_two;
        let account = answer.account.ok_or(Refusal::AccountNotFound)?;
        let is_named = account_id.is_none_or(|id| id == account.account_id)
            && i_account.is_none_or(|i_account| i_account == account.i_account);
        if is_named && reaches(session.scope(), &account) {
            Ok(Line { account, may_connect_two })
        } else {
            Err(Refusal::AccountNotFound)
        }
    }

    /// An account of the session's environment, also another than the session's own.
    ///
    /// # Errors
    /// `AccountNotFound` when there is none there.
    pub async fn colleague(&self, session: &Session, account_id: &str) -> Result<Account, Refusal> {
        self.here(session, account_id, false).await.map(|(account, _)| account)
    }

    /// As [`Self::colleague`], with what it may as the owner of a conference.
    ///
    /// # Errors
    /// The same.
    pub async fn conference_owner(
        &self,
        session: &Session,
        account_id: &str,
    ) -> Result<ConferenceOwner, Refusal> {
        let (account, answer) = self.here(session, account_id, true).await?;
        let GetAccountResponse { may_confer, has_credit, .. } = answer;
        Ok(ConferenceOwner { account: Some(account), may_confer, has_credit })
    }

    async fn here(
        &self,
        session: &Session,
        account_id: &str,
        with_services: bool,
    ) -> Result<(Account, GetAccountResponse), Refusal> {
        let by = Some(By::AccountId(account_id.to_owned()));
        let request = session.request(GetAccountRequest { by, with_services });
        let answer = self.client.clone().get_account(request).await.map_err(Refusal::Directory)?;
        let mut answer = answer.into_inner();
        let account = answer.account.take().ok_or(Refusal::AccountNotFound)?;
        let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
        if account.account_id == account_id && session.scope().reaches(owner) {
            Ok((account, answer))
        } else {
            Err(Refusal::AccountNotFound)
        }
    }

    /// The customer that an object belongs to; `None` when there is no such object in the
    /// session's scope.
    ///
    /// # Errors
    /// When auth does not answer.
    pub async fn customer_of(&self, session: &Session, of: Of) -> Result<Option<i64>, Refusal> {
        let request = session.request(CheckScopeRequest { of: Some(of) });
        let answer = self.client.clone().check_scope(request).await.map_err(Refusal::Directory)?;
        let answer = answer.into_inner();
        Ok(answer.in_scope.then_some(answer.i_customer))
    }
}

fn reaches(scope: &Scope, account: &Account) -> bool {
    let owner = Owner { i_reseller: account.i_reseller, i_customer: account.i_customer };
    scope.reaches(owner) && scope.i_account().is_none_or(|own| own == account.i_account)
}
