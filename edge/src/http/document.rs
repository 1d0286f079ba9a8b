//! What is read and not called: the page, the descriptions of the API, the public keys.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use proto::auth::v1::GetKeysRequest;
use proto::auth::v1::authentication_service_client::AuthenticationServiceClient;
use proto::options::v1::Realm;
use tokio::time::Instant;

use super::reply::{self, Reply};
use crate::edge::Edge;
use crate::entrance::Entrance;

/// How long the public keys are kept, since anybody may ask for them.
const KEYS_LAST: Duration = Duration::from_secs(5);

const PAGE: &str = include_str!("page.html");

/// Answers a GET. A listener that is bound to a realm has the description of that one alone.
pub(super) async fn answer(edge: &Arc<Edge>, entrance: &Entrance, path: &str) -> Reply {
    let realm = match path {
        "/" => return reply::document(HeaderValue::from_static("text/html; charset=utf-8"), PAGE),
        "/doc/openrpc.json" => return reply::json_document(proto::doc::openrpc()),
        "/.well-known/jwks.json" => return keys(edge).await,
        "/doc/api/AdminInterface.json" => Realm::Admin,
        "/doc/api/ResellerInterface.json" => Realm::Reseller,
        "/doc/api/CustomerInterface.json" => Realm::Customer,
        "/doc/api/AccountInterface.json" => Realm::Account,
        _ => return reply::not_found(),
    };
    if !entrance.admits(realm) {
        return reply::not_found();
    }
    proto::doc::openapi(realm).map_or_else(reply::not_found, reply::json_document)
}

async fn keys(edge: &Edge) -> Reply {
    if let Some((jwks, fetched_at)) = &*edge.keys.lock()
        && fetched_at.elapsed() < KEYS_LAST
    {
        return reply::json(jwks.clone());
    }
    let mut client = AuthenticationServiceClient::new(edge.auth.clone());
    match client.get_keys(GetKeysRequest {}).await {
        Ok(response) => {
            let jwks = response.into_inner().jwks;
            *edge.keys.lock() = Some((jwks.clone(), Instant::now()));
            reply::json(jwks)
        }
        Err(_) => reply::fault(
            StatusCode::SERVICE_UNAVAILABLE,
            "Server.http.unavailable",
            "authentication is not reachable",
        ),
    }
}
