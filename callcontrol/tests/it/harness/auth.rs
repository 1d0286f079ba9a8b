//! An auth that knows four accounts.

use mesh::caller::{self, Owner};
use mesh::net::Network;
use mesh::server::GrpcServer;
use mesh::token::Verifier;
use proto::auth::v1::authorization_service_server::{
    AuthorizationService, AuthorizationServiceServer,
};
use proto::auth::v1::check_scope_request::Of;
use proto::auth::v1::get_account_request::By;
use proto::auth::v1::{
    CheckScopeRequest, CheckScopeResponse, GetAccountRequest, GetAccountResponse,
    ResolveNumberRequest, ResolveNumberResponse,
};
use proto::switch::v1::Account;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// `i_account`, `account_id`, `i_customer`, `i_reseller`.
const ACCOUNTS: [(i64, &str, i64, i64); 4] =
    [(1, "101", 1, 3), (2, "102", 1, 3), (3, "201", 2, 0), (4, "301", 4, 3)];

/// Accounts whose product lets them connect two numbers.
const MAY_CONNECT_TWO: [i64; 2] = [1, 3];

/// `i_c_queue` and its customer.
const QUEUES: [(i64, i64); 1] = [(9, 1)];

#[derive(Clone, Debug)]
struct Auth;

pub(super) fn start(
    network: &Network,
    verifier: &Verifier,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let listener = network.listen_memory("auth");
    let server = GrpcServer::new("auth")
        .verifier(verifier.clone())
        .routes(Routes::new(AuthorizationServiceServer::new(Auth)));
    let stop = stop.clone();
    tasks.spawn(async move { server.serve(listener, stop).await.unwrap() });
}

fn account((i_account, id, i_customer, i_reseller): (i64, &str, i64, i64)) -> Account {
    Account {
        i_account,
        account_id: id.to_owned(),
        name: id.to_owned(),
        i_customer,
        i_reseller,
        ..Account::default()
    }
}

#[tonic::async_trait]
impl AuthorizationService for Auth {
    async fn resolve_number(
        &self,
        _request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        panic!("callcontrol resolves no numbers")
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let by = request.into_inner().by.unwrap();
        let found = ACCOUNTS.into_iter().find(|account| match &by {
            By::IAccount(i_account) => account.0 == *i_account,
            By::AccountId(id) => account.1 == id,
        });
        Ok(Response::new(GetAccountResponse {
            may_connect_two: found.is_some_and(|found| MAY_CONNECT_TWO.contains(&found.0)),
            account: found.map(account),
            ..GetAccountResponse::default()
        }))
    }

    async fn check_scope(
        &self,
        request: Request<CheckScopeRequest>,
    ) -> Result<Response<CheckScopeResponse>, Status> {
        let scope = caller::of(&request)?.scope;
        let customer_of =
            |i_customer: i64| ACCOUNTS.into_iter().find(|found| found.2 == i_customer);
        let found = match request.into_inner().of.unwrap() {
            Of::ICustomer(i_customer) => customer_of(i_customer),
            Of::IAccount(i_account) => ACCOUNTS.into_iter().find(|found| found.0 == i_account),
            Of::ICQueue(i_c_queue) => {
                let queue = QUEUES.into_iter().find(|(queue, _)| *queue == i_c_queue);
                queue.and_then(|(_, i_customer)| customer_of(i_customer))
            }
            Of::AccessNumber(_) => None,
        };
        let found = found.filter(|(_, _, i_customer, i_reseller)| {
            scope.reaches(Owner { i_reseller: *i_reseller, i_customer: *i_customer })
        });
        Ok(Response::new(CheckScopeResponse {
            in_scope: found.is_some(),
            i_customer: found.map_or(0, |found| found.2),
        }))
    }
}
