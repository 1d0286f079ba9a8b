//! Charges and credit.

use async_trait::async_trait;
use mesh::clock::Timestamp;
use mesh::ledger::{Partition, Position};

use super::SqlDirectory;
use crate::domain::accounting::{
    Accounting, Charge, Granted, Key, Reached, Reservation, Service, Terms, Written, Xdr,
    XdrsWithin,
};
use crate::domain::directory::{Page, StoreError};
use crate::domain::id::ICustomer;
use crate::domain::money::Money;
use crate::domain::rating::{self, Rate};
use crate::store::engine::{
    Executor, Isolation, Query, Row, Transaction, query, query_scalar, transaction,
};
use crate::store::sql::{NEXT_ID, accounting as sql};

/// Name of the counter that numbers xDRs.
const XDR: &str = "xdr";

#[async_trait]
impl Accounting for SqlDirectory {
    async fn write_xdrs(
        &self,
        charges: &[Charge],
        reached: &Reached,
    ) -> Result<Written, StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, {
            let mut written = Written::default();
            for charge in charges {
                write(tx, charge, &mut written).await?;
            }
            query(sql::PUT_REACHED)
                .bind(i64::from(reached.partition))
                .bind(reached.epoch.to_string())
                .bind(i64::try_from(reached.position.millis).unwrap_or(i64::MAX))
                .bind(i64::try_from(reached.position.sequence).unwrap_or(i64::MAX))
                .execute(tx)
                .await?;
            Ok(written)
        })
    }

    async fn reached(&self, partition: Partition) -> Result<Option<Reached>, StoreError> {
        let row = query(sql::REACHED).bind(i64::from(partition)).fetch_optional(&self.pool).await?;
        row.map(|row| {
            let epoch = row.get::<String>("epoch")?;
            let epoch = epoch.parse().map_err(|_error| StoreError::Corrupt { what: "epoch" })?;
            let count = |column: &str| {
                u64::try_from(row.get::<i64>(column)?)
                    .map_err(|_error| StoreError::Corrupt { what: "position" })
            };
            let position = Position { millis: count("millis")?, sequence: count("sequence")? };
            Ok(Reached { partition, epoch, position })
        })
        .transpose()
    }

    async fn accounted(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        let mut accounted = Vec::with_capacity(keys.len());
        for key in keys {
            accounted.push(is_accounted(&self.pool, key).await?);
        }
        Ok(accounted)
    }

    async fn xdrs(&self, within: XdrsWithin, page: Page) -> Result<Vec<Xdr>, StoreError> {
        listed(&self.pool, within, page).await
    }

    async fn counted_xdrs(
        &self,
        within: XdrsWithin,
        page: Page,
    ) -> Result<(Vec<Xdr>, i64), StoreError> {
        transaction!(self.pool, Isolation::Snapshot, tx, {
            let xdrs = listed(&mut *tx, within, page).await?;
            let total = of_those(query(sql::COUNT_XDRS), within).fetch_one(&mut *tx).await?;
            Ok((xdrs, total.get("total")?))
        })
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Option<Granted>, StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, { reserve(tx, reservation).await })
    }

    async fn release_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        let customers: Vec<i64> =
            query_scalar(sql::EXPIRED).bind(now.as_micros()).fetch_all(&self.pool).await?;
        let mut released = 0;
        for i_customer in customers {
            released += transaction!(self.pool, Isolation::RowLocks, tx, {
                release_expired(tx, i_customer, now).await
            })?;
        }
        Ok(released)
    }
}

/// Of one customer, which is locked before its reservations, as everywhere else.
async fn release_expired(
    tx: &mut Transaction,
    i_customer: i64,
    now: Timestamp,
) -> Result<u64, StoreError> {
    query(sql::LOCK_CUSTOMER).bind(i_customer).execute(&mut *tx).await?;
    let expired = query(sql::RELEASE_EXPIRED).bind(i_customer).bind(now.as_micros());
    let released = expired.execute(&mut *tx).await?;
    query(sql::HELD_OF_ACCOUNTS).bind(i_customer).execute(&mut *tx).await?;
    query(sql::HELD_OF_CUSTOMER).bind(i_customer).execute(tx).await?;
    Ok(released)
}

