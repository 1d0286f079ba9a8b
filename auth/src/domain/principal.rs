//! Who may log in.

use std::fmt;
use std::str::FromStr;

use mesh::caller::Scope;

use crate::domain::access::{Permissions, Realm};
use crate::domain::secret::Secret;

/// A user of any realm: the claim `sub`, written `account:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Its realm.
    pub realm: Realm,
    /// `i_user`, `i_reseller`, `i_customer` or `i_account`.
    pub id: i64,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.realm, self.id)
    }
}

/// Text that names no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a subject")]
pub struct NotASubject;

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let (realm, id) = text.split_once(':').ok_or(NotASubject)?;
        Ok(Self {
            realm: realm.parse().map_err(|_| NotASubject)?,
            id: id.parse().map_err(|_| NotASubject)?,
        })
    }
}

/// A user as the directory knows it now.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Principal {
    /// Who.
    pub subject: Subject,
    /// Login name.
    pub login: String,
    /// What its sessions may see.
    pub scope: Scope,
    /// Name of its role.
    pub role: String,
    /// What realm and role grant.
    pub permissions: Permissions,
    /// Nothing is withheld from it.
    pub is_super_user: bool,
    /// It, or somebody above it, is blocked.
    pub is_blocked: bool,
    /// It must choose another password before it may log in.
    pub must_change_password: bool,
    /// Its password is a published one, of the demo directory.
    pub is_demo: bool,
    /// Position of the newest revocation when this was read. A token made from it carries this
    /// number, and any revocation after it that names the user or its role ends that token.
    pub epoch: i64,
}

/// A user and what proves to be it.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// The user.
    pub principal: Principal,
    /// PHC string of its password.
    pub password_hash: Secret,
    /// Lower-case hex SHA-256 of its API token.
    pub api_token_sha256: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_back_as_written() {
        let subject = Subject { realm: Realm::Account, id: 7 };

        assert_eq!(subject.to_string(), "account:7");
        assert_eq!("account:7".parse(), Ok(subject));
        assert_eq!("accounts:7".parse::<Subject>(), Err(NotASubject));
        assert_eq!("account:x".parse::<Subject>(), Err(NotASubject));
    }
}
