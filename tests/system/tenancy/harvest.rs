//! The ids in a tenant's answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Values that name something, by the names of the members that held them.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids(BTreeMap<String, Vec<Value>>);

/// Members whose values belong to one tenant.
const UNIQUE: [&str; 11] = [
    "id",
    "tag",
    "tracking_id",
    "previous_tracking_id",
    "i_conference",
    "participant",
    "i_recording",
    "recording_id",
    "subscription_id",
    "event_id",
    "cursor",
];

/// Strings shorter than this may come about by chance.
const TELLING: usize = 12;

impl Ids {
    /// Takes what an answer holds.
    pub(super) fn gather(&mut self, answer: &Value) {
        match answer {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(_) | Value::Number(_) => self.add(name, value.clone()),
                        _ => self.gather(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item)),
            _ => {}
        }
    }

    /// Takes one value.
    pub(super) fn add(&mut self, name: &str, value: Value) {
        let known = self.0.entry(name.to_owned()).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }

    /// Values for a param: those of members of its name, or of a name that says the same.
    pub(super) fn of(&self, param: &str) -> Vec<Value> {
        let same: &[&str] = match param {
            "account_id" | "owner_account_id" => &["account_id", "id"],
            "from_i_conference" => &["i_conference"],
            "resume_from" => &["cursor", "event_id"],
            "subscribe" | "unsubscribe" => &["i_c_group"],
            "number" | "access_number" => &["number", "access_number"],
            "slot" => &["slot", "park_slot"],
            "id" => &["id", "account_id", "call"],
            other => return self.0.get(other).cloned().unwrap_or_default(),
        };
        same.iter().flat_map(|name| self.0.get(*name).cloned().unwrap_or_default()).collect()
    }

    /// What would give this tenant away at the other: its names, and ids that are long enough not
    /// to be met by chance.
    pub(super) fn marks(&self, other: &Self, names: &[&str]) -> BTreeSet<String> {
        self.telling(other).into_iter().chain(names.iter().map(|it| (*it).to_owned())).collect()
    }

    fn telling(&self, other: &Self) -> Vec<String> {
        let texts = |ids: &Self, name: &str| -> Vec<String> {
            let values = ids.0.get(name).into_iter().flatten();
            values.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
        };
        let own = |name: &str| texts(other, name);
        UNIQUE
            .iter()
            .flat_map(|name| {
                let shared = own(name);
                texts(self, name).into_iter().filter(move |text| !shared.contains(text))
            })
            .filter(|text| text.len() >= TELLING)
            .collect()
    }
}