/// Takes an amount off what is left of both limits, or gives it back when it is negative.
async fn hold(
    tx: &mut Transaction,
    i_account: i64,
    i_customer: i64,
    amount: Money,
) -> Result<(), StoreError> {
    if amount.0 != 0 {
        query(sql::HOLD_OF_ACCOUNT).bind(i_account).bind(amount.0).execute(&mut *tx).await?;
        query(sql::HOLD_OF_CUSTOMER).bind(i_customer).bind(amount.0).execute(tx).await?;
    }
    Ok(())
}

async fn listed(
    executor: impl Executor,
    within: XdrsWithin,
    page: Page,
) -> Result<Vec<Xdr>, StoreError> {
    let query = of_those(query(sql::XDRS), within).bind(page.limit).bind(page.offset);
    query.fetch_all(executor).await?.iter().map(xdr).collect()
}

/// Binds what [`sql::XDRS`] and [`sql::COUNT_XDRS`] are restricted to.
fn of_those(query: Query, within: XdrsWithin) -> Query {
    query
        .bind(within.within.i_reseller)
        .bind(within.within.i_customer.map(|customer| customer.0))
        .bind(within.i_account.map(|account| account.0))
        .bind(within.service.map(Service::as_str))
        .bind(within.from.map(Timestamp::as_micros))
        .bind(within.to.map(Timestamp::as_micros))
}

async fn write(
    tx: &mut Transaction,
    charge: &Charge,
    written: &mut Written,
) -> Result<(), StoreError> {
    lock_payer(tx, &charge.key).await?;
    if is_accounted(&mut *tx, &charge.key).await? {
        written.repeated += 1;
        return Ok(());
    }
    let payer = query(sql::PAYER).bind(charge.key.i_account.0).fetch_optional(&mut *tx).await?;
    let Some(payer) = payer else {
        written.orphaned += 1;
        return Ok(());
    };
    let i_customer: i64 = payer.get("i_customer")?;
    let Held { rate, amount: held, .. } =
        held(tx, &charge.key, &charge.terms, payer.get("currency")?).await?;
    let priced = rate.price(rating::seconds(charge.duration));
    let i_xdr: i64 = query_scalar(NEXT_ID).bind(XDR).fetch_one(&mut *tx).await?;
    query(sql::ADD_XDR)
        .bind(i_xdr)
        .bind(&charge.call_id)
        .bind(&charge.key.tag)
        .bind(charge.key.i_account.0)
        .bind(charge.key.service.as_str())
        .bind(i_customer)
        .bind(&charge.tracking_id)
        .bind(charge.direction.as_str())
        .bind(&charge.cli)
        .bind(&charge.cld)
        .bind(charge.connect_time.as_micros())
        .bind(charge.disconnect_time.as_micros())
        .bind(priced.seconds)
        .bind(priced.amount.0)
        .bind(&rate.currency)
        .bind(charge.disconnect_cause)
        .bind(charge.recording.as_deref())
        .execute(&mut *tx)
        .await?;
    query(sql::CHARGE_ACCOUNT)
        .bind(charge.key.i_account.0)
        .bind(priced.amount.0)
        .execute(&mut *tx)
        .await?;
    query(sql::CHARGE_CUSTOMER).bind(i_customer).bind(priced.amount.0).execute(&mut *tx).await?;
    query(sql::RELEASE)
        .bind(&charge.key.tag)
        .bind(charge.key.i_account.0)
        .bind(charge.key.service.as_str())
        .execute(&mut *tx)
        .await?;
    hold(tx, charge.key.i_account.0, i_customer, Money(-held.0)).await?;
    written.new += 1;
    Ok(())
}

