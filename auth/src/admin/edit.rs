//! Adds and changes single entries.
//!
//! An entry is what it is in a directory file. It is taken as an export writes it, or begun anew;
//! the keys that are given are set; and the outcome is imported, alone. So its keys, their checks
//! and what a change revokes are those of an import, and what is not named stays as it is.

mod assignment;
mod number;

use mesh::clock::Timestamp;
use toml::{Table, Value};

use super::{AdminError, Kind, Record, show};
use crate::domain::directory::Directory;
use crate::domain::secret::Secret;
use crate::import::{self, ApplyError, Plan, Problem};
use crate::password;
pub use assignment::Assignment;
use assignment::assign;

/// Keys that say how somebody logs in.
const LOGIN: &[&str] =
    &["login", "password_hash", "api_token_sha256", "role", "must_change_password", "super_user"];
/// What belongs to a customer and has entries of its own.
const OF_CUSTOMERS: &[&str] = &["account", "hunt_group", "ivr_application"];

/// Adds an entry. Accounts, hunt groups, applications and numbers belong to `customer`.
///
/// # Errors
/// When there is one of that name, a key is unknown or missing or has a wrong value, or the store
/// fails. Nothing was done then.
pub async fn add(
    directory: &dyn Directory,
    kind: Kind,
    id: &str,
    customer: Option<&str>,
    assignments: &[Assignment],
    password: Option<&Secret>,
    at: Timestamp,
) -> Result<(), AdminError> {
    match show(directory, kind, id).await {
        Ok(_) | Err(AdminError::Ambiguous { .. }) if kind != Kind::Application => {
            return Err(AdminError::Exists { kind, id: id.to_owned() });
        }
        Ok(_) | Err(AdminError::Unknown { .. } | AdminError::Ambiguous { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut root = Root::of(&directory.snapshot().await?.plan)?;
    let (array, name) = place(kind);
    let mut entry = Table::from_iter([(name.to_owned(), Value::from(id))]);
    let owner = match (is_of_customers(kind), customer) {
        (false, None) => None,
        (true, Some(customer)) => Some(show(directory, Kind::Customer, customer).await?.unique),
        (true, None) => return Err(AdminError::NoCustomer(kind)),
        (false, Some(_)) => return Err(AdminError::NoOwner(kind)),
    };
    if kind == Kind::Number {
        let owner = root.take("customer", "name", &owner.unwrap_or_default())?;
        return number::lead(root, owner, id, assignments, at, directory).await;
    }
    if let Some(owner) = &owner
        && root.has(owner, array, name, id)
    {
        return Err(AdminError::Exists { kind, id: id.to_owned() });
    }
    assign(&mut entry, kind, assignments)?;
    give_password(&mut entry, id, password)?;
    root.import(owner.as_deref(), array, entry, at, directory).await
}

/// Changes an entry; false when it was so before.
///
/// # Errors
/// When there is none, a key is unknown or has a wrong value, or the store fails. Nothing was done
/// then.
pub async fn change(
    directory: &dyn Directory,
    kind: Kind,
    id: &str,
    assignments: &[Assignment],
    at: Timestamp,
) -> Result<bool, AdminError> {
    let record = show(directory, kind, id).await?;
    let before = directory.snapshot().await?.plan;
    let mut root = Root::of(&before)?;
    let of = |field: &str| record.field(field).and_then(|it| it.as_str()).unwrap_or_default();
    if kind == Kind::Number {
        let owner = root.take("customer", "name", of("customer"))?;
        number::lead(root, owner, &record.unique, assignments, at, directory).await?;
        return Ok(directory.snapshot().await?.plan != before);
    }
    if let Some(wrong) = assignments.iter().find(|it| it.key() == "balance") {
        return Err(AdminError::Fixed(wrong.key().to_owned()));
    }
    let (kind, own) = match kind {
        Kind::User => user_of(&record, assignments)?,
        kind => (kind, of(place(kind).1).to_owned()),
    };
    let owner = match kind {
        Kind::Account if of("realm") == "account" => {
            let account = show(directory, Kind::Account, &own).await?;
            account.field("customer").and_then(|it| it.as_str()).map(str::to_owned)
        }
        kind if is_of_customers(kind) => Some(of("customer").to_owned()),
        _ => None,
    };
    let (array, name) = place(kind);
    let mut entry = match &owner {
        Some(owner) => root.take_of(owner, array, name, &own)?,
        None => root.take(array, name, &own)?,
    };
    assign(&mut entry, kind, assignments)?;
    root.import(owner.as_deref(), array, entry, at, directory).await?;
    // Values may be written in several ways, so only the outcome tells.
    Ok(directory.snapshot().await?.plan != before)
}

/// The entry to which a user's login belongs; only keys of the login can be changed this way.
fn user_of(record: &Record, assignments: &[Assignment]) -> Result<(Kind, String), AdminError> {
    let of = |field: &str| record.field(field).and_then(|it| it.as_str()).unwrap_or_default();
    let kind = match of("realm") {
        "reseller" => Kind::Reseller,
        "customer" => Kind::Customer,
        "account" => Kind::Account,
        _ => Kind::User,
    };
    match assignments.iter().find(|it| !LOGIN.contains(&it.key())) {
        Some(other) => Err(AdminError::NotOfLogin(other.key().to_owned())),
        None => Ok((kind, of("of").to_owned())),
    }
}

/// The table of a kind in a file, and the key that names an entry.
const fn place(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Customer | Kind::Number => ("customer", "name"),
        Kind::Account => ("account", "id"),
        Kind::User => ("admin", "login"),
        Kind::Role => ("role", "name"),
        Kind::HuntGroup => ("hunt_group", "id"),
        Kind::Application => ("ivr_application", "name"),
        Kind::Reseller => ("reseller", "name"),
        Kind::Product => ("product", "name"),
        Kind::Tariff => ("tariff", "name"),
    }
}

const fn is_of_customers(kind: Kind) -> bool {
    matches!(kind, Kind::Account | Kind::HuntGroup | Kind::Application | Kind::Number)
}

fn give_password(entry: &mut Table, id: &str, password: Option<&Secret>) -> Result<(), AdminError> {
    let Some(password) = password else { return Ok(()) };
    let login = entry.get("login").and_then(Value::as_str).unwrap_or(id);
    password::check_choice(password, login).map_err(AdminError::Password)?;
    let hash = password::hash(password)?;
    entry.insert("password_hash".to_owned(), Value::from(hash.expose()));
    entry.insert("demo".to_owned(), Value::from(false));
    Ok(())
}

/// The directory as a file.
struct Root(Table);

impl Root {
    fn of(plan: &Plan) -> Result<Self, AdminError> {
        let text = crate::export::write(plan)?;
        Ok(Self(text.parse().map_err(|_unread| AdminError::Unreadable)?))
    }

    /// Takes an entry out. It was looked up before: only another change may have come between.
    fn take(&mut self, array: &str, key: &str, name: &str) -> Result<Table, AdminError> {
        take(&mut self.0, array, key, name).ok_or(AdminError::Unreadable)
    }

    /// Takes an entry of a customer out.
    fn take_of(
        &mut self,
        owner: &str,
        array: &str,
        key: &str,
        name: &str,
    ) -> Result<Table, AdminError> {
        let mut customer = self.take("customer", "name", owner)?;
        let entry = take(&mut customer, array, key, name).ok_or(AdminError::Unreadable);
        push(&mut self.0, "customer", customer);
        entry
    }

    fn has(&self, owner: &str, array: &str, key: &str, name: &str) -> bool {
        let mut copy = Self(self.0.clone());
        copy.take_of(owner, array, key, name).is_ok()
    }

    /// Imports one entry, with its customer and without what else is the customer's.
    async fn import(
        mut self,
        owner: Option<&str>,
        array: &str,
        mut entry: Table,
        at: Timestamp,
        directory: &dyn Directory,
    ) -> Result<(), AdminError> {
        let (array, entry) = match owner {
            None => {
                if array == "customer" {
                    strip(&mut entry);
                }
                (array, entry)
            }
            Some(owner) => {
                let mut customer = self.take("customer", "name", owner)?;
                strip(&mut customer);
                customer.insert(array.to_owned(), Value::from(vec![Value::Table(entry)]));
                ("customer", customer)
            }
        };
        self.write(array, entry, at, directory).await
    }

    /// Imports a file of one entry.
    async fn write(
        mut self,
        array: &str,
        entry: Table,
        at: Timestamp,
        directory: &dyn Directory,
    ) -> Result<(), AdminError> {
        let mut file = Table::new();
        if let Some(demo) = self.0.remove("demo") {
            file.insert("demo".to_owned(), demo);
        }
        push(&mut file, array, entry);
        let text = toml::to_string(&file).map_err(|_unwritten| AdminError::Unreadable)?;
        let plan = import::parse(&text).map_err(|error| refused(&error.problems))?;
        match directory.apply(&plan, at).await {
            Ok(_applied) => Ok(()),
            Err(ApplyError::Refused(problems)) => Err(refused(&problems)),
            Err(ApplyError::Store(error)) => Err(error.into()),
        }
    }
}

/// Takes the first entry out that a key names.
fn take(table: &mut Table, array: &str, key: &str, name: &str) -> Option<Table> {
    let Some(Value::Array(all)) = table.get_mut(array) else { return None };
    let has_name = |entry: &Value| entry.get(key).and_then(Value::as_str) == Some(name);
    let at = all.iter().position(has_name)?;
    match all.remove(at) {
        Value::Table(entry) => Some(entry),
        _ => None,
    }
}

fn push(table: &mut Table, array: &str, entry: Table) {
    let all = table.entry(array).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(all) = all {
        all.push(Value::Table(entry));
    }
}

/// Leaves what belongs to a customer out of it, so that it stays as it is.
fn strip(customer: &mut Table) {
    for array in OF_CUSTOMERS {
        customer.remove(*array);
    }
}

/// The problems without their places: the file was never anybody's.
fn refused(problems: &[Problem]) -> AdminError {
    let told = problems.iter().map(|problem| {
        let key = problem.place.key.rsplit('.').next().unwrap_or_default();
        let key = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
        let remedy = match problem.remedy.as_str() {
            "" => String::new(),
            remedy => format!("; {}", remedy.replace("define it in this file", "add it first")),
        };
        format!("{key}{}{remedy}", problem.what)
    });
    AdminError::Refused(told.collect())
}
