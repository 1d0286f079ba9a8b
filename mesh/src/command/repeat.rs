//! What a `request_id` stands for: the record that makes a repeated command the same command.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a `request_id` was used for first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Hash of what was asked for, see [`fingerprint`].
    pub(super) fingerprint: String,
    /// The node that got the command.
    pub(super) node: String,
    /// That node's epoch: a later process of the same name does not know the command.
    pub(super) node_epoch: u64,
    /// The command.
    pub(super) command_id: String,
    /// The call that the command makes, when it makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) call_id: Option<String>,
    /// The final answer, encoded, once it is known.
    #[serde(skip)]
    pub(super) outcome: Option<Vec<u8>>,
}

/// Stands between the rest of a record and its outcome; JSON on one line has none.
const OUTCOME_FOLLOWS: u8 = b'\n';

impl Record {
    /// The stored form.
    #[must_use]
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        if let Some(outcome) = &self.outcome {
            bytes.push(OUTCOME_FOLLOWS);
            bytes.extend_from_slice(outcome);
        }
        bytes
    }

    /// Reads the stored form.
    #[must_use]
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(2, |byte| *byte == OUTCOME_FOLLOWS);
        let record: Self = serde_json::from_slice(parts.next()?).ok()?;
        Some(Self { outcome: parts.next().map(<[u8]>::to_vec), ..record })
    }
}

/// Hash of what is asked for: the method, and the params, encoded with defaults filled in, with
/// the account that they come to, and without `request_id`. Who asks is no part of it: a customer
/// and its accounts share the ids and the answers.
#[must_use]
pub(super) fn fingerprint(method: &str, params: &[u8]) -> String {
    let mut hasher = Sha256::new();
    // By whichever of its names.
    let canonical = proto::api::method(method).map_or(method, |method| method.canonical);
    hasher.update(canonical.as_bytes());
    hasher.update([0]);
    hasher.update(params);
    hexadecimal(&hasher.finalize())
}

/// Key of a `request_id`: of fixed length, whatever the application chose.
#[must_use]
pub(super) fn key(request_id: &str) -> String {
    hexadecimal(&Sha256::digest(request_id.as_bytes()))
}

/// In whose partition a session's records lie. Those of customers and accounts lie with their
/// customer. Administrators and resellers have none, and what they command may be any
/// customer's: for them it is a number made from the user, negative, so that it is no customer's.
#[must_use]
pub(super) fn partition_owner(i_customer: Option<i64>, user: &str) -> i64 {
    i_customer.unwrap_or_else(|| {
        let hash: [u8; 32] = Sha256::digest(user.as_bytes()).into();
        let number = hash.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        number | i64::MIN
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_what_it_writes() {
        let record = Record {
            fingerprint: fingerprint("CallControl/hold_call", b"params"),
            node: "main-0".to_owned(),
            node_epoch: 3,
            command_id: "c1".to_owned(),
            call_id: None,
            outcome: None,
        };
        let done = Record { outcome: Some(b"\n\0{}\n".to_vec()), ..record.clone() };

        assert_eq!(Record::decode(&record.encode()), Some(record));
        assert_eq!(Record::decode(&done.encode()), Some(done));
        assert_eq!(Record::decode(b"other"), None);
    }

    #[test]
    fn another_method_or_other_params_are_another_command() {
        let first = fingerprint("CallControl/hold_call", b"params");

        assert_eq!(first, fingerprint("CallControl/hold_call", b"params"));
        assert_ne!(first, fingerprint("CallControl/resume_call", b"params"));
        assert_eq!(
            fingerprint("CallControl/leave_on_spot_conference", b"params"),
            fingerprint("OnSpotConference/leave_on_spot_conference", b"params")
        );
        assert_ne!(first, fingerprint("CallControl/hold_call", b"other"));
    }

    #[test]
    fn users_above_customers_have_records_of_their_own() {
        let one = partition_owner(None, "admin:1");

        assert!(one < 0);
        assert_ne!(one, partition_owner(None, "admin:2"));
        assert_eq!(partition_owner(Some(7), "customer:7"), 7);
    }
}
