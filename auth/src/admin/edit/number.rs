//! Where a number leads.

use mesh::clock::Timestamp;
use toml::{Table, Value};

use super::assignment::{Assignment, items, joined, without};
use super::{Root, push, strip, take};
use crate::admin::AdminError;
use crate::domain::directory::Directory;

/// Leads a number of a customer to what `to` says: `account:ID`, `application:NAME`, or `nothing`.
pub(super) async fn lead(
    root: Root,
    mut customer: Table,
    number: &str,
    assignments: &[Assignment],
    at: Timestamp,
    directory: &dyn Directory,
) -> Result<(), AdminError> {
    let to = match assignments {
        [] => "nothing",
        [to] if to.key() == "to" => to.value(),
        [.., other] => return Err(AdminError::NotOfNumber(other.key().to_owned())),
    };
    let wrong = || AdminError::Value {
        key: "to".to_owned(),
        value: to.to_owned(),
        right: "`account:ID`, `application:NAME` (of the same customer) or `nothing`".to_owned(),
    };
    let target = match to.split_once(':') {
        Some(("account", id)) => Some(("account", "id", id, "numbers")),
        Some(("application", name)) => Some(("ivr_application", "name", name, "access_numbers")),
        None if to == "nothing" => None,
        _ => return Err(wrong()),
    };
    let one = || Some(Value::from(vec![Value::from(number)]));

    let mut entries = customer.clone();
    strip(&mut entries);
    // Where it leads now comes first in the file, so that it is free when its turn comes.
    for (array, key) in [("account", "numbers"), ("ivr_application", "access_numbers")] {
        for present in items(customer.get(array).cloned()) {
            let Value::Table(mut present) = present else { continue };
            if items(present.get(key).cloned()).contains(&Value::from(number)) {
                let rest = without(present.remove(key), one());
                present.insert(key.to_owned(), rest);
                push(&mut entries, array, present);
            }
        }
    }
    let free = entries.remove("numbers");
    let free = match target {
        None => joined(free, one()),
        Some((array, name_key, name, key)) => {
            let entry = take(&mut entries, array, name_key, name)
                .or_else(|| take(&mut customer, array, name_key, name));
            let mut entry = entry.ok_or_else(wrong)?;
            let all = joined(entry.remove(key), one());
            entry.insert(key.to_owned(), all);
            push(&mut entries, array, entry);
            without(free, one())
        }
    };
    entries.insert("numbers".to_owned(), free);
    root.write("customer", entries, at, directory).await
}
