//! Why something was refused.

use std::time::Duration;

use crate::domain::access::Realm;
use crate::domain::directory::StoreError;

/// Why a session was not opened, exchanged, ended or changed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Login and password, or token, do not match, or the user is blocked.
    #[error("login and password do not match")]
    AuthFailed,
    /// Login and password match in several realms.
    #[error("login and password match in several realms; give `realm`")]
    RealmRequired(Vec<Realm>),
    /// Too many failures.
    #[error("too many failed logins")]
    Locked(Duration),
    /// Another password must be chosen first.
    #[error("the password must be changed first")]
    MustChangePassword,
    /// The refresh token is unknown, expired, used before, or its session has ended.
    #[error("the refresh token is not good")]
    RefreshFailed,
    /// No such login below the caller.
    #[error("there is no such login below")]
    LoginNotFound,
    /// The realm of the caller does not allow it.
    #[error("the realm does not allow it")]
    AccessDenied,
    /// The present password is another one.
    #[error("the old password is wrong")]
    OldPasswordWrong,
    /// The new password is not good enough.
    #[error("the new password {0}")]
    PasswordRefused(&'static str),
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked")]
    Busy,
    /// A token, key or hash could not be made.
    #[error("a token could not be made")]
    Crypto,
    /// The store failed.
    #[error("the directory failed")]
    Store(#[from] StoreError),
}

/// Why the directory does not tell something.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// No such customer in the caller's scope.
    #[error("customer not found")]
    CustomerNotFound,
    /// No such account in the caller's scope.
    #[error("account not found")]
    AccountNotFound,
    /// No such hunt group in the caller's scope.
    #[error("hunt group not found")]
    HuntgroupNotFound,
    /// No such IVR application in the caller's scope.
    #[error("IVR application not found")]
    IvrApplicationNotFound,
    /// The number is not one of those to choose from.
    #[error("access number not found")]
    AccessNumberNotFound,
    /// The number leads elsewhere.
    #[error("the number leads elsewhere already")]
    AccessNumberTaken,
    /// The option that the method needs is off for the account.
    #[error("the option `user_application` is off for the account, or for its product")]
    ServiceDisabled,
    /// A field of the request that must be given is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field of the request that must be given is not, or is not one of those expected.
    #[error("`{0}` is missing or wrong")]
    Invalid(&'static str),
    /// The store failed.
    #[error("the directory failed")]
    Store(#[from] StoreError),
}
