//! Reads the whole directory, as one plan.

use std::collections::{BTreeMap, HashMap};

use super::party::{decision, rules};
use crate::domain::access::Realm;
use crate::domain::directory::StoreError;
use crate::domain::id::{
    IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication, IProduct, IReseller, ITariff, IUser,
};
use crate::domain::money::Money;
use crate::domain::party::QueueRules;
use crate::domain::plan::{
    Account, Admin, Credit, Customer, HuntGroup, IvrApplication, Login, Name, Place, Plan, Product,
    Rate, RatingEntry, Reseller, Role, Tariff,
};
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::domain::snapshot::{Keys, Snapshot, within};
use crate::store::engine::{Row, Transaction, query};
use crate::store::sql::snapshot as sql;

/// Reads everything; the connection has to be in a transaction, so that it is of one moment.
pub(super) async fn snapshot(connection: &mut Transaction) -> Result<Snapshot, StoreError> {
    let mut reader = Reader { connection, keys: Keys::default(), logins: HashMap::new() };
    for row in reader.rows(sql::LOGINS).await? {
        let (subject, login) = login(&row)?;
        reader.logins.insert(subject, login);
    }
    let is_demo = !reader.logins.is_empty() && reader.logins.values().all(|login| login.is_demo);
    let plan = Plan {
        is_demo,
        roles: reader.roles().await?,
        tariffs: reader.tariffs().await?,
        products: reader.products().await?,
        admins: reader.admins().await?,
        resellers: reader.resellers().await?,
        customers: reader.customers().await?,
    };
    Ok(Snapshot { plan, keys: reader.keys })
}

struct Reader<'a> {
    connection: &'a mut Transaction,
    keys: Keys,
    logins: HashMap<Subject, Login>,
}

