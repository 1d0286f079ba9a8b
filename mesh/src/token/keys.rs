//! Auth's public keys.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::{AUDIENCE, Claims, ISSUER, TokenError};

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Public keys by key id.
#[derive(Default)]
pub(super) struct Keys {
    by_id: HashMap<String, DecodingKey>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.by_id.keys()).finish()
    }
}

impl Keys {
    /// Reads a JWK set; keys of other kinds and keys without id are left out.
    pub(super) fn read(jwks: &str) -> anyhow::Result<Self> {
        let set: JwkSet = serde_json::from_str(jwks).context("not a JWK set")?;
        let mut by_id = HashMap::new();
        for jwk in &set.keys {
            let key = DecodingKey::from_jwk(jwk).context("unreadable key")?;
            if let (Some(id), jsonwebtoken::AlgorithmFamily::Rsa) =
                (&jwk.common.key_id, key.family())
            {
                by_id.insert(id.clone(), key);
            }
        }
        ensure!(!by_id.is_empty(), "no RS256 key with an id");
        Ok(Self { by_id })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The claims of a token whose signature, issuer and audience fit. Times are not looked at.
    pub(super) fn claims_of(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_error| TokenError::Malformed)?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenError::Malformed);
        }
        let key_id = header.kid.ok_or(TokenError::Malformed)?;
        if self.is_empty() {
            return Err(TokenError::KeysUnavailable);
        }
        let key = self.by_id.get(&key_id).ok_or(TokenError::UnknownKey)?;
        let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation());
        decoded.map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => TokenError::BadSignature,
            _ => TokenError::Malformed,
        })
    }
}

/// The times are compared with our own clock, by the caller.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.leeway = 0;
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}
