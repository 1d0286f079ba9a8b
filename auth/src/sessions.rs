//! Opens, prolongs and ends sessions.

use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use mesh::caller::{Caller, Scope};
use mesh::clock::Timestamp;
use mesh::token::{AUDIENCE, Claims, ISSUER};
use tracing::{info, warn};

use crate::config::Config;
use crate::domain::access::Realm;
use crate::domain::directory::{CustomerKey, Directory};
use crate::domain::error::SessionError;
use crate::domain::id::{I_ENV, ICustomer};
use crate::domain::lockout::Verdict;
use crate::domain::principal::{Credential, Principal, Subject};
use crate::domain::secret::Secret;
use crate::domain::session::{Exchange, Exchanged, NewSession, SessionId};
use crate::keyring::Keyring;
use crate::lockouts::Lockouts;
use crate::metrics;
use crate::password::{self, PasswordError, Pool};
use crate::revocations::before_by;
use crate::tokens::{RefreshTokens, TokenError, digest, random};

/// What proves to be somebody.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// A password.
    Password(Secret),
    /// An API token.
    Token(Secret),
}

/// The tokens of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) session_id: SessionId,
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Secret,
    pub(crate) expires_at: Timestamp,
}

/// Opens, prolongs and ends sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    directory: Arc<dyn Directory>,
    clock: Clock,
    passwords: Pool,
    lockouts: Lockouts,
    keys: Arc<Keyring>,
    refresh_tokens: RefreshTokens,
    access_token_lifetime: Duration,
    refresh_token_lifetime: Duration,
    refresh_tolerance: Duration,
    refuse_demo_passwords: bool,
}

impl Sessions {
    pub(crate) fn new(
        config: &Config,
        directory: Arc<dyn Directory>,
        clock: Clock,
        passwords: Pool,
        lockouts: Lockouts,
        keys: Arc<Keyring>,
        refresh_secret: &Secret,
    ) -> Self {
        Self {
            directory,
            clock,
            passwords,
            lockouts,
            keys,
            refresh_tokens: RefreshTokens::new(refresh_secret),
            access_token_lifetime: config.session.access_token_lifetime,
            refresh_token_lifetime: config.session.refresh_token_lifetime,
            refresh_tolerance: config.session.refresh_tolerance,
            refuse_demo_passwords: config.refuse_demo_passwords,
        }
    }

    /// Opens a session for who can prove to be `login`.
    pub(crate) async fn open(
        &self,
        login: &str,
        proof: &Proof,
        realm: Option<Realm>,
        address: &str,
    ) -> Result<Tokens, SessionError> {
        let credential = self.prove(login, proof, realm, address).await?;
        let principal = &credential.principal;
        if principal.must_change_password && matches!(proof, Proof::Password(_)) {
            return Err(SessionError::MustChangePassword);
        }
        let proven_by = match proof {
            Proof::Password(_) => Some(credential.password_hash.clone()),
            Proof::Token(_) => None,
        };
        self.begin(principal, None, proven_by).await
    }

    /// Finds out who can prove to be `login`; counts failures.
    async fn prove(
        &self,
        login: &str,
        proof: &Proof,
        realm: Option<Realm>,
        address: &str,
    ) -> Result<Credential, SessionError> {
        self.admit(login, address).await?;
        let candidates = self.directory.credentials(login, realm).await?;
        if candidates.is_empty() {
            // Costs what a wrong password costs, so that logins cannot be probed by the clock.
            self.proves(proof, None).await?;
        }
        let mut proven = Vec::new();
        for candidate in candidates {
            if self.proves(proof, Some(&candidate)).await? && self.may_enter(&candidate.principal) {
                proven.push(candidate);
            }
        }
        if proven.len() > 1 {
            let realms = proven.iter().map(|it| it.principal.subject.realm).collect();
            return Err(SessionError::RealmRequired(realms));
        }
        let Some(credential) = proven.pop() else {
            self.lockouts.failed(login, address, self.clock.now()).await;
            info!(realm = realm.map(Realm::as_str), "login refused");
            return Err(SessionError::AuthFailed);
        };
        self.lockouts.succeeded(login, address).await;
        Ok(credential)
    }

