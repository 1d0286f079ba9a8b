//! Numbers, accounts, customers, hunt groups.

use crate::domain::directory::{AccountKey, CustomerKey, Page, StoreError, Within};
use crate::domain::id::{IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication, IReseller};
use crate::domain::party::{
    AccessNumber, Account, AccountDetails, CallQueue, Customer, Decision, Entry, HuntGroup, Member,
    QueueRules, Standing, owner,
};
use crate::store::engine::{Pool, Row, Transaction, query, query_scalar};
use crate::store::sql::party as sql;

pub(super) async fn number(pool: &Pool, number: &str) -> Result<Option<Entry>, StoreError> {
    let row = query(sql::NUMBER).bind(number).fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    let target: Option<i64> = row.get("target")?;
    let missing = || StoreError::Corrupt { what: "target of a number" };
    let entry = match (row.get::<String>("kind")?.as_str(), target) {
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
    pool: &Pool,
    number: &str,
    i_ivr_application: IIvrApplication,
) -> Result<Option<AccessNumber>, StoreError> {
    let row = query(sql::APPLICATION_OWNER).bind(i_ivr_application.0).fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    let details = details(&row)?;
    Ok(Some(AccessNumber {
        number: number.to_owned(),
        i_ivr_application,
        is_enabled: details.has_user_application,
        application_owner: details.account,
        on_app_gone: row
            .get::<String>("on_app_gone")?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "on_app_gone" })?,
    }))
}

pub(super) async fn account(
    pool: &Pool,
    key: AccountKey<'_>,
) -> Result<Option<AccountDetails>, StoreError> {
    let query = match key {
        AccountKey::IAccount(i_account) => query(sql::ACCOUNT).bind(i_account.0),
        AccountKey::Id(id) => query(sql::ACCOUNT_BY_ID).bind(id),
    };
    query.fetch_optional(pool).await?.as_ref().map(details).transpose()
}

pub(super) async fn accounts(
    pool: &Pool,
    within: Within,
    id: Option<&str>,
    page: Page,
) -> Result<Vec<AccountDetails>, StoreError> {
    query(sql::ACCOUNTS)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .bind(id)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(pool)
        .await?
        .iter()
        .map(details)
        .collect()
}

pub(super) async fn count_accounts(
    pool: &Pool,
    within: Within,
    id: Option<&str>,
) -> Result<i64, StoreError> {
    query_scalar(sql::COUNT_ACCOUNTS)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .bind(id)
        .fetch_one(pool)
        .await
}

pub(super) async fn standing(
    pool: &Pool,
    i_account: IAccount,
) -> Result<Option<Standing>, StoreError> {
    query(sql::STANDING)
        .bind(i_account.0)
        .fetch_optional(pool)
        .await?
        .map(|row| {
            Ok(Standing {
                is_blocked: row.flag("is_blocked")?,
                has_credit: row.flag("has_credit")?,
            })
        })
        .transpose()
}

pub(super) async fn customer(
    pool: &Pool,
    key: CustomerKey<'_>,
) -> Result<Option<Customer>, StoreError> {
    let query = match key {
        CustomerKey::ICustomer(i_customer) => query(sql::CUSTOMER).bind(i_customer.0),
        CustomerKey::Name(name) => query(sql::CUSTOMER_BY_NAME).bind(name),
        CustomerKey::Login(login) => query(sql::CUSTOMER_BY_LOGIN).bind(login),
    };
    query
        .fetch_optional(pool)
        .await?
        .map(|row| {
            Ok(Customer {
                i_customer: i_customer(&row)?,
                name: row.get("name")?,
                login: row.get("login")?,
                i_reseller: i_reseller(&row)?,
                currency: row.get("currency")?,
                is_blocked: row.flag("is_blocked")?,
            })
        })
        .transpose()
}

pub(super) async fn hunt_groups(
    pool: &Pool,
    within: Within,
    page: Page,
) -> Result<Vec<HuntGroup>, StoreError> {
    groups(pool, sql::HUNT_GROUPS, within, page).await
}

pub(super) async fn count_hunt_groups(pool: &Pool, within: Within) -> Result<i64, StoreError> {
    count(pool, sql::COUNT_HUNT_GROUPS, within).await
}

pub(super) async fn queues(
    pool: &Pool,
    within: Within,
    page: Page,
) -> Result<Vec<HuntGroup>, StoreError> {
    groups(pool, sql::QUEUES, within, page).await
}

pub(super) async fn count_queues(pool: &Pool, within: Within) -> Result<i64, StoreError> {
    count(pool, sql::COUNT_QUEUES, within).await
}

