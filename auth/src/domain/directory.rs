//! The port behind which the directory is kept.

use std::fmt;

use async_trait::async_trait;
use mesh::clock::Timestamp;

use crate::domain::access::{Component, Level, Realm};
use crate::domain::accounting::Accounting;
use crate::domain::application::{AccessNumberEntry, Choice, IvrApplication, Led, NewApplication};
use crate::domain::id::{IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication};
use crate::domain::party::{AccountDetails, Customer, Entry, HuntGroup, Standing};
use crate::domain::plan::{Plan, Problem};
use crate::domain::principal::{Credential, Principal, Subject};
use crate::domain::secret::Secret;
use crate::domain::session::{
    Exchange, Exchanged, NewSession, OpenSession, Revocation, SessionId, StoredKey,
};
use crate::domain::snapshot::Snapshot;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached or is too busy; trying again may help.
    #[error("the directory cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refused a statement: a bug, or a database that is not ours.
    #[error("the directory refused a statement")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It holds something that this program does not understand.
    #[error("the directory holds an unknown {what}")]
    Corrupt {
        /// What was read.
        what: &'static str,
    },
    /// It was made by a newer program.
    #[error("the database has schema {found}, this program knows only up to {known}")]
    TooNew {
        /// Schema of the database.
        found: i64,
        /// Newest schema known here.
        known: i64,
    },
    /// It cannot be what the configuration says.
    #[error("`{url}` is not a database that can be opened: {reason}")]
    Address {
        /// The URL, without password.
        url: String,
        /// Why.
        reason: String,
    },
}

/// Why a plan was not applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit the directory.
    #[error("{}", join(.0))]
    Refused(Vec<Problem>),
    /// The store failed.
    #[error("the directory could not be written")]
    Store(#[from] StoreError),
}

/// Counts of what an applied plan brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Things that were not there before.
    pub created: usize,
    /// Things that were there and are now as the file says.
    pub updated: usize,
}

/// The part of the directory that a list is of; each field narrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// Of the customers of this reseller.
    pub i_reseller: Option<i64>,
    /// Of this customer.
    pub i_customer: Option<ICustomer>,
}

/// The IVR applications that a list is of; each field narrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applications {
    /// Of this part of the directory.
    pub within: Within,
    /// Of this account.
    pub i_account: Option<IAccount>,
    /// This one alone.
    pub i_ivr_application: Option<IIvrApplication>,
}

