//! The whole directory at one moment.

use std::collections::BTreeMap;

use crate::domain::plan::Plan;

/// The whole directory at one moment: what an import would have to say to make it, and the keys
/// that its entries have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Everything, each kind in the order in which it came in. No name has a place.
    pub plan: Plan,
    /// Key of each entry.
    pub keys: Keys,
}

/// Keys by kind (e.g. [`IAccount::KIND`](crate::domain::id::IAccount::KIND)) and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<(&'static str, String), i64>);

impl Keys {
    /// Remembers the key of an entry, named as in an import file; an administrator by its login,
    /// an application by [`within`], a queue by the number of its hunt group.
    pub fn insert(&mut self, kind: &'static str, name: impl Into<String>, key: i64) {
        self.0.insert((kind, name.into()), key);
    }

    /// The key of an entry.
    #[must_use]
    pub fn get(&self, kind: &'static str, name: &str) -> Option<i64> {
        self.0.get(&(kind, name.to_owned())).copied()
    }
}

/// The name of what is only known by a name within its customer.
#[must_use]
pub fn within(customer: &str, name: &str) -> String {
    format!("{customer}\n{name}")
}
