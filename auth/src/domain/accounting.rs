//! Charges: what they are known by, what is kept of them, and the part of the store's port that
//! keeps them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mesh::clock::Timestamp;
use mesh::ledger::{Epoch, Partition, Position};

use crate::domain::access::UnknownWord;
use crate::domain::directory::{Page, StoreError, Within};
use crate::domain::id::{IAccount, ICustomer};
use crate::domain::money::Money;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// The word by which the store knows it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(UnknownWord { expected: $expected }),
                }
            }
        }
    };
}

words! {
    /// What is charged.
    Service, "`voice`, `conferencing`",
    /// A call.
    Voice = "voice",
    /// A participant of a conference.
    Conferencing = "conferencing",
}

words! {
    /// Whether the payer called or was called.
    Direction, "`incoming`, `outgoing`",
    /// Was called.
    Incoming = "incoming",
    /// Called.
    Outgoing = "outgoing",
}

/// What a charge is known by: there is one for each leg, payer and service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The leg.
    pub tag: String,
    /// Who pays.
    pub i_account: IAccount,
    /// What for.
    pub service: Service,
}

/// What decides the price of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Access code of the payer's rating entry that applies; empty for the ordinary one.
    pub access_code: &'static str,
    /// The number by whose prefix the rate is found: that of the other end.
    pub number: String,
}

/// A charge whose leg has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What it is known by.
    pub key: Key,
    /// The call in which the leg ended.
    pub call_id: String,
    /// Id of the conversation.
    pub tracking_id: String,
    /// Whether the payer called or was called.
    pub direction: Direction,
    /// Number of the caller.
    pub cli: String,
    /// Number called.
    pub cld: String,
    /// What decides its price.
    pub terms: Terms,
    /// When the payer began to pay.
    pub connect_time: Timestamp,
    /// When it paid last.
    pub disconnect_time: Timestamp,
    /// How long it paid.
    pub duration: Duration,
    /// SIP code of the leg's end.
    pub disconnect_cause: i64,
    /// Where the recording is.
    pub recording: Option<String>,
}

/// A charge that was rated and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xdr {
    /// Its number.
    pub i_xdr: i64,
    /// The call in which the leg ended.
    pub call_id: String,
    /// The leg.
    pub tag: String,
    /// Id of the conversation.
    pub tracking_id: String,
    /// Id of the account that pays.
    pub account_id: String,
    /// Its customer.
    pub i_customer: ICustomer,
    /// What is charged.
    pub service: Service,
    /// Whether the payer called or was called.
    pub direction: Direction,
    /// Number of the caller.
    pub cli: String,
    /// Number called.
    pub cld: String,
    /// When the payer began to pay.
    pub connect_time: Timestamp,
    /// When it paid last.
    pub disconnect_time: Timestamp,
    /// Seconds charged.
    pub charged_quantity: i64,
    /// Their price.
    pub charged_amount: Money,
    /// Currency, ISO 4217.
    pub currency: String,
    /// SIP code of the leg's end.
    pub disconnect_cause: i64,
    /// Where the recording is.
    pub recording: Option<String>,
}

/// The part of the charges that a list is of; each field narrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdrsWithin {
    /// Of these parties.
    pub within: Within,
    /// Paid by this account.
    pub i_account: Option<IAccount>,
    /// Of this service.
    pub service: Option<Service>,
    /// Ended at or after.
    pub from: Option<Timestamp>,
    /// Ended before.
    pub to: Option<Timestamp>,
}

/// How far a partition's accounting list has become xDRs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The partition.
    pub partition: Partition,
    /// Epoch of its log when it was read.
    pub epoch: Epoch,
    /// The last record.
    pub position: Position,
}

/// What became of charges that were to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Written now.
    pub new: usize,
    /// Had been written before.
    pub repeated: usize,
    /// Of accounts that are not there: nobody can pay for them.
    pub orphaned: usize,
}

/// Credit that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The charge.
    pub key: Key,
    /// What decides its price.
    pub terms: Terms,
    /// Seconds in all.
    pub seconds: i64,
    /// When what is held is given back if no record of the charge comes.
    pub expires_at: Timestamp,
}

/// Credit that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// For this many seconds in all.
    Seconds(i64),
    /// However long it lasts: it costs nothing.
    Unlimited,
}

/// The part of the store that keeps charges.
///
/// Every operation is one transaction.
#[async_trait]
pub trait Accounting: fmt::Debug + Send + Sync {
    /// Rates the charges, writes an xDR of each that has none, adds its amount to the balances of
    /// the account and of its customer, gives back the credit that was held for it, and notes how
    /// far the list was read: all of it, or nothing.
    async fn write_xdrs(
        &self,
        charges: &[Charge],
        reached: &Reached,
    ) -> Result<Written, StoreError>;

    /// How far a partition's list was read.
    async fn reached(&self, partition: Partition) -> Result<Option<Reached>, StoreError>;

    /// Which of these have become xDRs, in the order of the keys.
    async fn accounted(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError>;

    /// Charges, newest first.
    async fn xdrs(&self, within: XdrsWithin, page: Page) -> Result<Vec<Xdr>, StoreError>;

    /// The same, and how many there are of those at that moment.
    async fn counted_xdrs(
        &self,
        within: XdrsWithin,
        page: Page,
    ) -> Result<(Vec<Xdr>, i64), StoreError>;

    /// Holds credit, as much as there is: of the limits of the account and of its customer what
    /// is neither owed nor held for other charges. Never less than what was granted before. `None`
    /// when there is no such account.
    async fn reserve(&self, reservation: &Reservation) -> Result<Option<Granted>, StoreError>;

    /// Gives back credit whose time is over; says for how many charges.
    async fn release_expired(&self, now: Timestamp) -> Result<u64, StoreError>;
}
