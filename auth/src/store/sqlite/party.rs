//! Numbers, accounts, customers, hunt groups.

use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::failed;
use super::login::flag;
use crate::domain::directory::{AccountKey, CustomerKey, Page, StoreError, Within};
use crate::domain::id::{IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication, IReseller};
use crate::domain::party::{
    AccessNumber, Account, AccountDetails, CallQueue, Customer, Decision, Entry, HuntGroup, Member,
    QueueRules, Standing, owner,
};
use crate::store::sql::party as sql;

pub(super) async fn number(pool: &SqlitePool, number: &str) -> Result<Option<Entry>, StoreError> {
    let row = sqlx::query(sql::NUMBER).bind(number).fetch_optional(pool).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let target: Option<i64> = row.try_get("target").map_err(failed)?;
    let missing = || StoreError::Corrupt { what: "target of a number" };
    let entry = match (row.try_get::<&str, _>("kind").map_err(failed)?, target) {
        ("account", Some(target)) => {
            let found = account(pool, AccountKey::IAccount(IAccount(target))).await?;
            Entry::Account(found.ok_or_else(missing)?.account)
        }
        ("hunt_group", Some(target)) => {
            let found = hunt_group(pool, sql::HUNT_GROUP, target).await?;
            Entry::HuntGroup(found.ok_or_else(missing)?)
        }
        ("access_number", Some(target)) => {
            let found = access_number(pool, number, IIvrApplication(target)).await?;
            Entry::AccessNumber(found.ok_or_else(missing)?)
        }
        ("allocated", _) => Entry::Allocated(owner(i_customer(&row)?, i_reseller(&row)?)),
        _ => return Err(StoreError::Corrupt { what: "kind of number" }),
    };
    Ok(Some(entry))
}

async fn access_number(
    pool: &SqlitePool,
    number: &str,
    i_ivr_application: IIvrApplication,
) -> Result<Option<AccessNumber>, StoreError> {
    let row = sqlx::query(sql::APPLICATION_OWNER)
        .bind(i_ivr_application.0)
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let details = details(&row)?;
    Ok(Some(AccessNumber {
        number: number.to_owned(),
        i_ivr_application,
        is_enabled: details.has_user_application,
        application_owner: details.account,
        on_app_gone: row
            .try_get::<&str, _>("on_app_gone")
            .map_err(failed)?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "on_app_gone" })?,
    }))
}

pub(super) async fn account(
    pool: &SqlitePool,
    key: AccountKey<'_>,
) -> Result<Option<AccountDetails>, StoreError> {
    let query = match key {
        AccountKey::IAccount(i_account) => sqlx::query(sql::ACCOUNT).bind(i_account.0),
        AccountKey::Id(id) => sqlx::query(sql::ACCOUNT_BY_ID).bind(id),
    };
    query.fetch_optional(pool).await.map_err(failed)?.as_ref().map(details).transpose()
}

pub(super) async fn accounts(
    pool: &SqlitePool,
    within: Within,
    id: Option<&str>,
    page: Page,
) -> Result<Vec<AccountDetails>, StoreError> {
    sqlx::query(sql::ACCOUNTS)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .bind(id)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(pool)
        .await
        .map_err(failed)?
        .iter()
        .map(details)
        .collect()
}

pub(super) async fn count_accounts(
    pool: &SqlitePool,
    within: Within,
    id: Option<&str>,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(sql::COUNT_ACCOUNTS)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .bind(id)
        .fetch_one(pool)
        .await
        .map_err(failed)
}

pub(super) async fn standing(
    pool: &SqlitePool,
    i_account: IAccount,
) -> Result<Option<Standing>, StoreError> {
    sqlx::query(sql::STANDING)
        .bind(i_account.0)
        .fetch_optional(pool)
        .await
        .map_err(failed)?
        .map(|row| {
            Ok(Standing {
                is_blocked: flag(&row, "is_blocked")?,
                has_credit: flag(&row, "has_credit")?,
            })
        })
        .transpose()
}

pub(super) async fn customer(
    pool: &SqlitePool,
    key: CustomerKey<'_>,
) -> Result<Option<Customer>, StoreError> {
    let query = match key {
        CustomerKey::ICustomer(i_customer) => sqlx::query(sql::CUSTOMER).bind(i_customer.0),
        CustomerKey::Name(name) => sqlx::query(sql::CUSTOMER_BY_NAME).bind(name),
        CustomerKey::Login(login) => sqlx::query(sql::CUSTOMER_BY_LOGIN).bind(login),
    };
    query
        .fetch_optional(pool)
        .await
        .map_err(failed)?
        .map(|row| {
            Ok(Customer {
                i_customer: i_customer(&row)?,
                name: row.try_get("name").map_err(failed)?,
                login: row.try_get("login").map_err(failed)?,
                i_reseller: i_reseller(&row)?,
                currency: row.try_get("currency").map_err(failed)?,
                is_blocked: flag(&row, "is_blocked")?,
            })
        })
        .transpose()
}

pub(super) async fn hunt_groups(
    pool: &SqlitePool,
    within: Within,
    page: Page,
) -> Result<Vec<HuntGroup>, StoreError> {
    groups(pool, sql::HUNT_GROUPS, within, page).await
}

pub(super) async fn count_hunt_groups(
    pool: &SqlitePool,
    within: Within,
) -> Result<i64, StoreError> {
    count(pool, sql::COUNT_HUNT_GROUPS, within).await
}

pub(super) async fn queues(
    pool: &SqlitePool,
    within: Within,
    page: Page,
) -> Result<Vec<HuntGroup>, StoreError> {
    groups(pool, sql::QUEUES, within, page).await
}

