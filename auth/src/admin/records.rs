//! The directory as records to be shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Kind;
use crate::domain::access::{Component, DEFAULT_ROLE, Realm};
use crate::domain::id::{IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication, IReseller, IUser};
use crate::domain::plan::{
    Account, Customer, HuntGroup, IvrApplication, Login, Name, Plan, Product, Reseller, Role,
    Tariff,
};
use crate::domain::principal::Subject;
use crate::domain::snapshot::{Snapshot, within};

/// One entry of the directory, to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Names by which it may be asked for, the best first. Several may have the same.
    pub names: Vec<String>,
    /// The name that nothing else of its kind has.
    pub unique: String,
    /// Its key.
    pub key: Option<i64>,
    /// What is known of it, in the order in which it is shown.
    pub fields: Vec<(&'static str, Value)>,
}

impl Record {
    /// A field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }
}

/// All of a kind.
pub(super) fn of(snapshot: &Snapshot, kind: Kind) -> Vec<Record> {
    let customers = snapshot.plan.customers.iter();
    match kind {
        Kind::Customer => customers.map(|it| customer(snapshot, it)).collect(),
        Kind::Account => customers
            .flat_map(|owner| owner.accounts.iter().map(move |it| account(snapshot, owner, it)))
            .collect(),
        Kind::User => users(snapshot),
        Kind::Role => roles(&snapshot.plan),
        Kind::Number => numbers(&snapshot.plan),
        Kind::HuntGroup => customers
            .flat_map(|owner| {
                owner.hunt_groups.iter().map(move |it| hunt_group(snapshot, owner, it))
            })
            .collect(),
        Kind::Application => customers
            .flat_map(|owner| {
                owner.ivr_applications.iter().map(move |it| application(snapshot, owner, it))
            })
            .collect(),
        Kind::Reseller => snapshot.plan.resellers.iter().map(|it| reseller(snapshot, it)).collect(),
        Kind::Product => snapshot.plan.products.iter().map(|it| product(snapshot, it)).collect(),
        Kind::Tariff => snapshot.plan.tariffs.iter().map(tariff).collect(),
    }
}

fn reseller(snapshot: &Snapshot, reseller: &Reseller) -> Record {
    let name = reseller.name.text.clone();
    let key = snapshot.keys.get(IReseller::KIND, &name);
    let login = reseller.login.as_ref();
    let is_below = |customer: &&Customer| {
        customer.reseller.as_ref().is_some_and(|above| above.text == reseller.name.text)
    };
    let names = [Some(name.clone()), login.map(login_name), key.map(|key| key.to_string())];
    Record {
        names: names.into_iter().flatten().collect(),
        fields: vec![
            ("i_reseller", json!(key)),
            ("name", json!(name)),
            ("login", json!(login.map(login_name))),
            ("role", json!(login.map(role_name))),
            ("customers", json!(snapshot.plan.customers.iter().filter(is_below).count())),
            ("state", json!(own_state(reseller.is_blocked))),
        ],
        unique: name,
        key,
    }
}

fn product(snapshot: &Snapshot, product: &Product) -> Record {
    let name = product.name.text.clone();
    let accounts = snapshot.plan.customers.iter().flat_map(|customer| &customer.accounts);
    let rating = product.rating.iter().map(|entry| match entry.access_code.as_str() {
        "" => entry.tariff.text.clone(),
        code => format!("{code}:{}", entry.tariff.text),
    });
    Record {
        names: vec![name.clone()],
        fields: vec![
            ("name", json!(name)),
            ("conferencing", json!(product.conferencing)),
            ("user_application", json!(product.user_application)),
            ("rating", json!(rating.collect::<Vec<_>>())),
            ("accounts", json!(accounts.filter(|it| it.product.text == name).count())),
        ],
        unique: name,
        key: None,
    }
}

fn tariff(tariff: &Tariff) -> Record {
    let name = tariff.name.text.clone();
    let rates = tariff.rates.iter();
    let rates =
        rates.map(|rate| format!("{}:{}:{}", rate.service, rate.prefix, rate.price_per_minute));
    Record {
        names: vec![name.clone()],
        fields: vec![
            ("name", json!(name)),
            ("currency", json!(tariff.currency)),
            ("rates", json!(rates.collect::<Vec<_>>())),
        ],
        unique: name,
        key: None,
    }
}

