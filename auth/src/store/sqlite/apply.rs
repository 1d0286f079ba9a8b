//! Brings the directory in line with a plan, inside one transaction.
//!
//! Names that the plan does not define are looked up in what is there. What does not fit is
//! collected, so that one run tells all of it; the caller then drops the transaction.

mod login;
mod party;

pub(super) use login::end_below;

use mesh::clock::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::failed;
use super::session::{next_id, revoke};
use crate::domain::directory::{Applied, ApplyError, StoreError};
use crate::domain::id::{IProduct, ITariff};
use crate::domain::plan::{Name, Place, Plan, Problem, Product, Role, Tariff};
use crate::domain::session::Revoked;
use crate::store::sql::{import as sql, login as login_sql};

pub(super) async fn apply(
    connection: &mut SqliteConnection,
    plan: &Plan,
    at: Timestamp,
) -> Result<Applied, ApplyError> {
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
        Ok(writer.applied)
    } else {
        writer.problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
        Err(ApplyError::Refused(writer.problems))
    }
}

struct Writer<'a> {
    connection: &'a mut SqliteConnection,
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
            sqlx::query(sql::ADD_ROLE)
                .bind(name)
                .execute(&mut *self.connection)
                .await
                .map_err(failed)?;
        }
        let mut before: Vec<(String, String)> = sqlx::query_as(login_sql::PERMISSIONS)
            .bind(name)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(failed)?;
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
            sqlx::query(sql::ADD_PERMISSION)
                .bind(name)
                .bind(component)
                .bind(level)
                .execute(&mut *self.connection)
                .await
                .map_err(failed)?;
        }
        if present.is_some() {
            revoke(self.connection, &Revoked::Role(name.to_owned()), false, self.at).await?;
        }
        Ok(())
    }

    async fn tariff(&mut self, tariff: &Tariff) -> Result<(), StoreError> {
        let i_tariff = self.key_or_next(sql::TARIFF, &tariff.name.text, ITariff::KIND).await?;
        sqlx::query(sql::PUT_TARIFF)
            .bind(i_tariff)
            .bind(&tariff.name.text)
            .bind(&tariff.currency)
            .execute(&mut *self.connection)
            .await
            .map_err(failed)?;
        sqlx::query(sql::CLEAR_RATES)
            .bind(i_tariff)
            .execute(&mut *self.connection)
            .await
            .map_err(failed)?;
        for rate in &tariff.rates {
            sqlx::query(sql::ADD_RATE)
                .bind(i_tariff)
                .bind(rate.service)
                .bind(&rate.prefix)
                .bind(rate.price_per_minute.0)
                .execute(&mut *self.connection)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    async fn product(&mut self, product: &Product) -> Result<(), StoreError> {
        let i_product = self.key_or_next(sql::PRODUCT, &product.name.text, IProduct::KIND).await?;
        sqlx::query(sql::PUT_PRODUCT)
            .bind(i_product)
            .bind(&product.name.text)
            .bind(i64::from(product.conferencing))
            .bind(i64::from(product.user_application))
            .execute(&mut *self.connection)
            .await
            .map_err(failed)?;
        sqlx::query(sql::CLEAR_RATING)
            .bind(i_product)
            .execute(&mut *self.connection)
            .await
            .map_err(failed)?;
        for entry in &product.rating {
            let Some(i_tariff) = self.key(sql::TARIFF, &entry.tariff, "tariff").await? else {
                continue;
            };
            sqlx::query(sql::ADD_RATING)
                .bind(i_product)
                .bind(&entry.access_code)
                .bind(i_tariff)
                .execute(&mut *self.connection)
                .await
                .map_err(failed)?;
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
        let present: Option<i64> = sqlx::query_scalar(statement)
            .bind(name)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(failed)?;
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
        let found = sqlx::query(statement)
            .bind(&name.text)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(failed)?;
        if found.is_none() {
            self.unknown(name, kind);
        }
        found.map(|row| row.try_get(0).map_err(failed)).transpose()
    }

    async fn name_of(
        &mut self,
        statement: &'static str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(statement)
            .bind(name)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(failed)
    }

    async fn clear(&mut self, statement: &'static str, name: &str) -> Result<(), StoreError> {
        sqlx::query(statement).bind(name).execute(&mut *self.connection).await.map_err(failed)?;
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
