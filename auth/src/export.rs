//! Writes a directory as the TOML file that [`import`](crate::import) reads.
//!
//! What is written and read again into an empty directory gives the same directory, with hashes
//! of passwords and tokens and with balances. Keys (`i_account` and so on) are given anew, and
//! sessions are not part of it: to move a running system, copy its database.

use serde::Serialize;

use crate::domain::party::{Decision, QueueRules};
use crate::domain::plan::{
    Account, Admin, Customer, HuntGroup, IvrApplication, Login, Name, Plan, Product, Reseller,
    Role, Tariff,
};
use crate::domain::secret::Secret;

/// The file could not be written as TOML: a bug.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the directory cannot be written as TOML")]
pub struct ExportError(#[from] toml::ser::Error);

/// The file that makes this plan.
///
/// # Errors
/// Never for a plan that was read from a file or a directory.
pub fn write(plan: &Plan) -> Result<String, ExportError> {
    Ok(toml::to_string(&file(plan))?)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// A file as it is written. The keys are those of `import::file`; what is as it would be without
/// saying it is left out.
#[derive(Serialize)]
struct File<'a> {
    #[serde(skip_serializing_if = "is_false")]
    demo: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role: Vec<FileRole<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tariff: Vec<FileTariff<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    product: Vec<FileProduct<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    admin: Vec<FileAdmin<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reseller: Vec<FileReseller<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    customer: Vec<FileCustomer<'a>>,
}

#[derive(Serialize)]
struct FileRole<'a> {
    name: &'a str,
    #[serde(flatten)]
    grants: std::collections::BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct FileTariff<'a> {
    name: &'a str,
    currency: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rate: Vec<FileRate<'a>>,
}

#[derive(Serialize)]
struct FileRate<'a> {
    service: &'a str,
    prefix: &'a str,
    price_per_minute: String,
    #[serde(skip_serializing_if = "is_zero")]
    free_seconds: i64,
    #[serde(skip_serializing_if = "is_zero")]
    minimum_seconds: i64,
}

#[derive(Serialize)]
struct FileProduct<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    conferencing: bool,
    #[serde(skip_serializing_if = "is_false")]
    user_application: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rating: Vec<FileRating<'a>>,
}

#[derive(Serialize)]
struct FileRating<'a> {
    tariff: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    access_code: &'a str,
}

#[derive(Default, Serialize)]
struct FileLogin<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_token_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    must_change_password: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<bool>,
}

#[derive(Serialize)]
struct FileAdmin<'a> {
    #[serde(flatten)]
    login: FileLogin<'a>,
    #[serde(skip_serializing_if = "is_false")]
    super_user: bool,
    #[serde(skip_serializing_if = "is_false")]
    blocked: bool,
}

#[derive(Serialize)]
struct FileReseller<'a> {
    name: &'a str,
    #[serde(flatten)]
    login: FileLogin<'a>,
    #[serde(skip_serializing_if = "is_false")]
    blocked: bool,
}

#[derive(Serialize)]
struct FileCustomer<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<&'a str>,
    #[serde(flatten)]
    login: FileLogin<'a>,
    currency: &'a str,
    credit_limit: String,
    balance: String,
    #[serde(skip_serializing_if = "is_false")]
    blocked: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    numbers: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    account: Vec<FileAccount<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hunt_group: Vec<FileHuntGroup<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ivr_application: Vec<FileApplication<'a>>,
}

#[derive(Serialize)]
struct FileAccount<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    login: FileLogin<'a>,
    product: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conferencing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_application: Option<bool>,
    credit_limit: String,
    balance: String,
    #[serde(skip_serializing_if = "is_false")]
    blocked: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    numbers: Vec<&'a str>,
    #[serde(flatten)]
    decision: FileDecision<'a>,
}

/// Keys of a decision; none without one.
#[derive(Default, Serialize)]
struct FileDecision<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_fallback: Option<&'a str>,
}

/// Rules of a queue that are not the default ones.
#[derive(Default, Serialize)]
struct FileRules<'a> {
    #[serde(skip_serializing_if = "is_false")]
    ring_all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_timeout: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_waiting: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_wait: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overflow: Option<&'a str>,
}

#[derive(Serialize)]
struct FileHuntGroup<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    agents: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inactive_agents: Vec<&'a str>,
    #[serde(flatten)]
    rules: FileRules<'a>,
    #[serde(flatten)]
    decision: FileDecision<'a>,
}

#[derive(Serialize)]
struct FileApplication<'a> {
    name: &'a str,
    account: &'a str,
    on_app_gone: &'static str,
    access_numbers: Vec<&'a str>,
}

fn file(plan: &Plan) -> File<'_> {
    let demo = plan.is_demo;
    File {
        demo,
        role: plan.roles.iter().map(role).collect(),
        tariff: plan.tariffs.iter().map(tariff).collect(),
        product: plan.products.iter().map(product).collect(),
        admin: plan.admins.iter().map(|it| admin(it, demo)).collect(),
        reseller: plan.resellers.iter().map(|it| reseller(it, demo)).collect(),
        customer: plan.customers.iter().map(|it| customer(it, demo)).collect(),
    }
}

