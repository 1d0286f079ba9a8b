//! Reads what the store answers, and writes what it is told, in one form each:
//! an epoch is `<born>-<nonce>`, a position `<millis>-<sequence>`.

use std::time::Duration;

use bytes::Bytes;
use redis::{FromRedisValue, Value};

use crate::ledger::{Epoch, LogBounds, Position, StoreError};

/// Longest time to live that is handed to the store: a hundred years.
const LONGEST_TTL: Duration = Duration::from_hours(24 * 36_525);

pub(super) fn unexpected() -> StoreError {
    StoreError { message: "unexpected answer".to_owned() }
}

pub(super) fn read<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    T::from_redis_value(value).map_err(|_| unexpected())
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(unexpected()),
    }
}

/// An array of exactly `N`.
pub(super) fn items<const N: usize>(value: Value) -> Result<[Value; N], StoreError> {
    array(value)?.try_into().map_err(|_| unexpected())
}

pub(super) fn bytes(value: Value) -> Result<Option<Bytes>, StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        Value::Nil => Ok(None),
        _ => Err(unexpected()),
    }
}

/// Epoch, place trimmed to and last position; `None` when the log has no epoch yet.
pub(super) fn bounds(value: Value) -> Result<Option<LogBounds>, StoreError> {
    let [epoch, trimmed_to, last] = items(value)?;
    match (
        read::<Option<String>>(epoch)?,
        read::<Option<String>>(trimmed_to)?,
        read::<Option<String>>(last)?,
    ) {
        (Some(epoch), Some(trimmed_to), Some(last)) => Ok(Some(LogBounds {
            epoch: parse_epoch(&epoch)?,
            trimmed_to: parse_position(&trimmed_to)?,
            last: parse_position(&last)?,
        })),
        _ => Ok(None),
    }
}

/// Entries of a stream: `[[position, ["d", bytes]], …]`.
pub(super) fn entries(value: Value) -> Result<Vec<(Position, Bytes)>, StoreError> {
    let entry = |value| {
        let [position, fields] = items(value)?;
        let [_, payload] = items(fields)?;
        Ok((parse_position(&read::<String>(position)?)?, bytes(payload)?.ok_or_else(unexpected)?))
    };
    array(value)?.into_iter().map(entry).collect()
}

/// The answer of an `XREAD` over one stream: nothing, or `[[key, entries]]`.
pub(super) fn awaited_entries(value: Value) -> Result<Vec<(Position, Bytes)>, StoreError> {
    if value == Value::Nil {
        return Ok(Vec::new());
    }
    let [stream] = items(value)?;
    let [_, its_entries] = items(stream)?;
    entries(its_entries)
}

pub(super) fn parse_epoch(text: &str) -> Result<Epoch, StoreError> {
    let (born_millis, nonce) = halves(text)?;
    Ok(Epoch { born_millis, nonce: u32::try_from(nonce).map_err(|_| unexpected())? })
}

pub(super) fn parse_position(text: &str) -> Result<Position, StoreError> {
    let (millis, sequence) = halves(text)?;
    Ok(Position { millis, sequence })
}

fn halves(text: &str) -> Result<(u64, u64), StoreError> {
    let (first, second) = text.split_once('-').ok_or_else(unexpected)?;
    let number = |text: &str| text.parse().map_err(|_| unexpected());
    Ok((number(first)?, number(second)?))
}

pub(super) fn show_epoch(epoch: &Epoch) -> String {
    format!("{}-{}", epoch.born_millis, epoch.nonce)
}

pub(super) fn show_position(position: Position) -> String {
    format!("{}-{}", position.millis, position.sequence)
}

/// Milliseconds that the store accepts: at least one, since it refuses none in mid-script.
pub(super) fn ttl_millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.min(LONGEST_TTL).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Whole number that Lua's doubles and Redis's indexes can hold.
pub(super) fn count(number: u64) -> u64 {
    number.min(1 << 31)
}