    /// Opens a session of a user below the caller.
    pub(crate) async fn open_below(
        &self,
        caller: &Caller,
        login: &str,
        realm: Realm,
    ) -> Result<Tokens, SessionError> {
        let own_realm = match caller.scope {
            Scope::Everything => Realm::Admin,
            Scope::Reseller { .. } => Realm::Reseller,
            Scope::Customer { .. } | Scope::Account { .. } => {
                return Err(SessionError::AccessDenied);
            }
        };
        if realm <= own_realm {
            return Err(SessionError::LoginNotFound);
        }
        let found = self.directory.credentials(login, Some(realm)).await?;
        let Some(Credential { principal, .. }) = found.first() else {
            return Err(SessionError::LoginNotFound);
        };
        if !self.reaches(&caller.scope, principal).await? || principal.is_blocked {
            return Err(SessionError::LoginNotFound);
        }
        let opener = subject_of(caller)?;
        info!(opener = %opener, subject = %principal.subject, "session opened below");
        self.begin(principal, Some(opener), None).await
    }

    /// Exchanges a refresh token.
    pub(crate) async fn refresh(&self, token: &Secret) -> Result<Tokens, SessionError> {
        let now = self.clock.now();
        let refresh_token = self.refresh_tokens.successor(token);
        let exchanged = self
            .directory
            .exchange(&Exchange {
                presented_hash: digest(token),
                successor_hash: digest(&refresh_token),
                at: now,
                tolerance: self.refresh_tolerance,
                expires_at: now.plus(self.refresh_token_lifetime),
            })
            .await?;
        let grant = match exchanged {
            Exchanged::Rotated(grant) => {
                metrics::refresh("rotated");
                grant
            }
            Exchanged::Repeated(grant) => {
                metrics::refresh("repeated");
                grant
            }
            Exchanged::Reused(session_id) => {
                metrics::refresh("reused");
                warn!(session = %session_id.0, "refresh token reused, session ended");
                return Err(SessionError::RefreshFailed);
            }
            Exchanged::Refused => {
                metrics::refresh("refused");
                return Err(SessionError::RefreshFailed);
            }
        };
        let principal = self.directory.principal(grant.subject).await?;
        let Some(mut principal) = principal.filter(|principal| self.may_enter(principal)) else {
            return Err(SessionError::RefreshFailed);
        };
        principal.epoch = principal.epoch.min(grant.epoch);
        if let Some(opener) = grant.opened_by {
            let opener = self.directory.principal(opener).await?;
            if !opener.is_some_and(|opener| self.may_enter(&opener)) {
                return Err(SessionError::RefreshFailed);
            }
        }
        self.grant(&principal, grant.session_id, refresh_token, grant.at)
    }

    /// Signs a token with the present rights for the holder of an outdated one. It ends with that
    /// one, so that a client has to refresh all the same.
    pub(crate) async fn renew(&self, holder: &Caller) -> Result<Secret, SessionError> {
        let id = SessionId(holder.session_id.clone());
        let epoch = self.directory.revocation_position().await?;
        // Asked for, since an end may not have been heard of here yet.
        let session = self.directory.session(&id).await?.ok_or(SessionError::AuthFailed)?;
        let expires_at = Timestamp::from_micros(holder.expires_at.saturating_mul(1_000_000));
        self.sign_for(session.subject, &id, expires_at, epoch).await
    }

    /// Signs a token for who names a session by its id: as good as its newest one.
    pub(crate) async fn find(&self, id: SessionId) -> Result<Secret, SessionError> {
        let epoch = self.directory.revocation_position().await?;
        let session = self.directory.session(&id).await?.ok_or(SessionError::AuthFailed)?;
        // The newest tokens were made together.
        let made_at = before_by(session.expires_at, self.refresh_token_lifetime);
        let expires_at = made_at.plus(self.access_token_lifetime);
        if expires_at <= self.clock.now() {
            return Err(SessionError::AuthFailed);
        }
        self.sign_for(session.subject, &id, expires_at, epoch).await
    }

