//! Who calls: what a verified access token says of its holder.

use std::sync::Arc;

use proto::options::v1::{Component, Level, Realm};
use tonic::Status;

use crate::fault::{self, Code};

/// What a verified access token says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The session, claim `jti`.
    pub session_id: String,
    /// The user, claim `sub`; unique over all realms, e.g. `account:1`.
    pub user: String,
    /// Login name.
    pub login: String,
    /// Realm and ids of the session.
    pub scope: Scope,
    /// Name of the role.
    pub role: String,
    /// What the role grants.
    pub permissions: Vec<(Component, Level)>,
    /// Claim `is_super_user`.
    pub is_super_user: bool,
    /// Claim `epoch`: revocations with a higher number end the token.
    pub epoch: i64,
    /// Seconds since 1970 UTC, claim `exp`.
    pub expires_at: i64,
}

/// The part of the world that a session may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The whole environment.
    Everything,
    /// The customers of one reseller.
    Reseller {
        /// The reseller.
        i_reseller: i64,
    },
    /// One PBX environment.
    Customer {
        /// The customer.
        i_customer: i64,
    },
    /// One phone line of a PBX environment.
    Account {
        /// The customer.
        i_customer: i64,
        /// The account.
        i_account: i64,
    },
}

/// Where an object lies: its customer and the reseller above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The reseller above; 0 when none.
    pub i_reseller: i64,
    /// The customer.
    pub i_customer: i64,
}

impl Scope {
    /// The realm.
    #[must_use]
    pub const fn realm(&self) -> Realm {
        match self {
            Self::Everything => Realm::Admin,
            Self::Reseller { .. } => Realm::Reseller,
            Self::Customer { .. } => Realm::Customer,
            Self::Account { .. } => Realm::Account,
        }
    }

    /// True when the environment of `owner` is the session's own or below it. For an account
    /// this says that the object is in its environment; which objects of it the account may
    /// see depends on the object.
    #[must_use]
    pub const fn reaches(&self, owner: Owner) -> bool {
        match *self {
            Self::Everything => true,
            Self::Reseller { i_reseller } => i_reseller == owner.i_reseller,
            Self::Customer { i_customer } | Self::Account { i_customer, .. } => {
                i_customer == owner.i_customer
            }
        }
    }

    /// The customer of a customer or account session.
    #[must_use]
    pub const fn i_customer(&self) -> Option<i64> {
        match *self {
            Self::Everything | Self::Reseller { .. } => None,
            Self::Customer { i_customer } | Self::Account { i_customer, .. } => Some(i_customer),
        }
    }

    /// The account of an account session.
    #[must_use]
    pub const fn i_account(&self) -> Option<i64> {
        match *self {
            Self::Account { i_account, .. } => Some(i_account),
            Self::Everything | Self::Reseller { .. } | Self::Customer { .. } => None,
        }
    }
}

impl Caller {
    /// True when the role grants `level` on `component`, or no component is asked for.
    #[must_use]
    pub fn may(&self, component: Component, level: Level) -> bool {
        component == Component::Unspecified
            || self
                .permissions
                .iter()
                .any(|(granted, up_to)| *granted == component && (*up_to as i32) >= (level as i32))
    }
}

/// The verified caller of a request, put there by the server's authentication layer.
///
/// # Errors
/// `UNAUTHENTICATED` with reason `ENVELOPE_MISSED` when the request came without a token.
pub fn of<T>(request: &tonic::Request<T>) -> Result<Arc<Caller>, Status> {
    request.extensions().get::<Arc<Caller>>().cloned().ok_or_else(not_authenticated)
}

/// The answer to a request that needs a token and has none.
pub(crate) fn not_authenticated() -> Status {
    fault::own(Code::Unauthenticated, "ENVELOPE_MISSED", "an access token is needed")
}

/// Name of a realm in claims and on the API, e.g. `admin`.
#[must_use]
pub const fn realm_name(realm: Realm) -> &'static str {
    match realm {
        Realm::Unspecified => "",
        Realm::Admin => "admin",
        Realm::Reseller => "reseller",
        Realm::Customer => "customer",
        Realm::Account => "account",
    }
}

/// The realm of a name.
#[must_use]
pub fn realm_of_name(name: &str) -> Option<Realm> {
    [Realm::Admin, Realm::Reseller, Realm::Customer, Realm::Account]
        .into_iter()
        .find(|realm| realm_name(*realm) == name)
}

/// Name of a component in claims and on the API, e.g. `call_control`.
#[must_use]
pub fn component_name(component: Component) -> String {
    component.as_str_name().trim_start_matches("COMPONENT_").to_ascii_lowercase()
}

/// Name of a level in claims and on the API: `none`, `read` or `modify`.
#[must_use]
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Unspecified => "none",
        Level::Read => "read",
        Level::Modify => "modify",
    }
}

/// Reads what a role grants from a text like `call_control:modify`; `None` when nothing or when
/// the component or level is unknown.
#[must_use]
pub fn permission(scope: &str) -> Option<(Component, Level)> {
    let (component, level) = scope.split_once(':')?;
    let component =
        Component::from_str_name(&format!("COMPONENT_{}", component.to_ascii_uppercase()))?;
    let level = [Level::Read, Level::Modify].into_iter().find(|it| level_name(*it) == level)?;
    (component != Component::Unspecified).then_some((component, level))
}

/// Writes what [`permission`] reads.
#[must_use]
pub fn scope_of((component, level): (Component, Level)) -> String {
    format!("{}:{}", component_name(component), level_name(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_reads_as_it_was_written() {
        let permission_of = |text| permission(text).map(scope_of);

        assert_eq!(permission_of("call_control:modify").as_deref(), Some("call_control:modify"));
        assert_eq!(permission_of("xdrs:read").as_deref(), Some("xdrs:read"));
        for text in ["", "xdrs", "xdrs:", "xdrs:none", "unspecified:read", "teleport:read"] {
            assert_eq!(permission(text), None, "{text}");
        }
    }

    #[test]
    fn a_scope_reaches_its_own_environment_only() {
        let owner = Owner { i_reseller: 3, i_customer: 1 };

        assert!(Scope::Everything.reaches(owner));
        assert!(Scope::Reseller { i_reseller: 3 }.reaches(owner));
        assert!(!Scope::Reseller { i_reseller: 4 }.reaches(owner));
        assert!(Scope::Account { i_customer: 1, i_account: 9 }.reaches(owner));
        assert!(!Scope::Customer { i_customer: 2 }.reaches(owner));
    }
}
