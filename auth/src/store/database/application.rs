//! IVR applications and the numbers that lead to them.

use super::party::details;
use super::session::next_id;
use crate::domain::application::{AccessNumberEntry, Choice, IvrApplication, Led, NewApplication};
use crate::domain::directory::{Applications, Page, StoreError};
use crate::domain::id::{IAccount, ICustomer, IIvrApplication};
use crate::store::engine::{Pool, Row, Transaction, query, query_as, query_scalar};
use crate::store::sql::{import, party as sql};

/// Numbers of this kind lead to applications.
const KIND: &str = "access_number";

pub(super) async fn applications(
    pool: &Pool,
    of: Applications,
    page: Page,
) -> Result<Vec<IvrApplication>, StoreError> {
    let rows = list(pool, sql::APPLICATIONS, of, page).await?;
    rows.iter()
        .map(|row| {
            let details = details(row)?;
            Ok(IvrApplication {
                i_ivr_application: key(row)?,
                name: row.get("application")?,
                owner: details.account,
                is_enabled: details.has_user_application,
                on_app_gone: row
                    .get::<String>("on_app_gone")?
                    .parse()
                    .map_err(|_unknown| StoreError::Corrupt { what: "on_app_gone" })?,
            })
        })
        .collect()
}

pub(super) async fn access_numbers(
    pool: &Pool,
    of: Applications,
    page: Page,
) -> Result<Vec<AccessNumberEntry>, StoreError> {
    let rows = list(pool, sql::ACCESS_NUMBERS, of, page).await?;
    rows.iter()
        .map(|row| {
            Ok(AccessNumberEntry {
                number: row.get("number")?,
                i_ivr_application: key(row)?,
                name: row.get("name")?,
                i_account: IAccount(row.get("i_account")?),
                account_id: row.get("id")?,
                i_customer: ICustomer(row.get("i_customer")?),
            })
        })
        .collect()
}

async fn list(
    pool: &Pool,
    statement: &'static str,
    of: Applications,
    page: Page,
) -> Result<Vec<Row>, StoreError> {
    query(statement)
        .bind(of.within.i_reseller)
        .bind(of.within.i_customer.map(|customer| customer.0))
        .bind(of.i_account.map(|account| account.0))
        .bind(of.i_ivr_application.map(|application| application.0))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(pool)
        .await
}

pub(super) async fn count(
    pool: &Pool,
    statement: &'static str,
    of: Applications,
) -> Result<i64, StoreError> {
    query_scalar(statement)
        .bind(of.within.i_reseller)
        .bind(of.within.i_customer.map(|customer| customer.0))
        .bind(of.i_account.map(|account| account.0))
        .bind(of.i_ivr_application.map(|application| application.0))
        .fetch_one(pool)
        .await
}

/// `None` when the name is taken; the caller rolls back.
pub(super) async fn add(
    connection: &mut Transaction,
    new: &NewApplication,
) -> Result<Option<IIvrApplication>, StoreError> {
    let i_customer: i64 =
        query_scalar(sql::ACCOUNT_OWNER).bind(new.owner.0).fetch_one(&mut *connection).await?;
    let present: Option<i64> = query_scalar(import::APPLICATION)
        .bind(i_customer)
        .bind(&new.name)
        .fetch_optional(&mut *connection)
        .await?;
    if present.is_some() {
        return Ok(None);
    }
    let i_ivr_application = next_id(connection, IIvrApplication::KIND).await?;
    query(import::PUT_APPLICATION)
        .bind(i_ivr_application)
        .bind(new.owner.0)
        .bind(&new.name)
        .bind(new.on_app_gone.as_str())
        .execute(&mut *connection)
        .await?;
    Ok(Some(IIvrApplication(i_ivr_application)))
}

/// Writes nothing unless the number is to lead there and does not yet.
pub(super) async fn lead(
    connection: &mut Transaction,
    number: &str,
    to: IIvrApplication,
    among: Choice,
) -> Result<Led, StoreError> {
    let i_customer: i64 =
        query_scalar(sql::APPLICATION_CUSTOMER).bind(to.0).fetch_one(&mut *connection).await?;
    let present: Option<(i64, String, Option<i64>)> =
        query_as(import::NUMBER).bind(number).fetch_optional(&mut *connection).await?;
    match (present, among) {
        (Some((_, kind, Some(target))), _) if kind == KIND && target == to.0 => {
            return Ok(Led::There);
        }
        (Some((owner, kind, _)), _) if owner == i_customer && kind == "allocated" => {}
        (None, Choice::AnyFree) => {}
        // What others have is no more to be seen than what nobody has.
        (Some((owner, ..)), Choice::Allocated) if owner != i_customer => {
            return Ok(Led::NotAllocated);
        }
        (None, Choice::Allocated) => return Ok(Led::NotAllocated),
        (Some(_), _) => return Ok(Led::Elsewhere),
    }
    query(import::PUT_NUMBER)
        .bind(number)
        .bind(i_customer)
        .bind(KIND)
        .bind(to.0)
        .execute(&mut *connection)
        .await?;
    Ok(Led::There)
}

fn key(row: &Row) -> Result<IIvrApplication, StoreError> {
    Ok(IIvrApplication(row.get("i_ivr_application")?))
}
