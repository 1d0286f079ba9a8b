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
    AccessNumber, CheckScopeRequest, CheckScopeResponse, GetAccountRequest, GetAccountResponse,
    HuntGroup, Nowhere, ResolveNumberRequest, ResolveNumberResponse,
};
use proto::switch::v1::Account;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// `i_account`, `account_id`, name, `i_customer`. The last one has no phone.
const ACCOUNTS: [(i64, &str, &str, i64); 7] = [
    (1, "101", "Alice", 1),
    (2, "102", "Bob", 1),
    (3, "103", "Carol", 2),
    (4, "104", "Dora", 1),
    (5, "105", "Emil", 1),
    (6, "106", "Frida", 1),
    (9, "109", "Nobody", 1),
];

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

/// A queue whose agents are Bob and Dora.
const QUEUE: &str = "7000";

fn queue() -> HuntGroup {
    HuntGroup {
        i_c_group: 1,
        id: QUEUE.to_owned(),
        name: "Sales".to_owned(),
        i_customer: 1,
        i_c_queue: Some(1),
        queue_name: Some("Sales".to_owned()),
        agents: vec![account(2), account(4)],
        members: vec![2, 4],
        ..HuntGroup::default()
    }
}

/// A number of an application.
const ACCESS_NUMBER: &str = "8000";

fn access_number() -> AccessNumber {
    AccessNumber {
        number: ACCESS_NUMBER.to_owned(),
        i_ivr_application: 1,
        owner: Some(account(5)),
        enabled: true,
        ..AccessNumber::default()
    }
}

#[tonic::async_trait]
impl AuthorizationService for Directory {
    async fn resolve_number(
        &self,
        request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        let ResolveNumberRequest { i_customer, number, .. } = request.into_inner();
        let route = match by_id(&number) {
            _ if number == QUEUE => Route::HuntGroup(queue()),
            _ if number == ACCESS_NUMBER => Route::AccessNumber(access_number()),
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
