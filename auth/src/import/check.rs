//! Turns the file into a plan, collecting what is wrong with it.

mod queues;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use toml::Spanned;

use super::{file, place};
use crate::domain::access::{Component, DEFAULT_ROLE, Level, Realm};
use crate::domain::money::Money;
use crate::domain::number::{MAX_NUMBER_CHARS, is_number, normalise};
use crate::domain::party::OnAppGone;
use crate::domain::plan::{
    Account, Admin, Credit, Customer, HuntGroup, IvrApplication, Login, Name, Place, Plan, Problem,
    Product, Rate, RatingEntry, Reseller, Role, Tariff,
};
use crate::domain::secret::Secret;
use crate::password;

/// Longest name.
const MAX_NAME_CHARS: usize = 128;
/// Longest number or account id.
/// Currency of what says nothing about it.
const DEFAULT_CURRENCY: &str = "USD";

/// The plan of a file and what is wrong with it; the plan is good only when nothing is.
pub(super) fn check(text: &str, file: &file::File) -> (Plan, Vec<Problem>) {
    let mut checker =
        Checker { text, is_demo: file.demo, problems: Vec::new(), taken: HashMap::new() };
    let plan = checker.plan(file);
    (plan, checker.problems)
}

struct Checker<'a> {
    text: &'a str,
    /// Whether the file says that its passwords are published.
    is_demo: bool,
    problems: Vec<Problem>,
    /// Where each name that must be unique stands first, by kind and name.
    taken: HashMap<(&'static str, String), Place>,
}

