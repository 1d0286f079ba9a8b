//! The directory in a database: each operation of the port is one statement or one transaction.
//!
//! What a transaction may rely on, several instances at once included, is said by its
//! [`Isolation`]: what is done often locks rows, in the order in which its statements name them;
//! what operators do is serializable.

mod accounting;
mod admin;
mod application;
mod apply;
mod login;
mod party;
mod schema;
mod session;
mod snapshot;

use async_trait::async_trait;
use mesh::clock::Timestamp;

use super::engine::{Isolation, Pool, transaction};
use crate::config::Database;
use crate::domain::access::{Component, Level, Realm};
use crate::domain::application::{AccessNumberEntry, Choice, IvrApplication, Led, NewApplication};
use crate::domain::directory::{
    AccountKey, Applications, Applied, ApplyError, CustomerKey, Directory, Page, StoreError, Within,
};
use crate::domain::id::{IAccount, ICGroup, ICQueue, IIvrApplication};
use crate::domain::party::{AccountDetails, Customer, Entry, HuntGroup, Standing};
use crate::domain::plan::Plan;
use crate::domain::principal::{Credential, Subject};
use crate::domain::secret::Secret;
use crate::domain::session::{
    Exchange, Exchanged, NewSession, OpenSession, Revocation, SessionId, StoredKey,
};
use crate::domain::snapshot::Snapshot;
use crate::store::sql::party as sql;

/// The directory in one database.
#[derive(Clone, Debug)]
pub struct SqlDirectory {
    pool: Pool,
}

impl SqlDirectory {
    /// Opens the database and brings its schema up to date. A database in memory lives as long as
    /// this value and has a single connection.
    ///
    /// # Errors
    /// When it cannot be opened, is not ours, or is newer than this program.
    pub async fn open(settings: &Database, now: Timestamp) -> Result<Self, StoreError> {
        let pool = Pool::open(settings).await?;
        schema::migrate(&pool, now).await?;
        Ok(Self { pool })
    }
}

#[async_trait]
impl Directory for SqlDirectory {
    async fn credentials(
        &self,
        login: &str,
        realm: Option<Realm>,
    ) -> Result<Vec<Credential>, StoreError> {
        login::credentials(&self.pool, login, realm).await
    }

