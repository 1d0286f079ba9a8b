//! What an import wants the directory to hold.
//!
//! A plan is consistent in itself (the parser sees to that); names that it does not define may
//! be those of a directory that is already there, so they carry the place in the file where they
//! stand, and the store answers with that place when it finds nothing under them.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::access::{Component, Level};
use crate::domain::money::Money;
use crate::domain::party::{Decision, OnAppGone, QueueRules};
use crate::domain::secret::Secret;

/// A place in the imported file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Key, e.g. `customer[0].account[3].role`.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, ", `{}`", self.key) }
    }
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// One thing that is wrong with an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// Everything that an import brings, each kind in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// True for the demo directory, whose passwords are published.
    pub is_demo: bool,
    /// Roles.
    pub roles: Vec<Role>,
    /// Tariffs.
    pub tariffs: Vec<Tariff>,
    /// Products.
    pub products: Vec<Product>,
    /// Administrators.
    pub admins: Vec<Admin>,
    /// Resellers.
    pub resellers: Vec<Reseller>,
    /// Customers with what is theirs.
    pub customers: Vec<Customer>,
}

/// A role and what it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Name.
    pub name: Name,
    /// Levels of the components that it names; the others keep their realm's default.
    pub grants: BTreeMap<Component, Level>,
}

/// Prices by prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// Name.
    pub name: Name,
    /// Currency, ISO 4217.
    pub currency: String,
    /// Its rates.
    pub rates: Vec<Rate>,
}

/// The price of one service to one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// `voice` or `conferencing`.
    pub service: &'static str,
    /// Leading digits of the number; empty for all.
    pub prefix: String,
    /// Price of a minute; charged by the second.
    pub price_per_minute: Money,
    /// Seconds of each charge that cost nothing.
    pub free_seconds: i64,
    /// The least that is charged beyond them.
    pub minimum_seconds: i64,
}

/// What is sold to accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Name.
    pub name: Name,
    /// Includes conferencing.
    pub conferencing: bool,
    /// Includes IVR applications of the type "User Application".
    pub user_application: bool,
    /// Its rating entries.
    pub rating: Vec<RatingEntry>,
}

/// Which tariff applies to an access code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatingEntry {
    /// Access code, e.g. `INCOMING`; empty for calls placed by the account.
    pub access_code: String,
    /// Tariff.
    pub tariff: Name,
}

/// How somebody logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Login name, unique in its realm.
    pub login: Name,
    /// PHC string; absent keeps the present one.
    pub password_hash: Option<Secret>,
    /// Hex SHA-256 of an API token; absent keeps the present one.
    pub api_token_sha256: Option<Secret>,
    /// Role; absent means the realm's defaults.
    pub role: Option<Name>,
    /// Nothing is withheld.
    pub is_super_user: bool,
    /// Another password must be chosen first.
    pub must_change_password: bool,
    /// The password is a published one.
    pub is_demo: bool,
}

/// An administrator, known by its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// How it logs in.
    pub login: Login,
    /// Blocked.
    pub is_blocked: bool,
}

/// A reseller, known by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseller {
    /// Name.
    pub name: Name,
    /// How it logs in.
    pub login: Option<Login>,
    /// Blocked.
    pub is_blocked: bool,
}

/// How much may be owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The most that may be owed.
    pub limit: Money,
    /// What is owed when the party is created; later imports leave the balance alone.
    pub opening_balance: Money,
}

/// A customer, known by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Name.
    pub name: Name,
    /// The reseller above.
    pub reseller: Option<Name>,
    /// How it logs in.
    pub login: Option<Login>,
    /// Currency of its charges, ISO 4217.
    pub currency: String,
    /// Its credit.
    pub credit: Credit,
    /// Blocked.
    pub is_blocked: bool,
    /// Numbers allocated to it and free.
    pub numbers: Vec<Name>,
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// Its hunt groups.
    pub hunt_groups: Vec<HuntGroup>,
    /// Its IVR applications.
    pub ivr_applications: Vec<IvrApplication>,
}

/// An account, known by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Id, which is its number.
    pub id: Name,
    /// Name of who uses it.
    pub name: String,
    /// How it logs in.
    pub login: Option<Login>,
    /// What was sold to it.
    pub product: Name,
    /// Overrides the product's conferencing.
    pub conferencing: Option<bool>,
    /// Overrides the product's user application.
    pub user_application: Option<bool>,
    /// Its credit.
    pub credit: Credit,
    /// Blocked.
    pub is_blocked: bool,
    /// Further numbers that lead to it.
    pub numbers: Vec<Name>,
    /// What happens to calls to it about which no application decides.
    pub decision: Option<Decision>,
}

/// A hunt group, known by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuntGroup {
    /// Its number.
    pub id: Name,
    /// Its name.
    pub name: String,
    /// Name of its queue.
    pub queue: Option<String>,
    /// How the queue deals with calls.
    pub rules: QueueRules,
    /// What happens to calls about which no application decides.
    pub decision: Option<Decision>,
    /// Ids of its members, in order.
    pub members: Vec<Name>,
    /// Those of them that do not take part; of the others, who is new takes part.
    pub inactive: Vec<Name>,
}

/// An IVR application, known by its name within the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IvrApplication {
    /// Name.
    pub name: Name,
    /// Id of the account that owns it.
    pub account: Name,
    /// What becomes of calls under way when it has gone.
    pub on_app_gone: OnAppGone,
    /// Its access numbers.
    pub access_numbers: Vec<Name>,
}
