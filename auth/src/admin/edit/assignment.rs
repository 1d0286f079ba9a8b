//! `KEY=VALUE` as an operator writes it, and what it does to an entry.

use std::str::FromStr;

use toml::{Table, Value};

use crate::admin::{AdminError, Kind};

/// Keys whose values are `true` or `false`.
const FLAGS: &[&str] = &[
    "blocked",
    "conferencing",
    "demo",
    "must_change_password",
    "ring_all",
    "super_user",
    "user_application",
];
/// Keys whose values are whole numbers.
const NUMBERS: &[&str] = &["agent_timeout", "decision_timeout", "max_wait", "max_waiting"];
/// Keys whose values are lists of names.
const LISTS: &[&str] = &["access_numbers", "agents", "inactive_agents", "numbers"];
/// One key and what it becomes: `KEY=VALUE`, and for lists `KEY+=VALUE` and `KEY-=VALUE`, where
/// commas separate values. An empty value takes the key away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    key: String,
    how: How,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Set,
    Add,
    Take,
}

impl FromStr for Assignment {
    type Err = AdminError;

    fn from_str(text: &str) -> Result<Self, AdminError> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| AdminError::NoAssignment(text.to_owned()))?;
        let (key, how) = match (key.strip_suffix('+'), key.strip_suffix('-')) {
            (Some(key), _) => (key, How::Add),
            (None, Some(key)) => (key, How::Take),
            (None, None) => (key, How::Set),
        };
        let is_list = LISTS.contains(&key) || matches!(key, "rate" | "rating");
        if key.is_empty() || (how != How::Set && !is_list) {
            return Err(AdminError::NoAssignment(text.to_owned()));
        }
        Ok(Self { key: key.to_owned(), how, value: value.to_owned() })
    }
}

impl Assignment {
    /// The key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The value of what is set.
    pub(super) fn value(&self) -> &str {
        &self.value
    }
}

/// Sets the keys that are given.
pub(super) fn assign(
    entry: &mut Table,
    kind: Kind,
    assignments: &[Assignment],
) -> Result<(), AdminError> {
    for Assignment { key, how, value } in assignments {
        let wrong = |right: &str| AdminError::Value {
            key: key.clone(),
            value: value.clone(),
            right: right.to_owned(),
        };
        let new = match key.as_str() {
            _ if value.is_empty() => None,
            key if FLAGS.contains(&key) => {
                Some(Value::from(value.parse::<bool>().map_err(|_| wrong("`true` or `false`"))?))
            }
            key if NUMBERS.contains(&key) => {
                Some(Value::from(value.parse::<i64>().map_err(|_| wrong("a whole number"))?))
            }
            key if LISTS.contains(&key) => {
                let names = value.split(',').map(|name| Value::from(name.trim()));
                Some(Value::from(names.collect::<Vec<_>>()))
            }
            "rate" if kind == Kind::Tariff => {
                let rates = value.split(',').map(|text| {
                    rate(text)
                        .ok_or_else(|| wrong("`SERVICE:PREFIX:PRICE`, e.g. `voice:1206:0.012`"))
                });
                Some(Value::from(rates.collect::<Result<Vec<_>, _>>()?))
            }
            "rating" if kind == Kind::Product => {
                Some(Value::from(value.split(',').map(rating).collect::<Vec<_>>()))
            }
            _ => Some(Value::from(value.as_str())),
        };
        let present = entry.remove(key);
        let new = match how {
            How::Set => new,
            How::Add => Some(joined(present, new)),
            How::Take => Some(without(present, new)),
        };
        if let Some(new) = new {
            entry.insert(key.clone(), new);
        }
    }
    Ok(())
}

fn rate(text: &str) -> Option<Value> {
    let mut parts = text.trim().split(':');
    let (service, prefix, price) = (parts.next()?, parts.next()?, parts.next()?);
    let keys = [("service", service), ("prefix", prefix), ("price_per_minute", price)];
    parts.next().is_none().then(|| table(&keys))
}

/// `TARIFF`, or `CODE:TARIFF` for an access code.
fn rating(text: &str) -> Value {
    match text.trim().split_once(':') {
        Some((code, tariff)) => table(&[("access_code", code), ("tariff", tariff)]),
        None => table(&[("tariff", text.trim())]),
    }
}

fn table(keys: &[(&str, &str)]) -> Value {
    let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    Value::Table(keys.collect())
}

/// The items of a list that may not be there.
pub(super) fn items(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        Some(_) | None => Vec::new(),
    }
}

/// A list with further items.
pub(super) fn joined(present: Option<Value>, new: Option<Value>) -> Value {
    let mut all = items(present);
    for item in items(new) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    Value::Array(all)
}

/// A list without some items.
pub(super) fn without(present: Option<Value>, gone: Option<Value>) -> Value {
    let (mut all, gone) = (items(present), items(gone));
    all.retain(|item| !gone.contains(item));
    Value::Array(all)
}