    async fn credential(&self, subject: Subject) -> Result<Option<Credential>, StoreError> {
        login::credential(&self.pool, subject).await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, { session::open(tx, session).await })
    }

    async fn exchange(&self, exchange: &Exchange) -> Result<Exchanged, StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, {
            let exchanged = session::exchange(tx, exchange).await?;
            if exchanged == Exchanged::Refused {
                tx.give_up();
            }
            Ok(exchanged)
        })
    }

    async fn session(&self, id: &SessionId) -> Result<Option<OpenSession>, StoreError> {
        session::find(&self.pool, id).await
    }

    async fn end_session(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, { session::end(tx, id, at).await })
    }

    async fn revocations(
        &self,
        position: i64,
        since: Timestamp,
    ) -> Result<Vec<Revocation>, StoreError> {
        session::revocations(&self.pool, position, since).await
    }

    async fn revocation_position(&self) -> Result<i64, StoreError> {
        session::revocation_position(&self.pool).await
    }

    async fn purge(&self, now: Timestamp, since: Timestamp) -> Result<(), StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, { session::purge(tx, now, since).await })
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        session::keys(&self.pool).await
    }

    async fn adopt_key(
        &self,
        key: &StoredKey,
        after: Option<Timestamp>,
    ) -> Result<Vec<StoredKey>, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            session::adopt_key(tx, key, after).await?;
            session::keys(tx).await
        })
    }

    async fn forget_keys(&self, before: Timestamp) -> Result<(), StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, { session::forget_keys(tx, before).await })
    }

    async fn secret(&self, name: &str, proposed: &Secret) -> Result<Secret, StoreError> {
        transaction!(self.pool, Isolation::RowLocks, tx, {
            session::secret(tx, name, proposed).await
        })
    }

    async fn number(&self, number: &str) -> Result<Option<Entry>, StoreError> {
        party::number(&self.pool, number).await
    }

    async fn account(&self, key: AccountKey<'_>) -> Result<Option<AccountDetails>, StoreError> {
        party::account(&self.pool, key).await
    }

    async fn standing(&self, i_account: IAccount) -> Result<Option<Standing>, StoreError> {
        party::standing(&self.pool, i_account).await
    }

    async fn customer(&self, key: CustomerKey<'_>) -> Result<Option<Customer>, StoreError> {
        party::customer(&self.pool, key).await
    }

    async fn accounts(
        &self,
        within: Within,
        id: Option<&str>,
        page: Page,
    ) -> Result<Vec<AccountDetails>, StoreError> {
        party::accounts(&self.pool, within, id, page).await
    }

    async fn count_accounts(&self, within: Within, id: Option<&str>) -> Result<i64, StoreError> {
        party::count_accounts(&self.pool, within, id).await
    }

    async fn hunt_groups(&self, within: Within, page: Page) -> Result<Vec<HuntGroup>, StoreError> {
        party::hunt_groups(&self.pool, within, page).await
    }

    async fn count_hunt_groups(&self, within: Within) -> Result<i64, StoreError> {
        party::count_hunt_groups(&self.pool, within).await
    }

    async fn queues(&self, within: Within, page: Page) -> Result<Vec<HuntGroup>, StoreError> {
        party::queues(&self.pool, within, page).await
    }

    async fn count_queues(&self, within: Within) -> Result<i64, StoreError> {
        party::count_queues(&self.pool, within).await
    }

    async fn set_hunting(
        &self,
        i_account: IAccount,
        subscribe: &[ICGroup],
        unsubscribe: &[ICGroup],
    ) -> Result<bool, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            let is_done = party::set_hunting(tx, i_account, subscribe, unsubscribe).await?;
            if !is_done {
                tx.give_up();
            }
            Ok(is_done)
        })
    }

    async fn hunt_group_of(&self, i_c_queue: ICQueue) -> Result<Option<HuntGroup>, StoreError> {
        party::hunt_group_of(&self.pool, i_c_queue).await
    }

    async fn applications(
        &self,
        of: Applications,
        page: Page,
    ) -> Result<Vec<IvrApplication>, StoreError> {
        application::applications(&self.pool, of, page).await
    }

    async fn count_applications(&self, of: Applications) -> Result<i64, StoreError> {
        application::count(&self.pool, sql::COUNT_APPLICATIONS, of).await
    }

    async fn access_numbers(
        &self,
        of: Applications,
        page: Page,
    ) -> Result<Vec<AccessNumberEntry>, StoreError> {
        application::access_numbers(&self.pool, of, page).await
    }

    async fn count_access_numbers(&self, of: Applications) -> Result<i64, StoreError> {
        application::count(&self.pool, sql::COUNT_ACCESS_NUMBERS, of).await
    }

    async fn add_application(
        &self,
        new: &NewApplication,
    ) -> Result<Option<IIvrApplication>, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, { application::add(tx, new).await })
    }

    async fn lead_to_application(
        &self,
        number: &str,
        to: IIvrApplication,
        among: Choice,
    ) -> Result<Led, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            application::lead(tx, number, to, among).await
        })
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        login::is_empty(&self.pool).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        transaction!(self.pool, Isolation::Snapshot, tx, { snapshot::snapshot(tx).await })
    }

    async fn set_blocked(
        &self,
        party: Subject,
        is_blocked: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            admin::set_blocked(tx, party, is_blocked, at).await
        })
    }

    async fn set_password(
        &self,
        subject: Subject,
        password_hash: &Secret,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            login::set_password(tx, subject, password_hash).await?;
            session::end_all(tx, subject, at).await
        })
    }

    async fn set_role(
        &self,
        subject: Subject,
        role: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            admin::set_role(tx, subject, role, at).await
        })
    }

    async fn grant(
        &self,
        role: &str,
        grants: &[(Component, Option<Level>)],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        transaction!(self.pool, Isolation::Serializable, tx, {
            admin::grant(tx, role, grants, at).await
        })
    }

    async fn apply(&self, plan: &Plan, at: Timestamp) -> Result<Applied, ApplyError> {
        let applied = transaction!(self.pool, Isolation::Serializable, tx, {
            let applied = apply::apply(tx, plan, at).await?;
            if applied.is_err() {
                tx.give_up();
            }
            Ok(applied)
        });
        applied?.map_err(ApplyError::Refused)
    }
}

#[cfg(test)]
mod tests;
