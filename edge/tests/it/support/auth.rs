//! Auth: a few logins, sessions as tokens, revocations.

use std::collections::HashMap;

use mesh::Clock;
use mesh::caller::Scope;
use mesh::fault::{Code, RpcError};
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use mesh::token::{Claims, Revocation, Subject, Verifier};
use proto::auth::v1::authentication_service_server::AuthenticationService;
use proto::auth::v1::authorization_service_server::AuthorizationService;
use proto::auth::v1::*;
use proto::options::v1::Realm;
use proto::switch::v1::Account;
use tonic::{Request, Response, Status};

use super::Shared;

#[derive(Clone, Debug)]
pub(crate) struct Auth {
    clock: Clock,
    verifier: Verifier,
    state: Shared<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Claims by refresh token.
    refresh: HashMap<String, Claims>,
    issued: usize,
    opened: usize,
    addresses: Vec<String>,
    realms: Vec<Realm>,
    /// Epoch and scopes that outdated sessions get; without them auth does not answer.
    renewal: Option<(i64, Vec<String>)>,
    renewed: usize,
    /// Every session has ended.
    is_over: bool,
    /// Accounts that nobody else may see any more.
    left: Vec<i64>,
}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refusal(Code, &'static str);

impl RpcError for Refusal {
    fn code(&self) -> Code {
        self.0
    }

    fn reason(&self) -> &'static str {
        self.1
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        (self.1 == "LOCKED").then_some(std::time::Duration::from_mins(15))
    }
}

fn refuse(code: Code, reason: &'static str) -> Status {
    mesh::status("auth", &Refusal(code, reason))
}

impl Auth {
    pub(crate) fn new(clock: Clock, verifier: Verifier) -> Self {
        Self { clock, verifier, state: Shared::default() }
    }

    /// Sessions opened so far.
    pub(crate) fn opened(&self) -> usize {
        self.state.lock().opened
    }

    /// Addresses that logins came from.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.state.lock().addresses.clone()
    }

    /// Changes the rights of everybody: outdated sessions get these.
    pub(crate) fn change_rights(&self, epoch: i64, scopes: &[&str]) {
        self.change_rights_unheard(epoch, scopes);
        let subject = Subject::Role("test".to_owned());
        self.verifier.revoke(Revocation { subject, epoch, ends: false });
    }

    /// The same, and nobody has been told yet.
    pub(crate) fn change_rights_unheard(&self, epoch: i64, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.state.lock().renewal = Some((epoch, scopes));
    }

    /// Ends every session, and nobody has been told yet.
    pub(crate) fn end_sessions_unheard(&self) {
        self.state.lock().is_over = true;
    }

    /// Takes an account out of everybody's scope.
    pub(crate) fn take_away(&self, i_account: i64) {
        self.state.lock().left.push(i_account);
    }

    /// Sessions that got new rights.
    pub(crate) fn renewed(&self) -> usize {
        self.state.lock().renewed
    }

    /// Realms in which logins were looked for.
    pub(crate) fn realms(&self) -> Vec<Realm> {
        self.state.lock().realms.clone()
    }

    fn tokens(&self, mut claims: Claims) -> Tokens {
        let now = self.clock.now().as_seconds();
        claims.iat = now;
        claims.exp = now + 900;
        let number = {
            let mut state = self.state.lock();
            state.issued += 1;
            state.issued
        };
        let tokens = Tokens {
            session_id: claims.jti.clone(),
            access_token: ISSUER_OF_TESTS.sign(&claims),
            refresh_token: format!("refresh-{number}"),
            expires_at_us: claims.exp * 1_000_000,
            expires_in: 900,
        };
        self.state.lock().refresh.insert(tokens.refresh_token.clone(), claims);
        tokens
    }
}