impl Reader<'_> {
    async fn rows(&mut self, statement: &'static str) -> Result<Vec<Row>, StoreError> {
        query(statement).fetch_all(&mut *self.connection).await
    }

    async fn roles(&mut self) -> Result<Vec<Role>, StoreError> {
        let mut grants: HashMap<String, BTreeMap<_, _>> = HashMap::new();
        for row in self.rows(sql::PERMISSIONS).await? {
            let component = word(&row, "component")?;
            grants.entry(text(&row, "role")?).or_default().insert(component, word(&row, "level")?);
        }
        let rows = self.rows(sql::ROLES).await?;
        rows.iter()
            .map(|row| {
                let name = name(row, "name")?;
                Ok(Role { grants: grants.remove(&name.text).unwrap_or_default(), name })
            })
            .collect()
    }

    async fn tariffs(&mut self) -> Result<Vec<Tariff>, StoreError> {
        let mut rates = group(&self.rows(sql::RATES).await?, "i_tariff", |row| {
            let service = match text(row, "service")?.as_str() {
                "voice" => "voice",
                "conferencing" => "conferencing",
                _ => return Err(StoreError::Corrupt { what: "service" }),
            };
            Ok(Rate {
                service,
                prefix: text(row, "prefix")?,
                price_per_minute: Money(number(row, "price_per_minute")?),
                free_seconds: number(row, "free_seconds")?,
                minimum_seconds: number(row, "minimum_seconds")?,
            })
        })?;
        let mut tariffs = Vec::new();
        for row in self.rows(sql::TARIFFS).await? {
            let (key, name) = (number(&row, "i_tariff")?, name(&row, "name")?);
            self.keys.insert(ITariff::KIND, &name.text, key);
            let rates = rates.remove(&key).unwrap_or_default();
            tariffs.push(Tariff { name, currency: text(&row, "currency")?, rates });
        }
        Ok(tariffs)
    }

    async fn products(&mut self) -> Result<Vec<Product>, StoreError> {
        let mut rating = group(&self.rows(sql::RATING).await?, "i_product", |row| {
            Ok(RatingEntry { access_code: text(row, "access_code")?, tariff: name(row, "tariff")? })
        })?;
        let mut products = Vec::new();
        for row in self.rows(sql::PRODUCTS).await? {
            let (key, name) = (number(&row, "i_product")?, name(&row, "name")?);
            self.keys.insert(IProduct::KIND, &name.text, key);
            products.push(Product {
                name,
                conferencing: row.flag("conferencing")?,
                user_application: row.flag("user_application")?,
                rating: rating.remove(&key).unwrap_or_default(),
            });
        }
        Ok(products)
    }

    async fn admins(&mut self) -> Result<Vec<Admin>, StoreError> {
        let mut admins = Vec::new();
        for row in self.rows(sql::USERS).await? {
            let key = number(&row, "i_user")?;
            let Some(login) = self.login(Realm::Admin, key) else { continue };
            self.keys.insert(IUser::KIND, &login.login.text, key);
            admins.push(Admin { login, is_blocked: row.flag("is_blocked")? });
        }
        Ok(admins)
    }

    async fn resellers(&mut self) -> Result<Vec<Reseller>, StoreError> {
        let mut resellers = Vec::new();
        for row in self.rows(sql::RESELLERS).await? {
            let (key, name) = (number(&row, "i_reseller")?, name(&row, "name")?);
            self.keys.insert(IReseller::KIND, &name.text, key);
            let login = self.login(Realm::Reseller, key);
            resellers.push(Reseller { name, login, is_blocked: row.flag("is_blocked")? });
        }
        Ok(resellers)
    }

    async fn customers(&mut self) -> Result<Vec<Customer>, StoreError> {
        let mut numbers = self.numbers().await?;
        let mut accounts = self.accounts(&mut numbers).await?;
        let mut groups = self.hunt_groups().await?;
        let applications = self.rows(sql::APPLICATIONS).await?;
        let mut customers = Vec::new();
        for row in self.rows(sql::CUSTOMERS).await? {
            let (key, name) = (number(&row, "i_customer")?, name(&row, "name")?);
            self.keys.insert(ICustomer::KIND, &name.text, key);
            let mut ivr_applications = Vec::new();
            for row in &applications {
                if number(row, "i_customer")? == key {
                    ivr_applications.push(self.application(&name.text, row, &mut numbers)?);
                }
            }
            customers.push(Customer {
                reseller: optional(&row, "reseller")?.map(unplaced),
                login: self.login(Realm::Customer, key),
                currency: text(&row, "currency")?,
                credit: credit(&row)?,
                is_blocked: row.flag("is_blocked")?,
                numbers: numbers.remove(&("allocated".to_owned(), key)).unwrap_or_default(),
                accounts: accounts.remove(&key).unwrap_or_default(),
                hunt_groups: groups.remove(&key).unwrap_or_default(),
                ivr_applications,
                name,
            });
        }
        Ok(customers)
    }

    /// Numbers by what they lead to; those that are free by their customer.
    async fn numbers(&mut self) -> Result<HashMap<(String, i64), Vec<Name>>, StoreError> {
        let mut numbers: HashMap<_, Vec<Name>> = HashMap::new();
        for row in self.rows(sql::NUMBERS).await? {
            let target: Option<i64> = row.get("target")?;
            let target = match target {
                Some(target) => target,
                None => number(&row, "i_customer")?,
            };
            numbers.entry((text(&row, "kind")?, target)).or_default().push(name(&row, "number")?);
        }
        Ok(numbers)
    }

    async fn accounts(
        &mut self,
        numbers: &mut HashMap<(String, i64), Vec<Name>>,
    ) -> Result<HashMap<i64, Vec<Account>>, StoreError> {
        let rows = self.rows(sql::ACCOUNTS).await?;
        group(&rows, "i_customer", |row| {
            let (key, id) = (number(row, "i_account")?, name(row, "id")?);
            self.keys.insert(IAccount::KIND, &id.text, key);
            let mut numbers = numbers.remove(&("account".to_owned(), key)).unwrap_or_default();
            numbers.retain(|number| *number != id);
            Ok(Account {
                id,
                name: text(row, "name")?,
                login: self.login(Realm::Account, key),
                product: name(row, "product")?,
                conferencing: optional_flag(row, "conferencing")?,
                user_application: optional_flag(row, "user_application")?,
                credit: credit(row)?,
                is_blocked: row.flag("is_blocked")?,
                decision: decision(row)?,
                numbers,
            })
        })
    }

    async fn hunt_groups(&mut self) -> Result<HashMap<i64, Vec<HuntGroup>>, StoreError> {
        let mut members = group(&self.rows(sql::MEMBERS).await?, "i_c_group", |row| {
            Ok((name(row, "id")?, row.flag("is_active")?))
        })?;
        let rows = self.rows(sql::HUNT_GROUPS).await?;
        group(&rows, "i_customer", |row| {
            let (key, id) = (number(row, "i_c_group")?, name(row, "id")?);
            self.keys.insert(ICGroup::KIND, &id.text, key);
            let i_c_queue: Option<i64> = row.get("i_c_queue")?;
            if let Some(i_c_queue) = i_c_queue {
                self.keys.insert(ICQueue::KIND, &id.text, i_c_queue);
            }
            let members = members.remove(&key).unwrap_or_default();
            let inactive = members.iter().filter(|(_, is_active)| !is_active);
            Ok(HuntGroup {
                id,
                name: text(row, "name")?,
                rules: if i_c_queue.is_some() { rules(row)? } else { QueueRules::default() },
                decision: decision(row)?,
                queue: optional(row, "queue")?,
                inactive: inactive.map(|(member, _)| member.clone()).collect(),
                members: members.into_iter().map(|(member, _)| member).collect(),
            })
        })
    }

    fn application(
        &mut self,
        customer: &str,
        row: &Row,
        numbers: &mut HashMap<(String, i64), Vec<Name>>,
    ) -> Result<IvrApplication, StoreError> {
        let (key, name_) = (number(row, "i_ivr_application")?, name(row, "name")?);
        self.keys.insert(IIvrApplication::KIND, within(customer, &name_.text), key);
        Ok(IvrApplication {
            name: name_,
            account: name(row, "account")?,
            on_app_gone: word(row, "on_app_gone")?,
            access_numbers: numbers.remove(&("access_number".to_owned(), key)).unwrap_or_default(),
        })
    }

    fn login(&mut self, realm: Realm, id: i64) -> Option<Login> {
        self.logins.remove(&Subject { realm, id })
    }
}