fn customer(snapshot: &Snapshot, customer: &Customer) -> Record {
    let name = customer.name.text.clone();
    let key = snapshot.keys.get(ICustomer::KIND, &name);
    let login = customer.login.as_ref();
    let names = [Some(name.clone()), login.map(login_name), key.map(|key| key.to_string())];
    Record {
        names: names.into_iter().flatten().collect(),
        fields: vec![
            ("i_customer", json!(key)),
            ("name", json!(name)),
            ("reseller", json!(customer.reseller.as_ref().map(text))),
            ("login", json!(login.map(login_name))),
            ("role", json!(login.map(role_name))),
            ("accounts", json!(customer.accounts.len())),
            ("hunt_groups", json!(texts(customer.hunt_groups.iter().map(|group| &group.id)))),
            ("free_numbers", json!(texts(&customer.numbers))),
            ("currency", json!(customer.currency)),
            ("balance", json!(customer.credit.opening_balance.to_string())),
            ("credit_limit", json!(customer.credit.limit.to_string())),
            ("state", json!(customer_state(&snapshot.plan, customer))),
        ],
        unique: name,
        key,
    }
}

fn account(snapshot: &Snapshot, customer: &Customer, account: &Account) -> Record {
    let id = account.id.text.clone();
    let key = snapshot.keys.get(IAccount::KIND, &id);
    let login = account.login.as_ref();
    let has_product = |product: &&Product| product.name.text == account.product.text;
    let product = snapshot.plan.products.iter().find(has_product);
    let conferencing = account.conferencing.or(product.map(|product| product.conferencing));
    let application = account.user_application.or(product.map(|product| product.user_application));
    Record {
        names: [Some(id.clone()), login.map(login_name)].into_iter().flatten().collect(),
        fields: vec![
            ("i_account", json!(key)),
            ("id", json!(id)),
            ("name", json!(account.name)),
            ("i_customer", json!(snapshot.keys.get(ICustomer::KIND, &customer.name.text))),
            ("customer", json!(text(&customer.name))),
            ("product", json!(text(&account.product))),
            ("conferencing", json!(conferencing)),
            ("user_application", json!(application)),
            ("login", json!(login.map(login_name))),
            ("role", json!(login.map(role_name))),
            ("numbers", json!(texts(&account.numbers))),
            ("currency", json!(customer.currency)),
            ("balance", json!(account.credit.opening_balance.to_string())),
            ("credit_limit", json!(account.credit.limit.to_string())),
            ("state", json!(account_state(&snapshot.plan, customer, account))),
        ],
        unique: id,
        key,
    }
}

fn users(snapshot: &Snapshot) -> Vec<Record> {
    let plan = &snapshot.plan;
    let mut records = Vec::new();
    let mut add = |realm, (kind, name): (&'static str, &str), login: Option<&Login>, state| {
        if let (Some(id), Some(login)) = (snapshot.keys.get(kind, name), login) {
            records.push(user(Subject { realm, id }, name, login, state));
        }
    };
    for it in &plan.admins {
        let name = (IUser::KIND, it.login.login.text.as_str());
        add(Realm::Admin, name, Some(&it.login), own_state(it.is_blocked));
    }
    for it in &plan.resellers {
        let name = (IReseller::KIND, it.name.text.as_str());
        add(Realm::Reseller, name, it.login.as_ref(), own_state(it.is_blocked));
    }
    for customer in &plan.customers {
        let name = (ICustomer::KIND, customer.name.text.as_str());
        add(Realm::Customer, name, customer.login.as_ref(), customer_state(plan, customer));
        for it in &customer.accounts {
            let name = (IAccount::KIND, it.id.text.as_str());
            add(Realm::Account, name, it.login.as_ref(), account_state(plan, customer, it));
        }
    }
    records
}

fn user(subject: Subject, of: &str, login: &Login, state: &str) -> Record {
    Record {
        names: vec![login_name(login)],
        unique: subject.to_string(),
        key: Some(subject.id),
        fields: vec![
            ("login", json!(login.login.text)),
            ("realm", json!(subject.realm.as_str())),
            ("user", json!(subject.to_string())),
            ("of", json!(of)),
            ("role", json!(role_name(login))),
            ("super_user", json!(login.is_super_user)),
            ("api_token", json!(login.api_token_sha256.is_some())),
            ("must_change_password", json!(login.must_change_password)),
            ("published_password", json!(login.is_demo)),
            ("state", json!(state)),
        ],
    }
}

fn roles(plan: &Plan) -> Vec<Record> {
    let customers = plan.customers.iter();
    let logins = plan
        .admins
        .iter()
        .map(|admin| &admin.login)
        .chain(plan.resellers.iter().filter_map(|reseller| reseller.login.as_ref()))
        .chain(customers.clone().filter_map(|customer| customer.login.as_ref()))
        .chain(customers.flat_map(|it| &it.accounts).filter_map(|it| it.login.as_ref()));
    let mut users: BTreeMap<String, usize> = BTreeMap::new();
    for login in logins {
        *users.entry(role_name(login)).or_default() += 1;
    }
    plan.roles.iter().map(|it| role(it, users.remove(&it.name.text).unwrap_or(0))).collect()
}