pub(super) async fn count_queues(pool: &SqlitePool, within: Within) -> Result<i64, StoreError> {
    count(pool, sql::COUNT_QUEUES, within).await
}

async fn groups(
    pool: &SqlitePool,
    statement: &'static str,
    within: Within,
    page: Page,
) -> Result<Vec<HuntGroup>, StoreError> {
    let rows = sqlx::query(statement)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(pool)
        .await
        .map_err(failed)?;
    let mut groups = Vec::with_capacity(rows.len());
    for row in &rows {
        groups.push(read_hunt_group(pool, row).await?);
    }
    Ok(groups)
}

async fn count(
    pool: &SqlitePool,
    statement: &'static str,
    within: Within,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(statement)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .fetch_one(pool)
        .await
        .map_err(failed)
}

/// False when a group is not there; the caller rolls back.
pub(super) async fn set_hunting(
    connection: &mut sqlx::SqliteConnection,
    i_account: IAccount,
    subscribe: &[ICGroup],
    unsubscribe: &[ICGroup],
) -> Result<bool, StoreError> {
    let own: Option<i64> = sqlx::query_scalar(sql::ACCOUNT_OWNER)
        .bind(i_account.0)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    for (groups, statement) in [(subscribe, sql::TAKE_PART), (unsubscribe, sql::REST)] {
        for group in groups {
            let owner: Option<i64> = sqlx::query_scalar(sql::GROUP_OWNER)
                .bind(group.0)
                .fetch_optional(&mut *connection)
                .await
                .map_err(failed)?;
            if owner.is_none() || owner != own {
                return Ok(false);
            }
            sqlx::query(statement)
                .bind(group.0)
                .bind(i_account.0)
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
    }
    Ok(true)
}

pub(super) async fn hunt_group_of(
    pool: &SqlitePool,
    i_c_queue: ICQueue,
) -> Result<Option<HuntGroup>, StoreError> {
    hunt_group(pool, sql::HUNT_GROUP_OF, i_c_queue.0).await
}

async fn hunt_group(
    pool: &SqlitePool,
    statement: &'static str,
    key: i64,
) -> Result<Option<HuntGroup>, StoreError> {
    match sqlx::query(statement).bind(key).fetch_optional(pool).await.map_err(failed)? {
        Some(row) => read_hunt_group(pool, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn read_hunt_group(pool: &SqlitePool, row: &SqliteRow) -> Result<HuntGroup, StoreError> {
    let i_c_group = ICGroup(row.try_get("i_c_group").map_err(failed)?);
    let queue_name: Option<String> = row.try_get("queue_name").map_err(failed)?;
    let i_c_queue: Option<i64> = row.try_get("i_c_queue").map_err(failed)?;
    let members = sqlx::query(sql::MEMBERS)
        .bind(i_c_group.0)
        .fetch_all(pool)
        .await
        .map_err(failed)?
        .iter()
        .map(|row| {
            Ok(Member { account: details(row)?.account, is_active: flag(row, "is_active")? })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(HuntGroup {
        i_c_group,
        id: row.try_get("id").map_err(failed)?,
        name: row.try_get("name").map_err(failed)?,
        i_customer: i_customer(row)?,
        i_reseller: i_reseller(row)?,
        queue: match i_c_queue.zip(queue_name) {
            Some((i_c_queue, name)) => {
                Some(CallQueue { i_c_queue: ICQueue(i_c_queue), name, rules: rules(row)? })
            }
            None => None,
        },
        decision: decision(row)?,
        members,
    })
}

fn details(row: &SqliteRow) -> Result<AccountDetails, StoreError> {
    Ok(AccountDetails {
        account: Account {
            i_account: IAccount(row.try_get("i_account").map_err(failed)?),
            id: row.try_get("id").map_err(failed)?,
            name: row.try_get("name").map_err(failed)?,
            i_customer: i_customer(row)?,
            i_reseller: i_reseller(row)?,
            is_blocked: flag(row, "is_blocked")?,
            may_connect_two: flag(row, "may_connect_two")?,
            decision: decision(row)?,
        },
        login: row.try_get("login").map_err(failed)?,
        product: row.try_get("product").map_err(failed)?,
        has_conferencing: flag(row, "has_conferencing")?,
        has_user_application: flag(row, "has_user_application")?,
    })
}

fn i_customer(row: &SqliteRow) -> Result<ICustomer, StoreError> {
    Ok(ICustomer(row.try_get("i_customer").map_err(failed)?))
}

fn i_reseller(row: &SqliteRow) -> Result<Option<IReseller>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>("i_reseller").map_err(failed)?.map(IReseller))
}

/// How a queue deals with calls.
pub(super) fn rules(row: &SqliteRow) -> Result<QueueRules, StoreError> {
    Ok(QueueRules {
        ring_all: flag(row, "ring_all")?,
        agent_timeout: row.try_get("agent_timeout").map_err(failed)?,
        max_waiting: row.try_get("max_waiting").map_err(failed)?,
        max_wait: row.try_get("max_wait").map_err(failed)?,
        overflow: row.try_get("overflow").map_err(failed)?,
    })
}

/// What happens to calls about which no application decides.
pub(super) fn decision(row: &SqliteRow) -> Result<Option<Decision>, StoreError> {
    let timeout: Option<i64> = row.try_get("decision_timeout").map_err(failed)?;
    let fallback: Option<String> = row.try_get("decision_fallback").map_err(failed)?;
    Ok(timeout.zip(fallback).map(|(timeout, fallback)| Decision { timeout, fallback }))
}