#[tonic::async_trait]
impl AuthenticationService for Auth {
    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        let request = request.into_inner();
        let asked = Realm::try_from(request.realm).unwrap();
        {
            let mut state = self.state.lock();
            state.addresses.push(request.address);
            state.realms.push(asked);
        }
        if request.login == "locked" {
            return Err(refuse(Code::ResourceExhausted, "LOCKED"));
        }
        if request.password.as_deref().or(request.token.as_deref()) != Some("secret") {
            return Err(refuse(Code::Unauthenticated, "AUTH_FAILED"));
        }
        if request.login == "shared" && asked == Realm::Unspecified {
            return Err(refuse(Code::InvalidArgument, "REALM_REQUIRED"));
        }
        let scope = match request.login.as_str() {
            "shared" if asked == Realm::Customer => Scope::Customer { i_customer: 1 },
            "101" | "shared" => Scope::Account { i_customer: 1, i_account: 1 },
            "102" => Scope::Account { i_customer: 1, i_account: 2 },
            "admin" => Scope::Everything,
            _ => return Err(refuse(Code::Unauthenticated, "AUTH_FAILED")),
        };
        if asked != Realm::Unspecified && asked != scope.realm() {
            return Err(refuse(Code::Unauthenticated, "AUTH_FAILED"));
        }
        self.state.lock().opened += 1;
        let mut claims = claims(scope, &["call_control:modify"], self.clock.now());
        claims.login = request.login;
        Ok(Response::new(OpenSessionResponse { tokens: Some(self.tokens(claims)) }))
    }

    async fn open_session_below(
        &self,
        request: Request<OpenSessionBelowRequest>,
    ) -> Result<Response<OpenSessionBelowResponse>, Status> {
        mesh::caller::of(&request)?;
        let request = request.into_inner();
        if request.login != "101" {
            return Err(refuse(Code::NotFound, "LOGIN_NOT_FOUND"));
        }
        let scope = Scope::Account { i_customer: 1, i_account: 1 };
        let mut claims = claims(scope, &["call_control:modify"], self.clock.now());
        claims.login = request.login;
        Ok(Response::new(OpenSessionBelowResponse { tokens: Some(self.tokens(claims)) }))
    }

    async fn refresh_session(
        &self,
        request: Request<RefreshSessionRequest>,
    ) -> Result<Response<RefreshSessionResponse>, Status> {
        let claims = self.state.lock().refresh.remove(&request.into_inner().refresh_token);
        let claims = claims.ok_or_else(|| refuse(Code::Unauthenticated, "REFRESH_FAILED"))?;
        Ok(Response::new(RefreshSessionResponse { tokens: Some(self.tokens(claims)) }))
    }

    async fn renew_session(
        &self,
        request: Request<RenewSessionRequest>,
    ) -> Result<Response<RenewSessionResponse>, Status> {
        if self.state.lock().is_over {
            return Err(refuse(Code::Unauthenticated, "AUTH_FAILED"));
        }
        let renewal = self.state.lock().renewal.clone();
        let Some((epoch, scopes)) = renewal else { return std::future::pending().await };
        let holder = self.verifier.holder(&request.into_inner().access_token);
        let holder = holder.map_err(|_| refuse(Code::Unauthenticated, "AUTH_FAILED"))?;
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let mut claims = claims(holder.scope, &scopes, self.clock.now());
        (claims.jti, claims.exp, claims.epoch) =
            (holder.session_id.clone(), holder.expires_at, epoch);
        self.state.lock().renewed += 1;
        let access_token = ISSUER_OF_TESTS.sign(&claims);
        Ok(Response::new(RenewSessionResponse { access_token }))
    }

    async fn find_session(
        &self,
        request: Request<FindSessionRequest>,
    ) -> Result<Response<FindSessionResponse>, Status> {
        if request.into_inner().session_id != "of another edge" {
            return Err(refuse(Code::Unauthenticated, "AUTH_FAILED"));
        }
        let scope = Scope::Account { i_customer: 1, i_account: 1 };
        let mut claims = claims(scope, &["call_control:modify"], self.clock.now());
        claims.jti = "of another edge".to_owned();
        let access_token = ISSUER_OF_TESTS.sign(&claims);
        Ok(Response::new(FindSessionResponse { access_token }))
    }

    async fn end_session(
        &self,
        request: Request<EndSessionRequest>,
    ) -> Result<Response<EndSessionResponse>, Status> {
        let caller = mesh::caller::of(&request)?;
        self.verifier.revoke(Revocation {
            subject: Subject::Session(caller.session_id.clone()),
            epoch: 0,
            ends: true,
        });
        Ok(Response::new(EndSessionResponse {}))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        if request.get_ref().login.is_none() {
            mesh::caller::of(&request)?;
        }
        match request.into_inner().old_password.as_str() {
            "secret" => Ok(Response::new(ChangePasswordResponse {})),
            _ => Err(refuse(Code::Unauthenticated, "OLD_PASSWORD_WRONG")),
        }
    }

    async fn get_keys(
        &self,
        _request: Request<GetKeysRequest>,
    ) -> Result<Response<GetKeysResponse>, Status> {
        Ok(Response::new(GetKeysResponse { jwks: ISSUER_OF_TESTS.jwks() }))
    }

    type WatchRevocationsStream = tokio_stream::Pending<Result<WatchRevocationsResponse, Status>>;

    async fn watch_revocations(
        &self,
        _request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        Ok(Response::new(tokio_stream::pending()))
    }
}

#[tonic::async_trait]
impl AuthorizationService for Auth {
    async fn resolve_number(
        &self,
        _request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let Some(get_account_request::By::IAccount(i_account)) = request.into_inner().by else {
            return Err(Status::unimplemented("not needed"));
        };
        let account = Account {
            i_account,
            account_id: (100 + i_account).to_string(),
            i_customer: 1,
            ..Account::default()
        };
        Ok(Response::new(GetAccountResponse { account: Some(account), ..Default::default() }))
    }

    /// Customers 1 and 2; accounts, queues below 10 and access numbers belong to customer 1.
    async fn check_scope(
        &self,
        request: Request<CheckScopeRequest>,
    ) -> Result<Response<CheckScopeResponse>, Status> {
        let caller = mesh::caller::of(&request)?;
        let of = request.into_inner().of;
        let has_left = matches!(
            of,
            Some(check_scope_request::Of::IAccount(it)) if self.state.lock().left.contains(&it)
        );
        let owner = match of {
            Some(check_scope_request::Of::ICustomer(i_customer @ 1..=2)) => Some(i_customer),
            Some(
                check_scope_request::Of::IAccount(1..=9) | check_scope_request::Of::ICQueue(1..=9),
            ) => Some(1),
            Some(check_scope_request::Of::AccessNumber(number)) if number == "1733" => Some(1),
            _ => None,
        };
        let in_reach =
            |i_customer: &i64| caller.scope.i_customer().is_none_or(|own| own == *i_customer);
        let i_customer = owner.filter(in_reach).filter(|_| !has_left);
        Ok(Response::new(CheckScopeResponse {
            in_scope: i_customer.is_some(),
            i_customer: i_customer.unwrap_or_default(),
        }))
    }
}
