//! Reads requests: paths, and bodies with unknown fields refused.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Duration;

use super::response::Failure;

/// Longest body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest number or name.
const MAX_TEXT_CHARS: usize = 128;

/// Most keys in one request.
const MAX_KEYS: usize = 128;

/// Longest pause between two keys.
const MAX_GAP_MS: u32 = 60_000;

/// `POST …/dial`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dial {
    pub(super) destination: String,
}

/// `POST /sim/trunk/call`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrunkCall {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(default)]
    pub(super) name: String,
}

/// A hand on a phone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnPhone {
    #[serde(default)]
    pub(super) call_id: Option<String>,
}

/// A hand on a leg of the trunk: there is nothing to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnLeg {}

/// Keys pressed on a phone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhoneKeys {
    pub(super) digits: String,
    #[serde(default = "default_gap_ms")]
    pub(super) gap_ms: u32,
    #[serde(default)]
    pub(super) call_id: Option<String>,
}

/// Keys pressed at the far end of a leg of the trunk.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LegKeys {
    pub(super) digits: String,
    #[serde(default = "default_gap_ms")]
    pub(super) gap_ms: u32,
}

const fn default_gap_ms() -> u32 {
    50
}

/// The segments of a path, with their escapes undone; `None` when an escape is broken.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(unescape).collect()
}

/// Reads a body that has to be there.
pub(super) async fn body<T: DeserializeOwned>(incoming: Incoming) -> Result<T, Failure> {
    parse(&collect(incoming).await?)
}

/// Reads a body that may be left out.
pub(super) async fn optional_body<T: DeserializeOwned + Default>(
    incoming: Incoming,
) -> Result<T, Failure> {
    let bytes = collect(incoming).await?;
    if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) }
}

/// Refuses what is no number or name that somebody could dial or show.
pub(super) fn check_number(field: &str, number: &str) -> Result<(), Failure> {
    let is_short = number.chars().count() <= MAX_TEXT_CHARS;
    if !number.is_empty() && is_short && !number.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "`{field}` must have 1 to {MAX_TEXT_CHARS} characters, none of them a control character"
    )))
}

/// Refuses a name that is too long to be shown.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if name.chars().count() <= MAX_TEXT_CHARS {
        return Ok(());
    }
    Err(Failure::bad_request(format!("`name` must have at most {MAX_TEXT_CHARS} characters")))
}

/// Refuses keys that no phone has, and pauses that nobody waits for.
pub(super) fn check_keys(digits: &str, gap_ms: u32) -> Result<(), Failure> {
    let is_key = |key: char| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D');
    if digits.is_empty() || digits.len() > MAX_KEYS || !digits.chars().all(is_key) {
        return Err(Failure::bad_request(format!(
            "`digits` must be 1 to {MAX_KEYS} of the keys 0-9, *, #, A-D"
        )));
    }
    if gap_ms > MAX_GAP_MS {
        return Err(Failure::bad_request(format!("`gap_ms` must be at most {MAX_GAP_MS}")));
    }
    Ok(())
}

async fn collect(incoming: Incoming) -> Result<Bytes, Failure> {
    let collecting = Limited::new(incoming, MAX_BODY_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, collecting).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(Failure::bad_request(format!("the body cannot be read: {error}"))),
        Err(_elapsed) => Err(Failure::bad_request("the body did not arrive in time")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::bad_request(format!("the body is not as it should be: {error}")))
}

/// Undoes `%41`; numbers may carry a `+` as it is.
fn unescape(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut plain = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        let is_escape = byte == b'%';
        plain.push(if is_escape { hex(bytes.next()?)? << 4 | hex(bytes.next()?)? } else { byte });
    }
    String::from_utf8(plain).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_before_its_escapes_are_undone() {
        let split = |path| segments(path).map(|segments| segments.join("|"));

        assert_eq!(split("/sim/phones/101").as_deref(), Some("sim|phones|101"));
        assert_eq!(split("/a%2Fb/%C3%A9+").as_deref(), Some("a/b|é+"));
        assert_eq!(split("/%4"), None);
        assert_eq!(split("/%zz"), None);
        assert_eq!(split("/%ff"), None);
        assert_eq!(split("*"), None);
    }

    #[test]
    fn only_keys_of_a_phone_are_pressed() {
        assert!(check_keys("0123456789*#ABCD", 0).is_ok());
        for digits in ["", "1x", "a", "١"] {
            assert!(check_keys(digits, 0).is_err(), "{digits}");
        }
        assert!(check_keys("1", MAX_GAP_MS + 1).is_err());
    }
}