async fn reserve(
    tx: &mut Transaction,
    reservation: &Reservation,
) -> Result<Option<Granted>, StoreError> {
    let key = &reservation.key;
    lock_payer(tx, key).await?;
    let credit = query(sql::CREDIT).bind(key.i_account.0).fetch_optional(&mut *tx).await?;
    let Some(credit) = credit else { return Ok(None) };
    let Held { rate, seconds: before, amount: held } =
        held(tx, key, &reservation.terms, credit.get("currency")?).await?;
    if rate.is_free() {
        return Ok(Some(Granted::Unlimited));
    }
    if is_accounted(&mut *tx, key).await? {
        // It came after the end: there is nothing left to hold.
        return Ok(Some(Granted::Seconds(0)));
    }
    let left = credit.get::<i64>("own")?.min(credit.get("of_customer")?).saturating_add(held.0);
    let seconds = rate.affordable(Money(left), reservation.seconds).max(before);
    let amount = rate.price(seconds).amount;
    let i_customer = credit.get("i_customer")?;
    query(sql::PUT_RESERVATION)
        .bind(&key.tag)
        .bind(key.i_account.0)
        .bind(key.service.as_str())
        .bind(i_customer)
        .bind(rate.price_per_minute.0)
        .bind(rate.free_seconds)
        .bind(rate.minimum_seconds)
        .bind(&rate.currency)
        .bind(seconds)
        .bind(amount.0)
        .bind(reservation.expires_at.as_micros())
        .execute(&mut *tx)
        .await?;
    hold(tx, key.i_account.0, i_customer, Money(amount.0 - held.0)).await?;
    Ok(Some(Granted::Seconds(seconds)))
}

async fn lock_payer(tx: &mut Transaction, key: &Key) -> Result<(), StoreError> {
    query(sql::LOCK_PAYER).bind(key.i_account.0).execute(tx).await?;
    Ok(())
}

async fn is_accounted(executor: impl Executor, key: &Key) -> Result<bool, StoreError> {
    let row = query(sql::IS_ACCOUNTED)
        .bind(&key.tag)
        .bind(key.i_account.0)
        .bind(key.service.as_str())
        .fetch_optional(executor)
        .await?;
    Ok(row.is_some())
}

/// What is held for a charge: nothing yet, at its first reservation.
struct Held {
    rate: Rate,
    seconds: i64,
    amount: Money,
}

/// What is held for a charge, at the rate of its first reservation.
async fn held(
    tx: &mut Transaction,
    key: &Key,
    terms: &Terms,
    currency: String,
) -> Result<Held, StoreError> {
    let row = query(sql::RESERVED)
        .bind(&key.tag)
        .bind(key.i_account.0)
        .bind(key.service.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else {
        let rate = rate_of(tx, key, terms, currency).await?;
        return Ok(Held { rate, seconds: 0, amount: Money(0) });
    };
    let amount = Money(row.get("amount")?);
    Ok(Held { rate: rate(&row)?, seconds: row.get("seconds")?, amount })
}

/// The rate of the longest prefix in the tariff of the payer's rating entry. What has no price
/// costs nothing.
async fn rate_of(
    tx: &mut Transaction,
    key: &Key,
    terms: &Terms,
    currency: String,
) -> Result<Rate, StoreError> {
    let mut query =
        query(sql::RATE).bind(key.i_account.0).bind(terms.access_code).bind(key.service.as_str());
    for prefix in rating::prefixes(&terms.number) {
        query = query.bind(prefix);
    }
    let row = query.fetch_optional(tx).await?;
    row.map_or_else(|| Ok(Rate::free(currency)), |row| rate(&row))
}

fn rate(row: &Row) -> Result<Rate, StoreError> {
    Ok(Rate {
        price_per_minute: Money(row.get("price_per_minute")?),
        free_seconds: row.get("free_seconds")?,
        minimum_seconds: row.get("minimum_seconds")?,
        currency: row.get("currency")?,
    })
}

fn xdr(row: &Row) -> Result<Xdr, StoreError> {
    let time = |column: &str| Ok::<_, StoreError>(Timestamp::from_micros(row.get(column)?));
    Ok(Xdr {
        i_xdr: row.get("i_xdr")?,
        call_id: row.get("call_id")?,
        tag: row.get("tag")?,
        tracking_id: row.get("tracking_id")?,
        account_id: row.get("account_id")?,
        i_customer: ICustomer(row.get("i_customer")?),
        service: word(row, "service")?,
        direction: word(row, "direction")?,
        cli: row.get("cli")?,
        cld: row.get("cld")?,
        connect_time: time("connect_time")?,
        disconnect_time: time("disconnect_time")?,
        charged_quantity: row.get("charged_quantity")?,
        charged_amount: Money(row.get("charged_amount")?),
        currency: row.get("currency")?,
        disconnect_cause: row.get("disconnect_cause")?,
        recording: row.get("recording")?,
    })
}

fn word<W: std::str::FromStr>(row: &Row, column: &'static str) -> Result<W, StoreError> {
    row.get::<String>(column)?.parse().map_err(|_unknown| StoreError::Corrupt { what: column })
}
