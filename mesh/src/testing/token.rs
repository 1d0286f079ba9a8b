//! An issuer of access tokens, in place of auth.

#![expect(clippy::expect_used, reason = "a test fails where its keys do")]

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proto::options::v1::Realm;
use serde::Serialize;
use uuid::Uuid;

use crate::caller::{self, Scope};
use crate::clock::Timestamp;
use crate::token::{AUDIENCE, Claims, ISSUER};

/// Signs tokens with a key of its own.
pub struct Issuer {
    key_id: String,
    key: EncodingKey,
    jwk: serde_json::Value,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Issuer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The issuer that tests share, since making a key takes long.
pub static ISSUER_OF_TESTS: LazyLock<Issuer> = LazyLock::new(|| Issuer::new("test"));

impl Issuer {
    /// Makes a key, which takes a good part of a second.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new(key_id: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key is made");
        let der = pair.as_der().expect("the key is written");
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(der.as_ref())
        );
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = pair.public_key();
        let jwk = serde_json::json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        });
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("the key is read");
        Self { key_id: key_id.to_owned(), key, jwk }
    }

    /// The public key as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> String {
        serde_json::json!({ "keys": [self.jwk] }).to_string()
    }

    /// Signs claims.
    ///
    /// # Panics
    /// When they cannot be signed.
    #[must_use]
    pub fn sign(&self, claims: &impl Serialize) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.key).expect("claims are signed")
    }
}

/// Claims of a new session of `scope` that hold from `now` for 15 minutes, e.g. with `scopes`
/// `&["call_control:modify"]`.
#[must_use]
pub fn claims(scope: Scope, scopes: &[&str], now: Timestamp) -> Claims {
    let (i_user, i_reseller, i_customer, i_account) = match scope {
        Scope::Everything => (Some(1), None, None, None),
        Scope::Reseller { i_reseller } => (None, Some(i_reseller), None, None),
        Scope::Customer { i_customer } => (None, None, Some(i_customer), None),
        Scope::Account { i_customer, i_account } => (None, None, Some(i_customer), Some(i_account)),
    };
    let realm = caller::realm_name(scope.realm());
    let id = match scope.realm() {
        Realm::Reseller => i_reseller,
        Realm::Customer => i_customer,
        Realm::Account => i_account,
        Realm::Admin | Realm::Unspecified => i_user,
    };
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: format!("{realm}:{}", id.unwrap_or_default()),
        exp: now.as_seconds() + 900,
        iat: now.as_seconds(),
        nbf: None,
        jti: Uuid::new_v4().to_string(),
        login: format!("{realm}-{}", id.unwrap_or_default()),
        realm: realm.to_owned(),
        i_env: 1,
        i_user,
        i_reseller,
        i_customer,
        i_account,
        role: "test".to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        is_super_user: false,
        epoch: 1,
    }
}
