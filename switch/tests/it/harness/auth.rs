//! An auth that knows the accounts 101 to 105 of one customer and 201 of another; 105 has no
//! credit.

use mesh::net::Network;
use mesh::server::GrpcServer;
use proto::auth::v1::authorization_service_server::{
    AuthorizationService, AuthorizationServiceServer,
};
use proto::auth::v1::get_account_request::By;
use proto::auth::v1::resolve_number_response::Route;
use proto::auth::v1::{
    AccessNumber, CheckScopeRequest, CheckScopeResponse, GetAccountRequest, GetAccountResponse,
    Nowhere, ResolveNumberRequest, ResolveNumberResponse,
};
use proto::switch::v1::Account;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Leads to an application of 104.
pub(crate) const ACCESS_NUMBER: &str = "1733355700";

#[derive(Clone, Debug)]
struct Auth;

pub(super) fn start(network: &Network, tasks: &TaskTracker, stop: &CancellationToken) {
    let listener = network.listen_memory("auth");
    let routes = Routes::new(AuthorizationServiceServer::new(Auth));
    let serving = GrpcServer::new("auth").routes(routes).serve(listener, stop.clone());
    tasks.spawn(async move { serving.await.unwrap() });
}

/// The account with this id.
pub(crate) fn account(id: &str) -> Option<Account> {
    let number: i64 = id.parse().ok().filter(|_| id.len() == 3)?;
    let i_customer = match number {
        101..=105 => 1,
        201 => 2,
        _ => return None,
    };
    Some(Account {
        i_account: number,
        account_id: id.to_owned(),
        name: format!("Name {id}"),
        i_customer,
        i_reseller: 7,
        ..Account::default()
    })
}

#[tonic::async_trait]
impl AuthorizationService for Auth {
    async fn resolve_number(
        &self,
        request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        let ResolveNumberRequest { i_customer, i_account, number } = request.into_inner();
        let route = match account(&number) {
            Some(found) if i_customer == 0 || found.i_customer == i_customer => {
                Route::Account(found)
            }
            Some(found) => Route::ForeignAccount(found),
            None if number == ACCESS_NUMBER && i_customer <= 1 => {
                Route::AccessNumber(AccessNumber {
                    number,
                    i_ivr_application: 1,
                    owner: account("104"),
                    enabled: true,
                    on_app_gone: "terminate".to_owned(),
                })
            }
            None if number.len() >= 7 => Route::Pstn(number),
            None => Route::Nowhere(Nowhere {}),
        };
        let response = ResolveNumberResponse { route: Some(route), refused: i_account == 105 };
        Ok(Response::new(response))
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let found = match request.into_inner().by {
            Some(By::AccountId(id)) => account(&id),
            Some(By::IAccount(i_account)) => account(&i_account.to_string()),
            None => None,
        };
        Ok(Response::new(GetAccountResponse { account: found, ..GetAccountResponse::default() }))
    }

    async fn check_scope(
        &self,
        _request: Request<CheckScopeRequest>,
    ) -> Result<Response<CheckScopeResponse>, Status> {
        panic!("the switch checks no scopes there")
    }
}