    /// `epoch` is the position of the newest revocation at a moment at which the session was not
    /// over yet: what ends it later reaches the token.
    async fn sign_for(
        &self,
        subject: Subject,
        id: &SessionId,
        expires_at: Timestamp,
        epoch: i64,
    ) -> Result<Secret, SessionError> {
        let principal = self.directory.principal(subject).await?;
        let principal = principal.filter(|principal| self.may_enter(principal));
        let mut principal = principal.ok_or(SessionError::AuthFailed)?;
        principal.epoch = principal.epoch.min(epoch);
        let claims = claims(&principal, id, self.clock.now(), expires_at);
        self.keys.sign(&claims).map_err(broken)
    }

    /// Ends the caller's session.
    pub(crate) async fn end(&self, caller: &Caller) -> Result<(), SessionError> {
        let id = SessionId(caller.session_id.clone());
        Ok(self.directory.end_session(&id, self.clock.now()).await?)
    }

    /// Gives the caller another password and ends its other sessions.
    pub(crate) async fn change_password(
        &self,
        caller: &Caller,
        old: &Secret,
        new: &Secret,
    ) -> Result<(), SessionError> {
        // Counted for each session: who stole one gets no more guesses than at the door.
        let counted_as = caller.session_id.as_str();
        self.admit(&caller.login, counted_as).await?;
        let subject = subject_of(caller)?;
        let credential = self.directory.credential(subject).await?;
        let credential = credential.ok_or(SessionError::AuthFailed)?;
        if !self.check(old, Some(&credential.password_hash)).await? {
            self.lockouts.failed(&caller.login, counted_as, self.clock.now()).await;
            return Err(SessionError::OldPasswordWrong);
        }
        let hash = self.choose(&caller.login, old, new).await?;
        self.directory.set_password(subject, &hash, self.clock.now()).await?;
        Ok(())
    }

    /// Gives a login another password and ends all its sessions: for who has to change it before
    /// there can be a session. The old password proves as much as at a login.
    pub(crate) async fn change_password_of(
        &self,
        login: &str,
        realm: Option<Realm>,
        address: &str,
        old: &Secret,
        new: &Secret,
    ) -> Result<(), SessionError> {
        let proof = Proof::Password(old.clone());
        let credential = match self.prove(login, &proof, realm, address).await {
            Err(SessionError::AuthFailed) => return Err(SessionError::OldPasswordWrong),
            proven => proven?,
        };
        let hash = self.choose(login, old, new).await?;
        let subject = credential.principal.subject;
        self.directory.set_password(subject, &hash, self.clock.now()).await?;
        Ok(())
    }

    /// The hash of a password that may be chosen in place of another.
    async fn choose(
        &self,
        login: &str,
        old: &Secret,
        new: &Secret,
    ) -> Result<Secret, SessionError> {
        password::check_choice(new, login).map_err(SessionError::PasswordRefused)?;
        if new == old {
            return Err(SessionError::PasswordRefused("must differ from the old one"));
        }
        self.passwords.hash(new).await.map_err(refused)
    }

    /// Lets an attempt pass, lets it wait, or refuses it.
    async fn admit(&self, login: &str, address: &str) -> Result<(), SessionError> {
        match self.lockouts.check(login, address, self.clock.now()).await {
            Verdict::Allowed => Ok(()),
            Verdict::Slowed(delay) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            Verdict::Locked(rest) => Err(SessionError::Locked(rest)),
        }
    }

