//! What operators do to the directory: look at it, block, give passwords, roles and rights.
//!
//! Each change writes what ends or narrows the tokens that it concerns, so every running service
//! follows within a second.

mod edit;
mod records;

use std::fmt;

use mesh::clock::Timestamp;

use crate::domain::access::{Component, DEFAULT_ROLE, Level, Realm};
use crate::domain::directory::{Directory, StoreError};
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::password;
pub use edit::{Assignment, add, change};
pub use records::Record;

/// Most near matches that are told.
const NEAR: usize = 5;

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Customers: by name, login or `i_customer`.
    Customer,
    /// Accounts: by id or login.
    Account,
    /// Everybody who may log in: by login or subject, like `account:1`.
    User,
    /// Roles: by name.
    Role,
    /// Numbers of the directory.
    Number,
    /// Hunt groups: by number or name.
    HuntGroup,
    /// IVR applications: by name or `i_ivr_application`.
    Application,
    /// Resellers: by name, login or `i_reseller`.
    Reseller,
    /// Products: by name.
    Product,
    /// Tariffs: by name.
    Tariff,
}

impl Kind {
    /// The word for one.
    #[must_use]
    pub const fn one(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Account => "account",
            Self::User => "user",
            Self::Role => "role",
            Self::Number => "number",
            Self::HuntGroup => "hunt group",
            Self::Application => "application",
            Self::Reseller => "reseller",
            Self::Product => "product",
            Self::Tariff => "tariff",
        }
    }

    /// The word for several, as the command line has it.
    #[must_use]
    pub const fn several(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Account => "accounts",
            Self::User => "users",
            Self::Role => "roles",
            Self::Number => "numbers",
            Self::HuntGroup => "hunt-groups",
            Self::Application => "applications",
            Self::Reseller => "resellers",
            Self::Product => "products",
            Self::Tariff => "tariffs",
        }
    }

    /// The fields that a list shows.
    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Customer => {
                &["i_customer", "name", "reseller", "login", "accounts", "balance", "state"]
            }
            Self::Account => {
                &["i_account", "id", "name", "customer", "product", "login", "role", "state"]
            }
            Self::User => &["login", "realm", "user", "of", "role", "state"],
            Self::Role => &[
                "name",
                "call_control",
                "call_supervision",
                "accounts",
                "xdrs",
                "huntgroups",
                "ivr",
                "users",
            ],
            Self::Number => &["number", "customer", "leads_to", "target"],
            Self::HuntGroup => &["i_c_group", "id", "name", "customer", "i_c_queue", "agents"],
            Self::Application => {
                &["i_ivr_application", "name", "customer", "account", "access_numbers"]
            }
            Self::Reseller => &["i_reseller", "name", "login", "customers", "state"],
            Self::Product => &["name", "conferencing", "user_application", "rating", "accounts"],
            Self::Tariff => &["name", "currency", "rates"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.one())
    }
}

