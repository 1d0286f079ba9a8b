//! Names of the keys. All keys of a partition bear its hash tag, so that one
//! script may touch them even in a cluster.

use crate::ledger::Partition;

/// Makes names.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn of(&self, partition: Partition, rest: &str) -> String {
        format!("{}:{{p{partition:02}}}:{rest}", self.prefix)
    }

    /// Hash: epoch, place trimmed to, last position, bytes; fences and marks of the nodes.
    pub(super) fn log(&self, partition: Partition) -> String {
        self.of(partition, "log")
    }

    /// Stream: the events of the current epoch.
    pub(super) fn events(&self, partition: Partition) -> String {
        self.of(partition, "events")
    }

    /// Stream: accounting records.
    pub(super) fn accounting(&self, partition: Partition) -> String {
        self.of(partition, "acct")
    }

    /// String: one record.
    pub(super) fn record(&self, partition: Partition, key: &str) -> String {
        self.of(partition, &format!("r:{key}"))
    }

    /// Sorted set: one index.
    pub(super) fn index(&self, partition: Partition, index: &str) -> String {
        self.of(partition, &format!("i:{index}"))
    }

    /// Hash: who holds something of the partition, until when, and the note that goes with it.
    pub(super) fn hold(&self, partition: Partition, name: &str) -> String {
        self.of(partition, &format!("hold:{name}"))
    }

    /// Hash: homes of the customers of the partition.
    pub(super) fn homes(&self, partition: Partition) -> String {
        self.of(partition, "homes")
    }

    /// Hash: what a customer wrote once.
    pub(super) fn once(&self, partition: Partition, i_customer: i64) -> String {
        self.of(partition, &format!("once:{i_customer}"))
    }

    /// Sorted set: the keys of [`Self::once`] by time of writing.
    pub(super) fn once_ages(&self, partition: Partition, i_customer: i64) -> String {
        self.of(partition, &format!("once-ages:{i_customer}"))
    }

    /// Sorted set: who listens to an access number, by expiry.
    pub(super) fn presence(&self, partition: Partition, i_customer: i64, number: &str) -> String {
        self.of(partition, &format!("ivr:{i_customer}:{number}"))
    }

    /// Hash: leases of the nodes.
    pub(super) fn leases(&self) -> String {
        format!("{}:{{nodes}}:leases", self.prefix)
    }

    /// Hash: the highest epoch each node ever had.
    pub(super) fn lease_epochs(&self) -> String {
        format!("{}:{{nodes}}:epochs", self.prefix)
    }
}