fn role(role: &Role) -> FileRole<'_> {
    let grants = role.grants.iter();
    FileRole {
        name: &role.name.text,
        grants: grants.map(|(component, level)| (component.as_str(), level.as_str())).collect(),
    }
}

fn tariff(tariff: &Tariff) -> FileTariff<'_> {
    let rate = tariff.rates.iter().map(|rate| FileRate {
        service: rate.service,
        prefix: &rate.prefix,
        price_per_minute: rate.price_per_minute.to_string(),
        free_seconds: rate.free_seconds,
        minimum_seconds: rate.minimum_seconds,
    });
    FileTariff { name: &tariff.name.text, currency: &tariff.currency, rate: rate.collect() }
}

fn product(product: &Product) -> FileProduct<'_> {
    let rating = product
        .rating
        .iter()
        .map(|entry| FileRating { tariff: &entry.tariff.text, access_code: &entry.access_code });
    FileProduct {
        name: &product.name.text,
        conferencing: product.conferencing,
        user_application: product.user_application,
        rating: rating.collect(),
    }
}

fn admin(admin: &Admin, demo: bool) -> FileAdmin<'_> {
    FileAdmin {
        super_user: admin.login.is_super_user,
        login: login(Some(&admin.login), demo),
        blocked: admin.is_blocked,
    }
}

fn reseller(reseller: &Reseller, demo: bool) -> FileReseller<'_> {
    FileReseller {
        name: &reseller.name.text,
        login: login(reseller.login.as_ref(), demo),
        blocked: reseller.is_blocked,
    }
}

fn customer(customer: &Customer, demo: bool) -> FileCustomer<'_> {
    FileCustomer {
        name: &customer.name.text,
        reseller: customer.reseller.as_ref().map(|reseller| reseller.text.as_str()),
        login: login(customer.login.as_ref(), demo),
        currency: &customer.currency,
        credit_limit: customer.credit.limit.to_string(),
        balance: customer.credit.opening_balance.to_string(),
        blocked: customer.is_blocked,
        numbers: names(&customer.numbers),
        account: customer.accounts.iter().map(|it| account(it, demo)).collect(),
        hunt_group: customer.hunt_groups.iter().map(hunt_group).collect(),
        ivr_application: customer.ivr_applications.iter().map(application).collect(),
    }
}

fn account(account: &Account, demo: bool) -> FileAccount<'_> {
    FileAccount {
        id: &account.id.text,
        name: &account.name,
        login: login(account.login.as_ref(), demo),
        product: &account.product.text,
        conferencing: account.conferencing,
        user_application: account.user_application,
        credit_limit: account.credit.limit.to_string(),
        balance: account.credit.opening_balance.to_string(),
        blocked: account.is_blocked,
        numbers: names(&account.numbers),
        decision: decision(account.decision.as_ref()),
    }
}

fn hunt_group(group: &HuntGroup) -> FileHuntGroup<'_> {
    FileHuntGroup {
        id: &group.id.text,
        name: &group.name,
        queue: group.queue.as_deref(),
        agents: names(&group.members),
        inactive_agents: names(&group.inactive),
        rules: rules(&group.rules),
        decision: decision(group.decision.as_ref()),
    }
}

fn rules(rules: &QueueRules) -> FileRules<'_> {
    let default = QueueRules::default();
    let unless = |value: i64, default: i64| (value != default).then_some(value);
    FileRules {
        ring_all: rules.ring_all,
        agent_timeout: unless(rules.agent_timeout, default.agent_timeout),
        max_waiting: unless(rules.max_waiting, default.max_waiting),
        max_wait: unless(rules.max_wait, default.max_wait),
        overflow: rules.overflow.as_deref(),
    }
}

fn decision(decision: Option<&Decision>) -> FileDecision<'_> {
    FileDecision {
        decision_timeout: decision.map(|decision| decision.timeout),
        decision_fallback: decision.map(|decision| decision.fallback.as_str()),
    }
}

fn application(application: &IvrApplication) -> FileApplication<'_> {
    FileApplication {
        name: &application.name.text,
        account: &application.account.text,
        on_app_gone: application.on_app_gone.as_str(),
        access_numbers: names(&application.access_numbers),
    }
}

fn login(login: Option<&Login>, demo: bool) -> FileLogin<'_> {
    login.map_or_else(FileLogin::default, |login| FileLogin {
        login: Some(&login.login.text),
        password_hash: login.password_hash.as_ref().map(Secret::expose),
        api_token_sha256: login.api_token_sha256.as_ref().map(Secret::expose),
        role: login.role.as_ref().map(|role| role.text.as_str()),
        must_change_password: login.must_change_password,
        demo: (login.is_demo != demo).then_some(login.is_demo),
    })
}

fn names(names: &[Name]) -> Vec<&str> {
    names.iter().map(|name| name.text.as_str()).collect()
}
