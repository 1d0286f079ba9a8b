//! Realms, components, levels and what a role grants.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Who may hold a session. Realms nest: each holds those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Realm {
    /// The operator of the environment.
    Admin,
    /// Sells to customers.
    Reseller,
    /// One PBX environment.
    Customer,
    /// One phone line of a PBX environment.
    Account,
}

/// What a role grants access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Calls, conferences and their notifications.
    CallControl,
    /// Listening in on others' calls.
    CallSupervision,
    /// The directory of accounts and customers.
    Accounts,
    /// Charges.
    Xdrs,
    /// Hunt groups and call queues.
    Huntgroups,
    /// IVR applications and access numbers.
    Ivr,
}

/// How much a role grants on a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing.
    None,
    /// May list and subscribe.
    Read,
    /// May act.
    Modify,
}

/// A word of the directory that is not one of those known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {expected}")]
pub struct UnknownWord {
    /// The words that are known.
    pub expected: &'static str,
}

macro_rules! words {
    ($name:ident, $expected:literal, $($variant:ident = $word:literal),* $(,)?) => {
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word by which the directory, tokens and the import file name it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord { expected: $expected }),
                }
            }
        }
    };
}

words!(
    Realm,
    "`admin`, `reseller`, `customer`, `account`",
    Admin = "admin",
    Reseller = "reseller",
    Customer = "customer",
    Account = "account"
);
words!(
    Component,
    "`call_control`, `call_supervision`, `accounts`, `xdrs`, `huntgroups`, `ivr`",
    CallControl = "call_control",
    CallSupervision = "call_supervision",
    Accounts = "accounts",
    Xdrs = "xdrs",
    Huntgroups = "huntgroups",
    Ivr = "ivr"
);
words!(Level, "`none`, `read`, `modify`", None = "none", Read = "read", Modify = "modify");

/// The role of a login that was given none: its realm's defaults, and nothing else.
pub const DEFAULT_ROLE: &str = "default";

/// A level for each component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions(BTreeMap<Component, Level>);

impl Permissions {
    /// What a realm grants before any role is looked at (api.md, section 3).
    #[must_use]
    pub fn of_realm(realm: Realm) -> Self {
        let is_operator = matches!(realm, Realm::Admin | Realm::Reseller);
        Self(
            Component::ALL
                .iter()
                .map(|component| {
                    let level = match component {
                        Component::CallControl | Component::CallSupervision if is_operator => {
                            Level::Modify
                        }
                        Component::CallControl | Component::CallSupervision => Level::None,
                        Component::Accounts
                        | Component::Xdrs
                        | Component::Huntgroups
                        | Component::Ivr => Level::Read,
                    };
                    (*component, level)
                })
                .collect(),
        )
    }

    /// Everything, for super users.
    #[must_use]
    pub fn all() -> Self {
        Self(Component::ALL.iter().map(|component| (*component, Level::Modify)).collect())
    }

    /// These, with what `role` says of a component in place of the realm's default.
    #[must_use]
    pub fn with(mut self, role: impl IntoIterator<Item = (Component, Level)>) -> Self {
        self.0.extend(role);
        self
    }

    /// The level of `component`.
    #[must_use]
    pub fn level(&self, component: Component) -> Level {
        self.0.get(&component).copied().unwrap_or(Level::None)
    }

    /// The claim `scopes`: `call_control:modify` and so on, without what is not granted.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, level)| **level > Level::None)
            .map(|(component, level)| format!("{component}:{level}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_control_calls_by_default_and_customers_and_accounts_do_not() {
        for realm in [Realm::Admin, Realm::Reseller] {
            assert_eq!(Permissions::of_realm(realm).level(Component::CallControl), Level::Modify);
        }
        for realm in [Realm::Customer, Realm::Account] {
            let granted = Permissions::of_realm(realm);
            assert_eq!(granted.level(Component::CallControl), Level::None);
            assert_eq!(granted.level(Component::CallSupervision), Level::None);
            assert_eq!(
                granted.scopes(),
                ["accounts:read", "xdrs:read", "huntgroups:read", "ivr:read"]
            );
        }
    }

    #[test]
    fn a_role_replaces_the_default_of_the_components_that_it_names() {
        let granted = Permissions::of_realm(Realm::Account)
            .with([(Component::CallControl, Level::Modify), (Component::Xdrs, Level::None)]);

        assert_eq!(granted.level(Component::CallControl), Level::Modify);
        assert_eq!(granted.level(Component::Xdrs), Level::None);
        assert_eq!(granted.level(Component::Ivr), Level::Read);
    }

    #[test]
    fn every_word_is_read_back_as_what_wrote_it() {
        for component in Component::ALL {
            assert_eq!(component.as_str().parse(), Ok(*component));
        }
        assert_eq!(
            "write".parse::<Level>().unwrap_err().to_string(),
            "must be one of `none`, `read`, `modify`"
        );
    }
}
