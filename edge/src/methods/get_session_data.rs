//! `Session/get_session_data`: who the caller is and what it may do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh::caller::{Caller, scope_of};
use mesh::token::Claims;
use proto::auth::v1::GetAccountRequest;
use proto::auth::v1::authorization_service_client::AuthorizationServiceClient;
use proto::auth::v1::get_account_request::By;
use proto::options::v1::Component;
use proto::session::v1::{GetSessionDataResponse, Permissions};
use tracing::debug;

use super::request;
use crate::rpc::{Call, Fault, Outcome};

pub(super) async fn handle(call: &Call<'_>) -> Result<Outcome, Fault> {
    let session = call.session()?;
    let caller = &session.caller;
    let claims = claims(session.token()).ok_or_else(|| Fault::internal(call.method))?;
    let account_id = match caller.scope.i_account() {
        Some(i_account) => account_id(call, i_account).await,
        None => None,
    };
    let notifications = if call.edge.live.is_ok() { "ok" } else { "degraded" };
    Ok(Outcome::new(&GetSessionDataResponse {
        session_id: session.id().to_owned(),
        realm: caller.scope.realm().into(),
        login: caller.login.clone(),
        i_env: claims.i_env,
        i_user: claims.i_user,
        i_reseller: claims.i_reseller,
        i_customer: caller.scope.i_customer(),
        i_account: caller.scope.i_account(),
        account_id,
        role: caller.role.clone(),
        permissions: Some(permissions(caller)),
        scopes: caller.permissions.iter().map(|granted| scope_of(*granted)).collect(),
        expires_in: session.expires_in(call.edge.clock.now().as_seconds()),
        notifications: notifications.to_owned(),
        is_super_user: caller.is_super_user,
    }))
}

/// The claims of a token that was verified before.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn permissions(caller: &Caller) -> Permissions {
    let level = |component: Component| {
        let granted = caller.permissions.iter().filter(|(granted, _)| *granted == component);
        granted.map(|(_, level)| *level as i32).max().unwrap_or_default()
    };
    Permissions {
        call_control: level(Component::CallControl),
        call_supervision: level(Component::CallSupervision),
        accounts: level(Component::Accounts),
        xdrs: level(Component::Xdrs),
        huntgroups: level(Component::Huntgroups),
        ivr: level(Component::Ivr),
    }
}

/// The account's id; without auth the answer goes without it.
async fn account_id(call: &Call<'_>, i_account: i64) -> Option<String> {
    let mut client = AuthorizationServiceClient::new(call.edge.auth.clone());
    let asked = request(
        call,
        GetAccountRequest { by: Some(By::IAccount(i_account)), ..Default::default() },
    );
    match client.get_account(asked).await {
        Ok(response) => response.into_inner().account.map(|account| account.account_id),
        Err(status) => {
            debug!(code = ?status.code(), "account of the session not found");
            None
        }
    }
}