/// Why something was not done. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No such thing.
    #[error("there is no {kind} `{id}`; {}", hint(*kind, near))]
    Unknown {
        /// What was looked for.
        kind: Kind,
        /// By which name.
        id: String,
        /// Names that are like it.
        near: Vec<String>,
    },
    /// Several have the name.
    #[error("`{id}` may be each of {}; give one of these", quoted(choices))]
    Ambiguous {
        /// The name.
        id: String,
        /// Names that are unique.
        choices: Vec<String>,
    },
    /// Not a password that may be chosen.
    #[error("the password {0}")]
    Password(&'static str),
    /// The name is taken by what everybody has who was given no role.
    #[error("`{DEFAULT_ROLE}` is the role of those who were given none; name another")]
    DefaultRole,
    /// There is one already.
    #[error("the {kind} `{id}` exists already; `cordboard admin {} change` changes it", kind.several())]
    Exists {
        /// What was to be added.
        kind: Kind,
        /// Its name.
        id: String,
    },
    /// Not `KEY=VALUE`.
    #[error("`{0}` must be KEY=VALUE; lists also take KEY+=VALUE and KEY-=VALUE")]
    NoAssignment(String),
    /// Not a value of this key.
    #[error("`{key}` cannot be `{value}`; it is {right}")]
    Value {
        /// The key.
        key: String,
        /// The value that was given.
        value: String,
        /// What would be right.
        right: String,
    },
    /// Accounting has it in its hands.
    #[error("`{0}` is set when the party is added, and kept by accounting afterwards")]
    Fixed(String),
    /// The customer was not named.
    #[error("a new {0} belongs to a customer; give `--customer NAME`")]
    NoCustomer(Kind),
    /// A customer was named.
    #[error("a {0} does not belong to a customer; leave `--customer` out")]
    NoOwner(Kind),
    /// Not a key of a login.
    #[error("`{0}` does not belong to a login; change the customer or account that has it")]
    NotOfLogin(String),
    /// Not a key of a number.
    #[error(
        "a number has no `{0}`; it takes `to=account:ID`, `to=application:NAME` or `to=nothing`"
    )]
    NotOfNumber(String),
    /// What an import would not take.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The directory changed meanwhile, or cannot be written as a file.
    #[error("the directory has changed meanwhile; try again")]
    Unreadable,
    /// The directory could not be written as a file.
    #[error("the directory could not be read")]
    Export(#[from] crate::export::ExportError),
    /// The password could not be hashed.
    #[error("the password could not be hashed")]
    Hash(#[from] password::PasswordError),
    /// The store failed.
    #[error("the directory failed")]
    Store(#[from] StoreError),
}

fn hint(kind: Kind, near: &[String]) -> String {
    if near.is_empty() {
        format!("`cordboard admin {} list` lists them", kind.several())
    } else {
        format!("did you mean {}?", quoted(near))
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// All of a kind, in the order in which they came in; numbers and roles by name.
///
/// # Errors
/// When the store fails.
pub async fn list(directory: &dyn Directory, kind: Kind) -> Result<Vec<Record>, StoreError> {
    Ok(records::of(&directory.snapshot().await?, kind))
}

/// The one of a kind that has this name.
///
/// # Errors
/// When there is none, or several have the name.
pub async fn show(directory: &dyn Directory, kind: Kind, id: &str) -> Result<Record, AdminError> {
    let mut records = list(directory, kind).await?;
    let most = records.iter().map(|record| record.names.len()).max().unwrap_or_default();
    // A name that is unique by itself wins over one that only happens to be the same.
    for position in 0..most {
        let has_name = |record: &Record| record.names.get(position).is_some_and(|name| name == id);
        let found: Vec<usize> =
            (0..).zip(&records).filter(|(_, record)| has_name(record)).map(|(at, _)| at).collect();
        match found.as_slice() {
            [] => {}
            [at] => return Ok(records.swap_remove(*at)),
            several => {
                let unique = |at: &usize| records.get(*at).map(|record| record.unique.clone());
                let choices = several.iter().filter_map(unique).collect();
                return Err(AdminError::Ambiguous { id: id.to_owned(), choices });
            }
        }
    }
    if let Some(at) = records.iter().position(|record| record.unique == id) {
        return Ok(records.swap_remove(at));
    }
    let names = records.iter().flat_map(|record| &record.names).map(String::as_str);
    Err(AdminError::Unknown { kind, id: id.to_owned(), near: near(id, names) })
}

/// Blocks a customer, an account or a user, or takes the block away. False when it was so before.
///
/// # Errors
/// When there is no such party or the store fails.
pub async fn set_blocked(
    directory: &dyn Directory,
    kind: Kind,
    id: &str,
    is_blocked: bool,
    at: Timestamp,
) -> Result<bool, AdminError> {
    let party = subject(&show(directory, kind, id).await?, kind, id)?;
    Ok(directory.set_blocked(party, is_blocked, at).await?)
}

/// Gives a user another password and ends its sessions.
///
/// # Errors
/// When there is no such user, the password may not be chosen, or the store fails.
pub async fn set_password(
    directory: &dyn Directory,
    login: &str,
    password: &Secret,
    at: Timestamp,
) -> Result<(), AdminError> {
    let user = show(directory, Kind::User, login).await?;
    let subject = subject(&user, Kind::User, login)?;
    let name = user.names.first().map_or(login, String::as_str);
    password::check_choice(password, name).map_err(AdminError::Password)?;
    let password = password.clone();
    let hash = tokio::task::spawn_blocking(move || password::hash(&password))
        .await
        .map_err(|_panicked| password::PasswordError::Failed)??;
    Ok(directory.set_password(subject, &hash, at).await?)
}

/// Gives a user another role; `default` takes it away. False when it had that one.
///
/// # Errors
/// When there is no such user or role, or the store fails.
pub async fn set_role(
    directory: &dyn Directory,
    login: &str,
    role: &str,
    at: Timestamp,
) -> Result<bool, AdminError> {
    let user = show(directory, Kind::User, login).await?;
    let subject = subject(&user, Kind::User, login)?;
    let role = if role == DEFAULT_ROLE {
        None
    } else {
        Some(show(directory, Kind::Role, role).await?.unique)
    };
    Ok(directory.set_role(subject, role.as_deref(), at).await?)
}

/// Sets what a role grants: a level, or nothing of its own, which leaves it to the realm's
/// default. Components that are not named stay. False when it granted that before.
///
/// # Errors
/// When there is no such role and `may_create` is false, or the store fails.
pub async fn grant(
    directory: &dyn Directory,
    role: &str,
    grants: &[(Component, Option<Level>)],
    may_create: bool,
    at: Timestamp,
) -> Result<bool, AdminError> {
    if role == DEFAULT_ROLE {
        return Err(AdminError::DefaultRole);
    }
    match show(directory, Kind::Role, role).await {
        Err(AdminError::Unknown { .. }) if may_create => {}
        found => drop(found?),
    }
    Ok(directory.grant(role, grants, at).await?)
}

fn subject(record: &Record, kind: Kind, id: &str) -> Result<Subject, AdminError> {
    let unknown = || AdminError::Unknown { kind, id: id.to_owned(), near: Vec::new() };
    let realm = match kind {
        Kind::Customer => Realm::Customer,
        Kind::Account => Realm::Account,
        Kind::Reseller => Realm::Reseller,
        _ => return record.unique.parse().map_err(|_not_a_user| unknown()),
    };
    Ok(Subject { realm, id: record.key.ok_or_else(unknown)? })
}

/// The names most like `id`: a few changed letters, or one within the other.
fn near<'a>(id: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let id = id.to_lowercase();
    let mut ranked: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let other = name.to_lowercase();
            let is_part = id.len() > 1 && (other.contains(&id) || id.contains(&other));
            let distance = strsim::osa_distance(&id, &other);
            let is_near = distance <= (id.chars().count() / 3).max(1);
            (is_near || is_part && other.len() > 1).then_some((distance, name))
        })
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(NEAR).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests;
