//! `AuthenticationService`: sessions, keys and revocations.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use mesh::Clock;
use mesh::caller;
use mesh::fault::RpcError;
use proto::auth::v1 as pb;
use proto::auth::v1::authentication_service_server::AuthenticationService;
use proto::options::v1::Realm as WireRealm;
use tonic::{Request, Response, Status};

use super::error::status;
use crate::domain::access::Realm;
use crate::domain::error::{LookupError, SessionError};
use crate::domain::secret::Secret;
use crate::domain::session::SessionId;
use crate::keyring::Keyring;
use crate::metrics;
use crate::revocations::Revocations;
use crate::sessions::{Proof, Sessions, Tokens};

/// Serves `AuthenticationService`.
#[derive(Debug)]
pub(crate) struct AuthenticationRpc {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) revocations: Revocations,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) clock: Clock,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AuthenticationService for AuthenticationRpc {
    async fn open_session(
        &self,
        request: Request<pb::OpenSessionRequest>,
    ) -> Answer<pb::OpenSessionResponse> {
        let request = request.into_inner();
        let realm = optional_realm(request.realm)?;
        let proof = match (request.password, request.token) {
            (Some(password), None) => Proof::Password(Secret::new(password)),
            (None, Some(token)) => Proof::Token(Secret::new(token)),
            (Some(_), Some(_)) | (None, None) => {
                return Err(status(&LookupError::Missing("password")));
            }
        };
        let opened = self.sessions.open(&request.login, &proof, realm, &request.address).await;
        metrics::login(opened.as_ref().map_or_else(RpcError::reason, |_tokens| "opened"));
        let tokens = opened.map_err(|error| status(&error))?;
        Ok(Response::new(pb::OpenSessionResponse { tokens: Some(self.wire(tokens)) }))
    }

    async fn open_session_below(
        &self,
        request: Request<pb::OpenSessionBelowRequest>,
    ) -> Answer<pb::OpenSessionBelowResponse> {
        let caller = caller::of(&request)?;
        let request = request.into_inner();
        let realm =
            optional_realm(request.realm)?.ok_or_else(|| status(&LookupError::Invalid("realm")))?;
        let opened = self.sessions.open_below(&caller, &request.login, realm).await;
        let tokens = opened.map_err(|error| status(&error))?;
        Ok(Response::new(pb::OpenSessionBelowResponse { tokens: Some(self.wire(tokens)) }))
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Answer<pb::RefreshSessionResponse> {
        let token = Secret::new(request.into_inner().refresh_token);
        let refreshed = self.sessions.refresh(&token).await;
        if refreshed.is_err() {
            // It may have been a reuse, which ends the session.
            self.revocations.hurry();
        }
        let tokens = refreshed.map_err(|error| status(&error))?;
        Ok(Response::new(pb::RefreshSessionResponse { tokens: Some(self.wire(tokens)) }))
    }

    async fn renew_session(
        &self,
        request: Request<pb::RenewSessionRequest>,
    ) -> Answer<pb::RenewSessionResponse> {
        let token = request.into_inner().access_token;
        let holder = self.revocations.holder(&token);
        let holder = holder.map_err(|_not_good| status(&SessionError::AuthFailed))?;
        let renewed = self.sessions.renew(&holder).await.map_err(|error| status(&error))?;
        Ok(Response::new(pb::RenewSessionResponse { access_token: renewed.expose().to_owned() }))
    }

    async fn find_session(
        &self,
        request: Request<pb::FindSessionRequest>,
    ) -> Answer<pb::FindSessionResponse> {
        let id = SessionId(request.into_inner().session_id);
        let found = self.sessions.find(id).await.map_err(|error| status(&error))?;
        Ok(Response::new(pb::FindSessionResponse { access_token: found.expose().to_owned() }))
    }

    async fn end_session(
        &self,
        request: Request<pb::EndSessionRequest>,
    ) -> Answer<pb::EndSessionResponse> {
        let caller = caller::of(&request)?;
        self.sessions.end(&caller).await.map_err(|error| status(&error))?;
        self.revocations.hurry();
        Ok(Response::new(pb::EndSessionResponse {}))
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Answer<pb::ChangePasswordResponse> {
        let login = request.get_ref().login.clone();
        let caller = login.is_none().then(|| caller::of(&request)).transpose()?;
        let request = request.into_inner();
        let (old, new) = (Secret::new(request.old_password), Secret::new(request.new_password));
        let changed = match (caller, login) {
            (Some(caller), _) => self.sessions.change_password(&caller, &old, &new).await,
            (None, login) => {
                let realm = optional_realm(request.realm)?;
                let login = login.unwrap_or_default();
                let address = &request.address;
                self.sessions.change_password_of(&login, realm, address, &old, &new).await
            }
        };
        changed.map_err(|error| status(&error))?;
        self.revocations.hurry();
        Ok(Response::new(pb::ChangePasswordResponse {}))
    }

    async fn get_keys(&self, _: Request<pb::GetKeysRequest>) -> Answer<pb::GetKeysResponse> {
        Ok(Response::new(pb::GetKeysResponse { jwks: self.keys.jwks() }))
    }

    type WatchRevocationsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchRevocationsResponse, Status>> + Send>>;

    async fn watch_revocations(
        &self,
        request: Request<pb::WatchRevocationsRequest>,
    ) -> Answer<Self::WatchRevocationsStream> {
        let news = self.revocations.watch(request.into_inner().after);
        let answers = news.map(|news| {
            Ok(pb::WatchRevocationsResponse {
                position: news.position,
                revocation: news.revocation.map(|revocation| revocation.to_proto()),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

impl AuthenticationRpc {
    fn wire(&self, tokens: Tokens) -> pb::Tokens {
        let left = tokens.expires_at.since(self.clock.now());
        pb::Tokens {
            session_id: tokens.session_id.0,
            access_token: tokens.access_token.expose().to_owned(),
            refresh_token: tokens.refresh_token.expose().to_owned(),
            expires_at_us: tokens.expires_at.as_micros(),
            // Rounded up: a token that was just made has its whole life.
            expires_in: i64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(i64::MAX),
        }
    }
}

fn optional_realm(realm: i32) -> Result<Option<Realm>, Status> {
    let unknown = || status(&LookupError::Invalid("realm"));
    Ok(match WireRealm::try_from(realm).map_err(|_unknown| unknown())? {
        WireRealm::Unspecified => None,
        WireRealm::Admin => Some(Realm::Admin),
        WireRealm::Reseller => Some(Realm::Reseller),
        WireRealm::Customer => Some(Realm::Customer),
        WireRealm::Account => Some(Realm::Account),
    })
}
