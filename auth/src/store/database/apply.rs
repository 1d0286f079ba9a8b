//! Brings the directory in line with a plan, inside one transaction.
//!
//! Names that the plan does not define are looked up in what is there. What does not fit is
//! collected, so that one run tells all of it; the caller then drops the transaction.

mod login;
mod party;

pub(super) use login::end_below;

use mesh::clock::Timestamp;

use super::session::{next_id, revoke};
use crate::domain::directory::{Applied, StoreError};
use crate::domain::id::{IProduct, ITariff};
use crate::domain::plan::{Name, Place, Plan, Problem, Product, Role, Tariff};
use crate::domain::session::Revoked;
use crate::store::engine::{Transaction, query, query_as, query_scalar};
use crate::store::sql::{import as sql, login as login_sql};

pub(super) async fn apply(
    connection: &mut Transaction,
    plan: &Plan,
    at: Timestamp,
) -> Result<Result<Applied, Vec<Problem>>, StoreError> {
    let mut writer = Writer { connection, at, applied: Applied::default(), problems: Vec::new() };
    for role in &plan.roles {
        writer.role(role).await?;
    }
    for tariff in &plan.tariffs {
        writer.tariff(tariff).await?;
    }
    for product in &plan.products {
        writer.product(product).await?;
    }
    for admin in &plan.admins {
        writer.admin(admin).await?;
    }
    for reseller in &plan.resellers {
        writer.reseller(reseller).await?;
    }
    for customer in &plan.customers {
        writer.customer(customer).await?;
    }
    if writer.problems.is_empty() {
        Ok(Ok(writer.applied))
    } else {
        writer.problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
        Ok(Err(writer.problems))
    }
}

struct Writer<'a> {
    connection: &'a mut Transaction,
    at: Timestamp,
    applied: Applied,
    problems: Vec<Problem>,
}

impl Writer<'_> {
    async fn role(&mut self, role: &Role) -> Result<(), StoreError> {
        let name = role.name.text.as_str();
        let present = self.name_of(sql::ROLE, name).await?;
        self.count(present.is_some());
        if present.is_none() {
            query(sql::ADD_ROLE).bind(name).execute(&mut *self.connection).await?;
        }
        let mut before: Vec<(String, String)> =
            query_as(login_sql::PERMISSIONS).bind(name).fetch_all(&mut *self.connection).await?;
        let mut after: Vec<(String, String)> = role
            .grants
            .iter()
            .map(|(component, level)| (component.to_string(), level.to_string()))
            .collect();
        before.sort();
        after.sort();
        if before == after {
            return Ok(());
        }
        self.clear(sql::CLEAR_PERMISSIONS, name).await?;
        for (component, level) in &after {
            query(sql::ADD_PERMISSION)
                .bind(name)
                .bind(component)
                .bind(level)
                .execute(&mut *self.connection)
                .await?;
        }
        if present.is_some() {
            revoke(self.connection, &Revoked::Role(name.to_owned()), false, self.at).await?;
        }
        Ok(())
    }

    async fn tariff(&mut self, tariff: &Tariff) -> Result<(), StoreError> {
        let i_tariff = self.key_or_next(sql::TARIFF, &tariff.name.text, ITariff::KIND).await?;
        query(sql::PUT_TARIFF)
            .bind(i_tariff)
            .bind(&tariff.name.text)
            .bind(&tariff.currency)
            .execute(&mut *self.connection)
            .await?;
        query(sql::CLEAR_RATES).bind(i_tariff).execute(&mut *self.connection).await?;
        for rate in &tariff.rates {
            query(sql::ADD_RATE)
                .bind(i_tariff)
                .bind(rate.service)
                .bind(&rate.prefix)
                .bind(rate.price_per_minute.0)
                .bind(rate.free_seconds)
                .bind(rate.minimum_seconds)
                .execute(&mut *self.connection)
                .await?;
        }
        Ok(())
    }

    async fn product(&mut self, product: &Product) -> Result<(), StoreError> {
        let i_product = self.key_or_next(sql::PRODUCT, &product.name.text, IProduct::KIND).await?;
        query(sql::PUT_PRODUCT)
            .bind(i_product)
            .bind(&product.name.text)
            .bind(i64::from(product.conferencing))
            .bind(i64::from(product.user_application))
            .execute(&mut *self.connection)
            .await?;
        query(sql::CLEAR_RATING).bind(i_product).execute(&mut *self.connection).await?;
        for entry in &product.rating {
            let Some(i_tariff) = self.key(sql::TARIFF, &entry.tariff, "tariff").await? else {
                continue;
            };
            query(sql::ADD_RATING)
                .bind(i_product)
                .bind(&entry.access_code)
                .bind(i_tariff)
                .execute(&mut *self.connection)
                .await?;
        }
        Ok(())
    }

    /// The key of what has this name; a new one when nothing has.
    async fn key_or_next(
        &mut self,
        statement: &'static str,
        name: &str,
        kind: &'static str,
    ) -> Result<i64, StoreError> {
        let present: Option<i64> =
            query_scalar(statement).bind(name).fetch_optional(&mut *self.connection).await?;
        self.count(present.is_some());
        match present {
            Some(key) => Ok(key),
            None => next_id(self.connection, kind).await,
        }
    }

    /// The key of what has this name; a problem when nothing has.
    async fn key(
        &mut self,
        statement: &'static str,
        name: &Name,
        kind: &str,
    ) -> Result<Option<i64>, StoreError> {
        let found =
            query_scalar(statement).bind(&name.text).fetch_optional(&mut *self.connection).await?;
        if found.is_none() {
            self.unknown(name, kind);
        }
        Ok(found)
    }

    async fn name_of(
        &mut self,
        statement: &'static str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        query_scalar(statement).bind(name).fetch_optional(&mut *self.connection).await
    }

    async fn clear(&mut self, statement: &'static str, name: &str) -> Result<(), StoreError> {
        query(statement).bind(name).execute(&mut *self.connection).await?;
        Ok(())
    }

    fn count(&mut self, is_present: bool) {
        if is_present {
            self.applied.updated += 1;
        } else {
            self.applied.created += 1;
        }
    }

    fn unknown(&mut self, name: &Name, kind: &str) {
        self.wrong(
            &name.place,
            format!("there is no {kind} `{}`", name.text),
            "define it in this file, or name one that the directory has",
        );
    }

    fn wrong(&mut self, place: &Place, what: String, remedy: &str) {
        self.problems.push(Problem { place: place.clone(), what, remedy: remedy.to_owned() });
    }
}