impl Checker<'_> {
    fn plan(&mut self, file: &file::File) -> Plan {
        Plan {
            is_demo: file.demo,
            roles: each(&file.role, |index, role| self.role(&format!("role[{index}]"), role)),
            tariffs: each(&file.tariff, |index, tariff| {
                self.tariff(&format!("tariff[{index}]"), tariff)
            }),
            products: each(&file.product, |index, product| {
                self.product(&format!("product[{index}]"), product)
            }),
            admins: each(&file.admin, |index, admin| self.admin(&format!("admin[{index}]"), admin))
                .into_iter()
                .flatten()
                .collect(),
            resellers: each(&file.reseller, |index, reseller| {
                self.reseller(&format!("reseller[{index}]"), reseller)
            }),
            customers: each(&file.customer, |index, customer| {
                self.customer(&format!("customer[{index}]"), customer)
            }),
        }
    }

    fn role(&mut self, key: &str, role: &file::Role) -> Role {
        let name = self.name(key, "name", &role.name);
        if name.text == DEFAULT_ROLE {
            let what = format!("`{DEFAULT_ROLE}` is the role of those who were given none");
            self.wrong(&name.place, what, "choose another name");
        }
        self.unique("role", &name);
        let levels = [
            (Component::CallControl, &role.call_control),
            (Component::CallSupervision, &role.call_supervision),
            (Component::Accounts, &role.accounts),
            (Component::Xdrs, &role.xdrs),
            (Component::Huntgroups, &role.huntgroups),
            (Component::Ivr, &role.ivr),
        ];
        let mut grants = BTreeMap::new();
        for (component, level) in levels {
            if let Some(level) = level
                && let Some(level) = self.word::<Level>(key, component.as_str(), level)
            {
                grants.insert(component, level);
            }
        }
        Role { name, grants }
    }

    fn tariff(&mut self, key: &str, tariff: &file::Tariff) -> Tariff {
        let name = self.name(key, "name", &tariff.name);
        self.unique("tariff", &name);
        let mut prefixes = HashSet::new();
        let rates = each(&tariff.rate, |index, rate| {
            let key = format!("{key}.rate[{index}]");
            let service = match rate.service.as_ref().map(|service| service.as_ref().as_str()) {
                None | Some("voice") => "voice",
                Some("conferencing") => "conferencing",
                Some(_) => {
                    let place = self.place(&key, "service", rate.service.as_ref());
                    self.wrong(&place, "no such service", "must be `voice` or `conferencing`");
                    "voice"
                }
            };
            let prefix = rate.prefix.as_ref().map_or("", |prefix| prefix.as_ref()).to_owned();
            let place = self.place(&key, "prefix", rate.prefix.as_ref().or(rate.service.as_ref()));
            if prefix.len() > 15 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
                let what = format!("`{prefix}` is no prefix");
                self.wrong(&place, what, "must be at most 15 digits, or empty for all numbers");
            }
            if !prefixes.insert((service, prefix.clone())) {
                let what = format!("a second rate for {service} to `{prefix}`");
                self.wrong(&place, what, "give one rate for each service and prefix");
            }
            let price_per_minute = self.amount(&key, "price_per_minute", &rate.price_per_minute);
            if price_per_minute < Money(0) {
                let place = self.place(&key, "price_per_minute", Some(&rate.price_per_minute));
                self.wrong(&place, "a price below zero", "must be \"0\" or more");
            }
            Rate {
                service,
                prefix,
                price_per_minute,
                free_seconds: self.seconds(&key, "free_seconds", rate.free_seconds.as_ref()),
                minimum_seconds: self.seconds(
                    &key,
                    "minimum_seconds",
                    rate.minimum_seconds.as_ref(),
                ),
            }
        });
        Tariff { name, currency: self.currency(key, tariff.currency.as_ref()), rates }
    }

    /// Seconds of a rate, at most a day.
    fn seconds(&mut self, key: &str, name: &str, given: Option<&Spanned<i64>>) -> i64 {
        let Some(given) = given else { return 0 };
        let seconds = *given.get_ref();
        if !(0..=86_400).contains(&seconds) {
            let place = self.place(key, name, Some(given));
            self.wrong(&place, format!("{seconds} seconds"), "must be 0 to 86400");
        }
        seconds
    }

    fn product(&mut self, key: &str, product: &file::Product) -> Product {
        let name = self.name(key, "name", &product.name);
        self.unique("product", &name);
        let mut codes = HashSet::new();
        let rating = each(&product.rating, |index, entry| {
            let key = format!("{key}.rating[{index}]");
            let access_code =
                entry.access_code.as_ref().map_or("", |code| code.as_ref()).to_owned();
            if !codes.insert(access_code.clone()) {
                let place = self.place(
                    &key,
                    "access_code",
                    Some(entry.access_code.as_ref().unwrap_or(&entry.tariff)),
                );
                let what = format!("a second rating entry with access code `{access_code}`");
                self.wrong(&place, what, "give one entry for each access code");
            }
            RatingEntry { access_code, tariff: self.name(&key, "tariff", &entry.tariff) }
        });
        Product {
            name,
            conferencing: product.conferencing,
            user_application: product.user_application,
            rating,
        }
    }

    fn admin(&mut self, key: &str, admin: &file::Admin) -> Option<Admin> {
        let login = self.login(key, Realm::Admin, admin.login_keys(), admin.super_user, None);
        if login.is_none() {
            let place = self.place(key, "login", admin.password_hash.as_ref());
            self.wrong(&place, "an administrator without `login`", "give `login`");
        }
        Some(Admin { login: login?, is_blocked: admin.blocked })
    }

    fn reseller(&mut self, key: &str, reseller: &file::Reseller) -> Reseller {
        let name = self.name(key, "name", &reseller.name);
        self.unique("reseller", &name);
        let login = self.login(key, Realm::Reseller, reseller.login_keys(), false, None);
        Reseller { name, login, is_blocked: reseller.blocked }
    }

    fn customer(&mut self, key: &str, customer: &file::Customer) -> Customer {
        let name = self.name(key, "name", &customer.name);
        self.unique("customer", &name);
        let login = self.login(key, Realm::Customer, customer.login_keys(), false, None);
        let reseller =
            customer.reseller.as_ref().map(|reseller| self.name(key, "reseller", reseller));
        let currency = self.currency(key, customer.currency.as_ref());
        let credit = self.credit(key, &customer.credit_limit, customer.balance.as_ref());
        let numbers = self.numbers(key, "numbers", &customer.numbers);
        let accounts = each(&customer.account, |index, account| {
            self.account(&format!("{key}.account[{index}]"), account)
        });
        let hunt_groups = each(&customer.hunt_group, |index, group| {
            self.hunt_group(&format!("{key}.hunt_group[{index}]"), group)
        });
        let mut names = HashSet::new();
        let ivr_applications = each(&customer.ivr_application, |index, application| {
            let key = format!("{key}.ivr_application[{index}]");
            let application = self.ivr_application(&key, application);
            if !names.insert(application.name.text.clone()) {
                let what = format!("a second application `{}`", application.name.text);
                self.wrong(&application.name.place, what, "choose another name");
            }
            application
        });
        Customer {
            name,
            reseller,
            login,
            currency,
            credit,
            is_blocked: customer.blocked,
            numbers,
            accounts,
            hunt_groups,
            ivr_applications,
        }
    }

    fn account(&mut self, key: &str, account: &file::Account) -> Account {
        let id = self.name(key, "id", &account.id);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*#".contains(&byte);
        if id.text.len() > MAX_NUMBER_CHARS || !id.text.bytes().all(is_plain) {
            let what = format!("`{}` is no account id", id.text);
            let remedy = "must be at most 32 letters, digits or `._-*#`, without leading `+`";
            self.wrong(&id.place, what, remedy);
        }
        self.unique("number", &id);
        let keys = account.login_keys();
        Account {
            login: self.login(key, Realm::Account, keys, false, Some(&account.id)),
            name: self.name(key, "name", &account.name).text,
            product: self.name(key, "product", &account.product),
            conferencing: account.conferencing,
            user_application: account.user_application,
            credit: self.credit(key, &account.credit_limit, account.balance.as_ref()),
            is_blocked: account.blocked,
            decision: self.decision(
                key,
                account.decision_timeout.as_ref(),
                account.decision_fallback.as_ref(),
            ),
            numbers: self.numbers(key, "numbers", &account.numbers),
            id,
        }
    }

    fn hunt_group(&mut self, key: &str, group: &file::HuntGroup) -> HuntGroup {
        let id = self.number(key, "id", &group.id);
        let mut seen = HashSet::new();
        let members = each(&group.agents, |index, agent| {
            let agent = self.name(key, &format!("agents[{index}]"), agent);
            if !seen.insert(agent.text.clone()) {
                self.wrong(
                    &agent.place,
                    format!("`{}` is an agent twice", agent.text),
                    "name it once",
                );
            }
            agent
        });
        let inactive = each(&group.inactive_agents, |index, agent| {
            let agent = self.name(key, &format!("inactive_agents[{index}]"), agent);
            if !seen.contains(&agent.text) {
                let what = format!("`{}` is no agent of the group", agent.text);
                self.wrong(&agent.place, what, "name it in `agents` too");
            }
            agent
        });
        HuntGroup {
            id,
            name: self.name(key, "name", &group.name).text,
            queue: group.queue.as_ref().map(|queue| self.name(key, "queue", queue).text),
            rules: self.rules(key, group),
            decision: self.decision(
                key,
                group.decision_timeout.as_ref(),
                group.decision_fallback.as_ref(),
            ),
            members,
            inactive,
        }
    }

    fn ivr_application(&mut self, key: &str, application: &file::IvrApplication) -> IvrApplication {
        IvrApplication {
            name: self.name(key, "name", &application.name),
            account: self.name(key, "account", &application.account),
            on_app_gone: application
                .on_app_gone
                .as_ref()
                .and_then(|word| self.word::<OnAppGone>(key, "on_app_gone", word))
                .unwrap_or_default(),
            access_numbers: self.numbers(key, "access_numbers", &application.access_numbers),
        }
    }

    /// The login of an entry; `id` stands in for a login that is not given but has a password.
    fn login(
        &mut self,
        key: &str,
        realm: Realm,
        keys: file::LoginKeys<'_>,
        is_super_user: bool,
        id: Option<&Spanned<String>>,
    ) -> Option<Login> {
        let implied = keys.password_hash.and(id);
        let Some(login) = keys.login.or(implied) else {
            for (name, value) in [
                ("password_hash", keys.password_hash),
                ("role", keys.role),
                ("api_token_sha256", keys.api_token_sha256),
            ] {
                if value.is_some() {
                    let place = self.place(key, name, value);
                    self.wrong(
                        &place,
                        format!("`{name}` of somebody who cannot log in"),
                        "give `login` too",
                    );
                }
            }
            return None;
        };
        let login = self.name(key, "login", login);
        let kind = match realm {
            Realm::Admin => "login of an administrator",
            Realm::Reseller => "login of a reseller",
            Realm::Customer => "login of a customer",
            Realm::Account => "login of an account",
        };
        self.unique(kind, &login);
        if let Some(hash) = keys.password_hash
            && let Err(reason) = password::check_hash(hash.as_ref())
        {
            let place = self.place(key, "password_hash", Some(hash));
            let remedy = "must be an Argon2id PHC string, `$argon2id$v=19$m=19456,t=2,p=1$…$…`";
            self.wrong(&place, reason, remedy);
        }
        if let Some(hash) = keys.api_token_sha256 {
            let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if hash.as_ref().len() != 64 || !hash.as_ref().bytes().all(is_hex) {
                let place = self.place(key, "api_token_sha256", Some(hash));
                self.wrong(&place, "no SHA-256", "must be 64 lower-case hexadecimal digits");
            }
        }
        Some(Login {
            login,
            password_hash: keys.password_hash.map(|hash| Secret::new(hash.as_ref().as_str())),
            api_token_sha256: keys.api_token_sha256.map(|hash| Secret::new(hash.as_ref().as_str())),
            role: keys.role.map(|role| self.name(key, "role", role)),
            is_super_user,
            must_change_password: keys.must_change_password,
            is_demo: keys.is_demo.unwrap_or(self.is_demo),
        })
    }

    fn credit(
        &mut self,
        key: &str,
        limit: &Spanned<String>,
        balance: Option<&Spanned<String>>,
    ) -> Credit {
        Credit {
            limit: self.amount(key, "credit_limit", limit),
            opening_balance: balance
                .map_or(Money(0), |balance| self.amount(key, "balance", balance)),
        }
    }

    fn amount(&mut self, key: &str, field: &str, text: &Spanned<String>) -> Money {
        match text.as_ref().parse::<Money>() {
            Ok(amount) if amount >= Money(0) || field == "balance" => amount,
            Ok(_) => {
                let place = self.place(key, field, Some(text));
                self.wrong(&place, "an amount below zero", "must be 0 or more");
                Money(0)
            }
            Err(error) => {
                let place = self.place(key, field, Some(text));
                let what = format!("`{}` is no amount of money", text.as_ref());
                self.wrong(&place, what, &error.to_string());
                Money(0)
            }
        }
    }

    fn currency(&mut self, key: &str, currency: Option<&Spanned<String>>) -> String {
        let Some(currency) = currency else { return DEFAULT_CURRENCY.to_owned() };
        let code = currency.as_ref();
        if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            let place = self.place(key, "currency", Some(currency));
            let what = format!("`{code}` is no currency");
            self.wrong(&place, what, "must be three capital letters, like `USD`");
        }
        code.clone()
    }

    fn numbers(&mut self, key: &str, field: &str, numbers: &[Spanned<String>]) -> Vec<Name> {
        each(numbers, |index, number| self.number(key, &format!("{field}[{index}]"), number))
    }

    /// A number that belongs to one thing only, in its normal form.
    fn number(&mut self, key: &str, field: &str, number: &Spanned<String>) -> Name {
        let text = normalise(number.as_ref()).to_owned();
        let name = Name { text, place: self.place(key, field, Some(number)) };
        if !is_number(&name.text) {
            let what = format!("`{}` is no number", number.as_ref());
            self.wrong(&name.place, what, "must be 1 to 32 digits, `*` or `#`");
        }
        self.unique("number", &name);
        name
    }

    fn name(&mut self, key: &str, field: &str, text: &Spanned<String>) -> Name {
        let name = Name { text: text.as_ref().clone(), place: self.place(key, field, Some(text)) };
        let chars = name.text.chars().count();
        if chars == 0 || chars > MAX_NAME_CHARS {
            self.wrong(&name.place, "an empty or very long name", "must be 1 to 128 characters");
        } else if name.text.trim() != name.text || name.text.chars().any(char::is_control) {
            self.wrong(
                &name.place,
                "a name with blanks around it or control characters in it",
                "leave them out",
            );
        }
        name
    }

    fn word<W>(&mut self, key: &str, field: &str, text: &Spanned<String>) -> Option<W>
    where
        W: FromStr,
        W::Err: std::fmt::Display,
    {
        match text.as_ref().parse() {
            Ok(word) => Some(word),
            Err(error) => {
                let place = self.place(key, field, Some(text));
                self.wrong(
                    &place,
                    format!("`{}` is not known here", text.as_ref()),
                    &error.to_string(),
                );
                None
            }
        }
    }

    fn unique(&mut self, kind: &'static str, name: &Name) {
        if let Some(first) = self.taken.get(&(kind, name.text.clone())) {
            let what = format!("the {kind} `{}` stands in line {} already", name.text, first.line);
            self.wrong(&name.place, what, "name it once");
        } else {
            self.taken.insert((kind, name.text.clone()), name.place.clone());
        }
    }

    fn place<T>(&self, key: &str, field: &str, value: Option<&Spanned<T>>) -> Place {
        let start = value.map_or(0, |value| value.span().start);
        place(self.text, start, format!("{key}.{field}"))
    }

    fn wrong(&mut self, place: &Place, what: impl Into<String>, remedy: &str) {
        self.problems.push(Problem {
            place: place.clone(),
            what: what.into(),
            remedy: remedy.to_owned(),
        });
    }
}

fn each<T, U>(items: &[T], mut turn: impl FnMut(usize, &T) -> U) -> Vec<U> {
    items.iter().enumerate().map(|(index, item)| turn(index, item)).collect()
}
