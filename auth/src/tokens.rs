//! Signs access tokens, and makes refresh tokens.
//!
//! Access tokens are JWTs signed with RS256. The key is parsed once and kept, since parsing costs
//! as much as signing. Refresh tokens are random; each is followed by one derived from it under a
//! secret of the installation, so that a repeated exchange is answered with the same token
//! without keeping any token, and nobody without the secret can tell the next.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mesh::clock::Timestamp;
use mesh::token::Claims;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::domain::secret::Secret;
use crate::domain::session::StoredKey;

/// Random bytes of a refresh token or secret.
const RANDOM_BYTES: usize = 32;

/// Why a token or key could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The system gives no random bytes, or the key does not sign.
    #[error("a key or token could not be made")]
    Crypto,
    /// What is kept as a key is none.
    #[error("a signing key in the store cannot be read")]
    Key,
}

/// A key that signs access tokens.
pub struct SigningKey {
    kid: String,
    pair: RsaKeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a key of 2048 bits and what is to be kept of it. Takes tens to hundreds of
    /// milliseconds of a core.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(now: Timestamp) -> Result<StoredKey, TokenError> {
        let pair =
            RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_unspecified| TokenError::Crypto)?;
        let pkcs8 = pair.as_der().map_err(|_unspecified| TokenError::Crypto)?;
        let stored = Secret::new(STANDARD.encode(pkcs8.as_ref()));
        Ok(StoredKey { kid: thumbprint(&pair), pkcs8: stored, created_at: now })
    }

    /// Reads a key that was kept.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn read(stored: &StoredKey) -> Result<Self, TokenError> {
        let pkcs8 = STANDARD.decode(stored.pkcs8.expose()).map_err(|_error| TokenError::Key)?;
        let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|_error| TokenError::Key)?;
        Ok(Self { kid: stored.kid.clone(), pair })
    }

    /// The public half as a JWK.
    fn jwk(&self) -> serde_json::Value {
        let (n, e) = components(&self.pair);
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e})
    }

    /// Signs claims.
    ///
    /// # Errors
    /// When signing fails, which it does not.
    pub fn sign(&self, claims: &Claims) -> Result<Secret, TokenError> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.kid}).to_string();
        let claims = serde_json::to_vec(claims).map_err(|_error| TokenError::Crypto)?;
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_unspecified| TokenError::Crypto)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::new(token))
    }
}

/// The public halves of keys as a JWK set (RFC 7517).
#[must_use]
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> String {
    json!({"keys": keys.into_iter().map(SigningKey::jwk).collect::<Vec<_>>()}).to_string()
}

/// Modulus and exponent, base64url.
fn components(pair: &RsaKeyPair) -> (String, String) {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e))
}

/// Names a key after itself (RFC 7638): whoever makes the same key gives the same name.
fn thumbprint(pair: &RsaKeyPair) -> String {
    let (n, e) = components(pair);
    // Members in lexicographic order and without blanks are what the RFC hashes.
    let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// Makes refresh tokens.
#[derive(Debug)]
pub struct RefreshTokens {
    key: hmac::Key,
}

impl RefreshTokens {
    /// Derives successors under `secret`, which all that serve the same store share.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()) }
    }

    /// The token that follows another.
    #[must_use]
    pub fn successor(&self, token: &Secret) -> Secret {
        let tag = hmac::sign(&self.key, token.expose().as_bytes());
        Secret::new(URL_SAFE_NO_PAD.encode(tag))
    }
}

/// A token or secret that nobody can guess.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random() -> Result<Secret, TokenError> {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).map_err(|_unspecified| TokenError::Crypto)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// What the store keeps of a token. Tokens are long and random, so a plain hash hides them.
#[must_use]
pub fn digest(token: &Secret) -> Secret {
    use fmt::Write as _;
    let digest = Sha256::digest(token.expose().as_bytes());
    let hex = digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    });
    Secret::new(hex)
}

#[cfg(test)]
mod tests {
    use mesh::clock::Clock;
    use mesh::token::Verifier;

    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: mesh::token::ISSUER.to_owned(),
            aud: mesh::token::AUDIENCE.to_owned(),
            sub: "account:1".to_owned(),
            exp: 900,
            iat: 0,
            nbf: None,
            jti: "s".to_owned(),
            login: "101".to_owned(),
            realm: "account".to_owned(),
            i_env: 1,
            i_user: None,
            i_reseller: None,
            i_customer: Some(1),
            i_account: Some(1),
            role: "default".to_owned(),
            scopes: vec!["xdrs:read".to_owned()],
            is_super_user: false,
            epoch: 0,
        }
    }

    #[tokio::test]
    async fn a_token_is_good_for_who_knows_the_public_key_of_its_signer() {
        let stored = SigningKey::generate(Timestamp::default()).unwrap();
        let key = SigningKey::read(&stored).unwrap();
        let other = SigningKey::read(&SigningKey::generate(Timestamp::default()).unwrap()).unwrap();
        let token = key.sign(&claims()).unwrap();

        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let verifier = Verifier::with_keys_and_clock(&jwks(&[key]), clock.clone());
        let stranger = Verifier::with_keys_and_clock(&jwks(&[other]), clock);

        assert_eq!(verifier.verify(token.expose()).await.unwrap().user, "account:1");
        assert_eq!(stranger.verify(token.expose()).await, Err(mesh::token::TokenError::UnknownKey));
    }

    #[test]
    fn the_same_claims_give_the_same_token() {
        let key = SigningKey::read(&SigningKey::generate(Timestamp::default()).unwrap()).unwrap();

        assert_eq!(key.sign(&claims()), key.sign(&claims()));
    }

    #[test]
    fn a_successor_is_the_same_each_time_and_another_under_another_secret() {
        let token = random().unwrap();
        let tokens = RefreshTokens::new(&Secret::new("secret"));

        let successor = tokens.successor(&token);

        assert_eq!(successor, tokens.successor(&token));
        assert_ne!(successor, token);
        assert_ne!(successor, RefreshTokens::new(&Secret::new("other")).successor(&token));
    }

    #[test]
    fn debug_of_a_key_shows_its_name_alone() {
        let stored = SigningKey::generate(Timestamp::default()).unwrap();
        let key = SigningKey::read(&stored).unwrap();

        assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, .. }}", stored.kid));
        assert!(!format!("{stored:?}").contains(stored.pkcs8.expose()));
    }
}