async fn groups(
    pool: &Pool,
    statement: &'static str,
    within: Within,
    page: Page,
) -> Result<Vec<HuntGroup>, StoreError> {
    let rows = query(statement)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(pool)
        .await?;
    let mut groups = Vec::with_capacity(rows.len());
    for row in &rows {
        groups.push(read_hunt_group(pool, row).await?);
    }
    Ok(groups)
}

async fn count(pool: &Pool, statement: &'static str, within: Within) -> Result<i64, StoreError> {
    query_scalar(statement)
        .bind(within.i_reseller)
        .bind(within.i_customer.map(|customer| customer.0))
        .fetch_one(pool)
        .await
}

/// False when a group is not there; the caller rolls back.
pub(super) async fn set_hunting(
    connection: &mut Transaction,
    i_account: IAccount,
    subscribe: &[ICGroup],
    unsubscribe: &[ICGroup],
) -> Result<bool, StoreError> {
    let own: Option<i64> =
        query_scalar(sql::ACCOUNT_OWNER).bind(i_account.0).fetch_optional(&mut *connection).await?;
    for (groups, statement) in [(subscribe, sql::TAKE_PART), (unsubscribe, sql::REST)] {
        for group in groups {
            let owner: Option<i64> = query_scalar(sql::GROUP_OWNER)
                .bind(group.0)
                .fetch_optional(&mut *connection)
                .await?;
            if owner.is_none() || owner != own {
                return Ok(false);
            }
            query(statement).bind(group.0).bind(i_account.0).execute(&mut *connection).await?;
        }
    }
    Ok(true)
}

pub(super) async fn hunt_group_of(
    pool: &Pool,
    i_c_queue: ICQueue,
) -> Result<Option<HuntGroup>, StoreError> {
    hunt_group(pool, sql::HUNT_GROUP_OF, i_c_queue.0).await
}

async fn hunt_group(
    pool: &Pool,
    statement: &'static str,
    key: i64,
) -> Result<Option<HuntGroup>, StoreError> {
    match query(statement).bind(key).fetch_optional(pool).await? {
        Some(row) => read_hunt_group(pool, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn read_hunt_group(pool: &Pool, row: &Row) -> Result<HuntGroup, StoreError> {
    let i_c_group = ICGroup(row.get("i_c_group")?);
    let queue_name: Option<String> = row.get("queue_name")?;
    let i_c_queue: Option<i64> = row.get("i_c_queue")?;
    let members = query(sql::MEMBERS)
        .bind(i_c_group.0)
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| Ok(Member { account: details(row)?.account, is_active: row.flag("is_active")? }))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(HuntGroup {
        i_c_group,
        id: row.get("id")?,
        name: row.get("name")?,
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

pub(super) fn details(row: &Row) -> Result<AccountDetails, StoreError> {
    Ok(AccountDetails {
        account: Account {
            i_account: IAccount(row.get("i_account")?),
            id: row.get("id")?,
            name: row.get("name")?,
            i_customer: i_customer(row)?,
            i_reseller: i_reseller(row)?,
            is_blocked: row.flag("is_blocked")?,
            may_connect_two: row.flag("may_connect_two")?,
            decision: decision(row)?,
        },
        login: row.get("login")?,
        product: row.get("product")?,
        has_conferencing: row.flag("has_conferencing")?,
        has_user_application: row.flag("has_user_application")?,
    })
}

fn i_customer(row: &Row) -> Result<ICustomer, StoreError> {
    Ok(ICustomer(row.get("i_customer")?))
}

fn i_reseller(row: &Row) -> Result<Option<IReseller>, StoreError> {
    Ok(row.get::<Option<i64>>("i_reseller")?.map(IReseller))
}

/// How a queue deals with calls.
pub(super) fn rules(row: &Row) -> Result<QueueRules, StoreError> {
    Ok(QueueRules {
        ring_all: row.flag("ring_all")?,
        agent_timeout: row.get("agent_timeout")?,
        max_waiting: row.get("max_waiting")?,
        max_wait: row.get("max_wait")?,
        overflow: row.get("overflow")?,
    })
}

/// What happens to calls about which no application decides.
pub(super) fn decision(row: &Row) -> Result<Option<Decision>, StoreError> {
    let timeout: Option<i64> = row.get("decision_timeout")?;
    let fallback: Option<String> = row.get("decision_fallback")?;
    Ok(timeout.zip(fallback).map(|(timeout, fallback)| Decision { timeout, fallback }))
}
