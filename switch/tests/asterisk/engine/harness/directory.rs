//! An auth that knows the phones of the tests.

use mesh::net::Network;
use mesh::server::GrpcServer;
use mesh::testing::token::ISSUER_OF_TESTS;
use mesh::token::Verifier;
use proto::auth::v1::authorization_service_server::{
    AuthorizationService, AuthorizationServiceServer,
};
use proto::auth::v1::get_account_request::By;
use proto::auth::v1::resolve_number_response::Route;
use proto::auth::v1::{
    CheckScopeRequest, CheckScopeResponse, GetAccountRequest, GetAccountResponse, Nowhere,
    ResolveNumberRequest, ResolveNumberResponse,
};
use proto::switch::v1::Account;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// `i_account`, `account_id`, name, `i_customer`. The last one has no phone.
const ACCOUNTS: [(i64, &str, &str, i64); 4] =
    [(1, "101", "Alice", 1), (2, "102", "Bob", 1), (3, "103", "Carol", 2), (9, "109", "Nobody", 1)];

#[derive(Clone, Debug)]
struct Directory;

pub(super) fn start(network: &Network, tasks: &TaskTracker, stop: &CancellationToken) {
    let listener = network.listen_memory("auth");
    let server = GrpcServer::new("auth")
        .verifier(Verifier::with_keys(&ISSUER_OF_TESTS.jwks()))
        .routes(Routes::new(AuthorizationServiceServer::new(Directory)));
    let stop = stop.clone();
    tasks.spawn(async move { server.serve(listener, stop).await.unwrap() });
}

/// An account of the directory.
pub(crate) fn account(i_account: i64) -> Account {
    let found = ACCOUNTS.into_iter().find(|account| account.0 == i_account);
    let (i_account, account_id, name, i_customer) = found.expect("an account");
    let (account_id, name) = (account_id.to_owned(), name.to_owned());
    Account { i_account, account_id, name, i_customer, ..Account::default() }
}

pub(super) fn by_id(id: &str) -> Option<Account> {
    ACCOUNTS.into_iter().find(|account| account.1 == id).map(|found| account(found.0))
}

#[tonic::async_trait]
impl AuthorizationService for Directory {
    async fn resolve_number(
        &self,
        request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        let ResolveNumberRequest { i_customer, number, .. } = request.into_inner();
        let route = match by_id(&number) {
            Some(account) if i_customer == 0 || account.i_customer == i_customer => {
                Route::Account(account)
            }
            Some(account) => Route::ForeignAccount(account),
            None if number.len() > 6 => Route::Pstn(number),
            None => Route::Nowhere(Nowhere {}),
        };
        Ok(Response::new(ResolveNumberResponse { route: Some(route), refused: false }))
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let account = match request.into_inner().by {
            Some(By::AccountId(id)) => by_id(&id),
            _ => None,
        };
        Ok(Response::new(GetAccountResponse { account, ..GetAccountResponse::default() }))
    }

    async fn check_scope(
        &self,
        _request: Request<CheckScopeRequest>,
    ) -> Result<Response<CheckScopeResponse>, Status> {
        Err(Status::unimplemented("the switch compares scopes itself"))
    }
}
