//! The claims of an access token.

use std::fmt;

use proto::options::v1::Realm;
use serde::{Deserialize, Serialize};

use super::TokenError;
use crate::caller::{self, Caller, Scope};

/// Claim `iss` of every token.
pub const ISSUER: &str = "cordboard";

/// Claim `aud` of every token.
pub const AUDIENCE: &str = "cordboard";

/// What an access token says. Auth signs it, everybody else verifies it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed: [`ISSUER`].
    pub iss: String,
    /// For whom: [`AUDIENCE`].
    pub aud: String,
    /// The user, unique over all realms, e.g. `account:1`.
    pub sub: String,
    /// End, seconds since 1970 UTC.
    pub exp: i64,
    /// Issue, seconds since 1970 UTC.
    pub iat: i64,
    /// Begin, seconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The session.
    pub jti: String,
    /// Login name.
    pub login: String,
    /// `admin`, `reseller`, `customer` or `account`.
    pub realm: String,
    /// The environment.
    pub i_env: i64,
    /// The administrator, in realm `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i_user: Option<i64>,
    /// The reseller, in realm `reseller`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i_reseller: Option<i64>,
    /// The customer, in realms `customer` and `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i_customer: Option<i64>,
    /// The account, in realm `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub i_account: Option<i64>,
    /// Name of the role.
    pub role: String,
    /// What the role grants, e.g. `call_control:modify`.
    pub scopes: Vec<String>,
    /// True for the administrator who may do everything.
    pub is_super_user: bool,
    /// Revocations with a higher number end the token.
    pub epoch: i64,
}

/// Names who and until when, and nothing that belongs to a person.
impl fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Claims")
            .field("sub", &self.sub)
            .field("realm", &self.realm)
            .field("role", &self.role)
            .field("exp", &self.exp)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Claims {
    /// The caller that the claims describe. Scopes of components unknown here are left out: a
    /// newer auth may know more.
    ///
    /// # Errors
    /// `Malformed` when the realm is unknown or lacks its id.
    pub fn into_caller(self) -> Result<Caller, TokenError> {
        let scope = match caller::realm_of_name(&self.realm) {
            Some(Realm::Admin) => Some(Scope::Everything),
            Some(Realm::Reseller) => {
                self.i_reseller.map(|i_reseller| Scope::Reseller { i_reseller })
            }
            Some(Realm::Customer) => {
                self.i_customer.map(|i_customer| Scope::Customer { i_customer })
            }
            Some(Realm::Account) => self
                .i_customer
                .zip(self.i_account)
                .map(|(i_customer, i_account)| Scope::Account { i_customer, i_account }),
            Some(Realm::Unspecified) | None => None,
        };
        Ok(Caller {
            session_id: self.jti,
            user: self.sub,
            login: self.login,
            scope: scope.ok_or(TokenError::Malformed)?,
            role: self.role,
            permissions: self.scopes.iter().filter_map(|scope| caller::permission(scope)).collect(),
            is_super_user: self.is_super_user,
            epoch: self.epoch,
            expires_at: self.exp,
        })
    }
}