    async fn proves(
        &self,
        proof: &Proof,
        credential: Option<&Credential>,
    ) -> Result<bool, SessionError> {
        match proof {
            Proof::Password(password) => {
                self.check(password, credential.map(|credential| &credential.password_hash)).await
            }
            // Digests are compared, so the time tells nothing of the token.
            Proof::Token(token) => Ok(credential
                .and_then(|credential| credential.api_token_sha256.as_ref())
                .is_some_and(|expected| *expected == digest(token))),
        }
    }

    async fn check(&self, password: &Secret, hash: Option<&Secret>) -> Result<bool, SessionError> {
        self.passwords.verify(password, hash).await.map_err(refused)
    }

    fn may_enter(&self, principal: &Principal) -> bool {
        let is_published = self.refuse_demo_passwords && principal.is_demo;
        !principal.is_blocked && !is_published
    }

    /// Whether a user lies below a scope.
    async fn reaches(&self, scope: &Scope, principal: &Principal) -> Result<bool, SessionError> {
        if *scope == Scope::Everything {
            return Ok(true);
        }
        let Some(i_customer) = principal.scope.i_customer() else { return Ok(false) };
        let key = CustomerKey::ICustomer(ICustomer(i_customer));
        let customer = self.directory.customer(key).await?;
        Ok(customer.is_some_and(|customer| scope.reaches(customer.owner())))
    }

    async fn begin(
        &self,
        principal: &Principal,
        opened_by: Option<Subject>,
        proven_by: Option<Secret>,
    ) -> Result<Tokens, SessionError> {
        let now = self.clock.now();
        let refresh_token = random().map_err(broken)?;
        let id = SessionId(uuid::Uuid::new_v4().to_string());
        let is_open = self
            .directory
            .open_session(&NewSession {
                id: id.clone(),
                subject: principal.subject,
                opened_by,
                proven_by,
                refresh_token_hash: digest(&refresh_token),
                opened_at: now,
                expires_at: now.plus(self.refresh_token_lifetime),
            })
            .await?;
        if !is_open {
            return Err(SessionError::AuthFailed);
        }
        self.grant(principal, id, refresh_token, now)
    }

    /// Signs an access token that counts its life from `at`.
    fn grant(
        &self,
        principal: &Principal,
        session_id: SessionId,
        refresh_token: Secret,
        at: Timestamp,
    ) -> Result<Tokens, SessionError> {
        let expires_at = at.plus(self.access_token_lifetime);
        let claims = claims(principal, &session_id, at, expires_at);
        let access_token = self.keys.sign(&claims).map_err(broken)?;
        // What the token says, not what it was made from: whole seconds.
        let expires_at = Timestamp::from_micros(expires_at.as_seconds() * 1_000_000);
        Ok(Tokens { session_id, access_token, refresh_token, expires_at })
    }
}

fn claims(
    principal: &Principal,
    session_id: &SessionId,
    issued_at: Timestamp,
    expires_at: Timestamp,
) -> Claims {
    let own = |realm, key| (principal.subject.realm == realm).then_some(key);
    let key = principal.subject.id;
    Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: principal.subject.to_string(),
        exp: expires_at.as_seconds(),
        iat: issued_at.as_seconds(),
        nbf: None,
        jti: session_id.0.clone(),
        login: principal.login.clone(),
        realm: principal.subject.realm.to_string(),
        i_env: I_ENV,
        i_user: own(Realm::Admin, key),
        i_reseller: own(Realm::Reseller, key),
        i_customer: principal.scope.i_customer(),
        i_account: own(Realm::Account, key),
        role: principal.role.clone(),
        scopes: principal.permissions.scopes(),
        is_super_user: principal.is_super_user,
        epoch: principal.epoch,
    }
}

fn subject_of(caller: &Caller) -> Result<Subject, SessionError> {
    caller.user.parse().map_err(|_foreign| SessionError::AuthFailed)
}

fn refused(error: PasswordError) -> SessionError {
    match error {
        PasswordError::Busy => SessionError::Busy,
        PasswordError::Failed => SessionError::Crypto,
    }
}

fn broken(_error: TokenError) -> SessionError {
    SessionError::Crypto
}