/// What a customer is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerKey<'a> {
    /// Its key.
    ICustomer(ICustomer),
    /// Its name.
    Name(&'a str),
    /// Its login.
    Login(&'a str),
}

/// What an account is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKey<'a> {
    /// Its key.
    IAccount(IAccount),
    /// Its id.
    Id(&'a str),
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Entries at most.
    pub limit: i64,
    /// Entries left out before.
    pub offset: i64,
}

/// The store of the directory, of sessions and of revocations.
///
/// Every operation is one transaction. Absence is `None`, never an error.
#[async_trait]
pub trait Directory: Accounting + fmt::Debug + Send + Sync {
    /// Who may log in as `login`: at most one in each realm, or in `realm` alone.
    async fn credentials(
        &self,
        login: &str,
        realm: Option<Realm>,
    ) -> Result<Vec<Credential>, StoreError>;

    /// A user with its credentials.
    async fn credential(&self, subject: Subject) -> Result<Option<Credential>, StoreError>;

    /// A user.
    async fn principal(&self, subject: Subject) -> Result<Option<Principal>, StoreError> {
        Ok(self.credential(subject).await?.map(|credential| credential.principal))
    }

    /// Keeps a session and its first refresh token. False when its user is gone, or has another
    /// password than the one that opened it: then nothing is kept.
    async fn open_session(&self, session: &NewSession) -> Result<bool, StoreError>;

    /// Exchanges a refresh token. A reuse ends the session.
    async fn exchange(&self, exchange: &Exchange) -> Result<Exchanged, StoreError>;

    /// A session that has not ended.
    async fn session(&self, id: &SessionId) -> Result<Option<OpenSession>, StoreError>;

    /// Ends a session. Repeating it changes nothing.
    async fn end_session(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError>;

    /// Revocations after `position` that were made since `since`, in order.
    async fn revocations(
        &self,
        position: i64,
        since: Timestamp,
    ) -> Result<Vec<Revocation>, StoreError>;

    /// Position of the newest revocation; 0 when there was none.
    async fn revocation_position(&self) -> Result<i64, StoreError>;

    /// Forgets sessions whose refresh tokens are all over, and revocations made before `since`.
    async fn purge(&self, now: Timestamp, since: Timestamp) -> Result<(), StoreError>;

    /// The keys that sign access tokens, newest first.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Keeps `key` unless there is one that was made after `after` (any, for `None`), and returns
    /// those there are, newest first. So several that want another one at once agree on it.
    async fn adopt_key(
        &self,
        key: &StoredKey,
        after: Option<Timestamp>,
    ) -> Result<Vec<StoredKey>, StoreError>;

    /// Forgets the keys that were followed by another one before `before`.
    async fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError>;

    /// The secret kept under `name`; `proposed` when there was none yet.
    async fn secret(&self, name: &str, proposed: &Secret) -> Result<Secret, StoreError>;

    /// What the directory has under a number in its normal form.
    async fn number(&self, number: &str) -> Result<Option<Entry>, StoreError>;

    /// An account.
    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountDetails>, StoreError>;

    /// Whether an account may place calls; `None` when there is no such account.
    async fn standing(&self, i_account: IAccount) -> Result<Option<Standing>, StoreError>;

    /// A customer.
    async fn customer(&self, key: CustomerKey<'_>) -> Result<Option<Customer>, StoreError>;

    /// Accounts, in the order of their ids; `id` narrows to one.
    async fn accounts(
        &self,
        within: Within,
        id: Option<&str>,
        page: Page,
    ) -> Result<Vec<AccountDetails>, StoreError>;

    /// How many accounts there are of those.
    async fn count_accounts(&self, within: Within, id: Option<&str>) -> Result<i64, StoreError>;

    /// Hunt groups, in the order of their numbers.
    async fn hunt_groups(&self, within: Within, page: Page) -> Result<Vec<HuntGroup>, StoreError>;

    /// How many hunt groups there are of those.
    async fn count_hunt_groups(&self, within: Within) -> Result<i64, StoreError>;

    /// Hunt groups that have a queue, in the order of the queues' names.
    async fn queues(&self, within: Within, page: Page) -> Result<Vec<HuntGroup>, StoreError>;

    /// How many queues there are of those.
    async fn count_queues(&self, within: Within) -> Result<i64, StoreError>;

    /// Has an account take part in some hunt groups of its environment, and rest in others: all
    /// of it, or nothing. False when one of them is not there.
    async fn set_hunting(
        &self,
        i_account: IAccount,
        subscribe: &[ICGroup],
        unsubscribe: &[ICGroup],
    ) -> Result<bool, StoreError>;

    /// The hunt group that a queue belongs to.
    async fn hunt_group_of(&self, i_c_queue: ICQueue) -> Result<Option<HuntGroup>, StoreError>;

    /// IVR applications, in the order of their names.
    async fn applications(
        &self,
        of: Applications,
        page: Page,
    ) -> Result<Vec<IvrApplication>, StoreError>;

    /// How many IVR applications there are of those.
    async fn count_applications(&self, of: Applications) -> Result<i64, StoreError>;

    /// The numbers that lead to IVR applications, in their own order.
    async fn access_numbers(
        &self,
        of: Applications,
        page: Page,
    ) -> Result<Vec<AccessNumberEntry>, StoreError>;

    /// How many numbers lead to those.
    async fn count_access_numbers(&self, of: Applications) -> Result<i64, StoreError>;

    /// Makes an application of an account that is there; `None` when its customer has one of this
    /// name.
    async fn add_application(
        &self,
        new: &NewApplication,
    ) -> Result<Option<IIvrApplication>, StoreError>;

    /// Leads a number in its normal form to an application that is there.
    async fn lead_to_application(
        &self,
        number: &str,
        to: IIvrApplication,
        among: Choice,
    ) -> Result<Led, StoreError>;

    /// Everything in it, at one moment.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Blocks a party or takes the block away; false when that changed nothing. Whoever is at or
    /// below a party that is blocked by it loses its tokens.
    async fn set_blocked(
        &self,
        party: Subject,
        is_blocked: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives a user another password and ends all its sessions.
    async fn set_password(
        &self,
        subject: Subject,
        password_hash: &Secret,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Gives a user another role, which is there, or none; false when that changed nothing. Its
    /// tokens are narrowed.
    async fn set_role(
        &self,
        subject: Subject,
        role: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Makes a role, when it is not there, and sets what it grants: a level, or the realm's
    /// default. What is not named stays. False when that changed nothing. The tokens of its users
    /// are narrowed.
    async fn grant(
        &self,
        role: &str,
        grants: &[(Component, Option<Level>)],
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// True while nobody can log in: a first start.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// Makes the directory hold what `plan` says, all of it or nothing. Who is blocked by it, or
    /// gets another password or role, loses its tokens.
    async fn apply(&self, plan: &Plan, at: Timestamp) -> Result<Applied, ApplyError>;
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