fn role(role: &Role, users: usize) -> Record {
    let name = role.name.text.clone();
    let level = |component: &Component| {
        let level = role.grants.get(component);
        (component.as_str(), json!(level.map_or(DEFAULT_ROLE, |level| level.as_str())))
    };
    let mut fields = vec![("name", json!(name))];
    fields.extend(Component::ALL.iter().map(level));
    fields.push(("users", json!(users)));
    Record { names: vec![name.clone()], unique: name, key: None, fields }
}

fn numbers(plan: &Plan) -> Vec<Record> {
    let mut records = Vec::new();
    for customer in &plan.customers {
        let mut add = |number: &Name, leads_to: &str, target: Option<&str>| {
            records.push(Record {
                names: vec![number.text.clone()],
                unique: number.text.clone(),
                key: None,
                fields: vec![
                    ("number", json!(number.text)),
                    ("customer", json!(text(&customer.name))),
                    ("leads_to", json!(leads_to)),
                    ("target", json!(target)),
                ],
            });
        };
        for it in &customer.accounts {
            for number in it.numbers.iter().chain([&it.id]) {
                add(number, "account", Some(&it.id.text));
            }
        }
        for it in &customer.hunt_groups {
            add(&it.id, "hunt group", Some(&it.name));
        }
        for it in &customer.ivr_applications {
            for number in &it.access_numbers {
                add(number, "application", Some(&it.name.text));
            }
        }
        for number in &customer.numbers {
            add(number, "nothing yet", None);
        }
    }
    records.sort_by(|one, other| one.unique.cmp(&other.unique));
    records
}

fn hunt_group(snapshot: &Snapshot, customer: &Customer, group: &HuntGroup) -> Record {
    let id = group.id.text.clone();
    let key = snapshot.keys.get(ICGroup::KIND, &id);
    Record {
        names: vec![id.clone(), group.name.clone()],
        fields: vec![
            ("i_c_group", json!(key)),
            ("id", json!(id)),
            ("name", json!(group.name)),
            ("customer", json!(text(&customer.name))),
            ("i_c_queue", json!(snapshot.keys.get(ICQueue::KIND, &id))),
            ("queue", json!(group.queue)),
            ("agents", json!(texts(&group.members))),
            ("inactive_agents", json!(texts(&group.inactive))),
        ],
        unique: id,
        key,
    }
}

fn application(snapshot: &Snapshot, customer: &Customer, it: &IvrApplication) -> Record {
    let name = it.name.text.clone();
    let key = snapshot.keys.get(IIvrApplication::KIND, &within(&customer.name.text, &name));
    Record {
        names: vec![name.clone()],
        unique: key.map_or_else(String::new, |key| key.to_string()),
        key,
        fields: vec![
            ("i_ivr_application", json!(key)),
            ("name", json!(name)),
            ("customer", json!(text(&customer.name))),
            ("account", json!(text(&it.account))),
            ("on_app_gone", json!(it.on_app_gone.as_str())),
            ("access_numbers", json!(texts(&it.access_numbers))),
        ],
    }
}

const fn own_state(is_blocked: bool) -> &'static str {
    if is_blocked { "blocked" } else { "active" }
}

fn customer_state(plan: &Plan, customer: &Customer) -> &'static str {
    let is_above = |name: &str| customer.reseller.as_ref().is_some_and(|it| it.text == name);
    let is_reseller_blocked =
        plan.resellers.iter().any(|reseller| reseller.is_blocked && is_above(&reseller.name.text));
    match (customer.is_blocked, is_reseller_blocked) {
        (false, true) => "reseller blocked",
        (is_blocked, _) => own_state(is_blocked),
    }
}

fn account_state(plan: &Plan, customer: &Customer, account: &Account) -> &'static str {
    match (account.is_blocked, customer.is_blocked) {
        (true, _) => "blocked",
        (false, true) => "customer blocked",
        (false, false) => customer_state(plan, customer),
    }
}

fn login_name(login: &Login) -> String {
    login.login.text.clone()
}

fn role_name(login: &Login) -> String {
    login.role.as_ref().map_or_else(|| DEFAULT_ROLE.to_owned(), |role| role.text.clone())
}

fn text(name: &Name) -> &str {
    &name.text
}

fn texts<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<&'a str> {
    names.into_iter().map(text).collect()
}
