//! One entry of the log, decoded once and shared by all who need it.

use std::sync::Arc;

use bytes::Bytes;
use mesh::ledger::{Epoch, Partition, Position};
use tokio::time::Instant;

/// What an entry weighs in memory beyond its encoded bytes, about.
const OVERHEAD_BYTES: usize = 256;

/// One life of a partition's log, with its name as it goes over the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Era {
    /// The epoch.
    pub(crate) epoch: Epoch,
    /// `<born_millis>-<nonce in hexadecimal>`.
    pub(crate) name: Bytes,
}

impl Era {
    /// Names the epoch.
    pub(crate) fn new(epoch: Epoch) -> Arc<Self> {
        let name = Bytes::from(epoch.to_string());
        Arc::new(Self { epoch, name })
    }

    /// Reads a name; `None` when it is none.
    pub(crate) fn read(name: &str) -> Option<Arc<Self>> {
        name.parse().ok().map(Self::new)
    }
}

/// A place in the log of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The partition.
    pub(crate) partition: Partition,
    /// The life of its log.
    pub(crate) era: Arc<Era>,
    /// The position in it.
    pub(crate) position: Position,
}

/// The part of an entry that says who may see it, and when and why it came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its customer.
    pub(crate) i_customer: i64,
    /// The reseller above; 0 for none.
    pub(crate) i_reseller: i64,
    /// The accounts that are or were a party.
    pub(crate) i_accounts: Vec<i64>,
    /// The access numbers through which the call came.
    pub(crate) access_numbers: Vec<String>,
    /// The queues in which the call is or was.
    pub(crate) i_c_queues: Vec<i64>,
    /// When it happened, microseconds since 1970 UTC.
    pub(crate) time_us: i64,
    /// W3C trace context of what caused it; may be empty.
    pub(crate) traceparent: String,
    /// Whether it is to be posted somewhere.
    pub(crate) has_callbacks: bool,
}

/// One entry of the log.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where it stands.
    pub(crate) place: Place,
    /// Who may see it.
    pub(crate) head: Head,
    /// All of it as the engine wrote it; goes to the edges as it is.
    pub(crate) raw: Bytes,
    /// When this process read it.
    pub(crate) read_at: Instant,
}

impl Entry {
    /// What it weighs in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.raw.len() + OVERHEAD_BYTES
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// An era for tests; the same number gives the same era.
    pub(crate) fn era(number: u32) -> Arc<Era> {
        Era::new(Epoch { born_millis: 1_000, nonce: number })
    }

    /// An entry of partition 0 at `sequence`.
    pub(crate) fn entry(sequence: u64, head: Head) -> Arc<Entry> {
        let position = Position { millis: 1, sequence };
        Arc::new(Entry {
            place: Place { partition: 0, era: era(0), position },
            head,
            raw: Bytes::from_static(b"raw"),
            read_at: Instant::now(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_reads_as_it_was_written(born_millis: u64, nonce: u32) {
            let era = Era::new(Epoch { born_millis, nonce });

            let name = std::str::from_utf8(&era.name).unwrap();

            prop_assert_eq!(Era::read(name), Some(Arc::clone(&era)));
        }

        #[test]
        fn any_text_does_no_harm(name: String) {
            Era::read(&name);
        }
    }
}