fn login(row: &Row) -> Result<(Subject, Login), StoreError> {
    let subject = Subject { realm: word(row, "realm")?, id: number(row, "subject")? };
    let login = Login {
        login: name(row, "login")?,
        password_hash: Some(Secret::new(text(row, "password_hash")?)),
        api_token_sha256: optional(row, "api_token_sha256")?.map(Secret::new),
        role: optional(row, "role")?.map(unplaced),
        is_super_user: row.flag("is_super_user")?,
        must_change_password: row.flag("must_change_password")?,
        is_demo: row.flag("is_demo")?,
    };
    Ok((subject, login))
}

fn credit(row: &Row) -> Result<Credit, StoreError> {
    Ok(Credit {
        limit: Money(number(row, "credit_limit")?),
        opening_balance: Money(number(row, "balance")?),
    })
}

/// Rows by one of their keys, in their order.
fn group<T>(
    rows: &[Row],
    by: &str,
    mut read: impl FnMut(&Row) -> Result<T, StoreError>,
) -> Result<HashMap<i64, Vec<T>>, StoreError> {
    let mut groups: HashMap<i64, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(number(row, by)?).or_default().push(read(row)?);
    }
    Ok(groups)
}

fn number(row: &Row, column: &str) -> Result<i64, StoreError> {
    row.get(column)
}

fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    row.get(column)
}

fn optional(row: &Row, column: &str) -> Result<Option<String>, StoreError> {
    row.get(column)
}

fn optional_flag(row: &Row, column: &str) -> Result<Option<bool>, StoreError> {
    let value: Option<i64> = row.get(column)?;
    Ok(value.map(|value| value != 0))
}

fn word<W: std::str::FromStr>(row: &Row, column: &'static str) -> Result<W, StoreError> {
    text(row, column)?.parse().map_err(|_unknown| StoreError::Corrupt { what: column })
}

fn name(row: &Row, column: &str) -> Result<Name, StoreError> {
    Ok(unplaced(text(row, column)?))
}

fn unplaced(text: String) -> Name {
    Name { text, place: Place::default() }
}
