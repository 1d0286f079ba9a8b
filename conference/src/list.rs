//! Lists and rosters: the read side, from the store.
//!
//! Lists are of the conferences that go on; rosters are kept for a day after the end. Which index is
//! read follows from the scope of the session and what was asked for. An account's scope are the
//! conferences that it owned or was in.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use mesh::caller::{Owner, Scope};
use mesh::command::{Directory, Refusal, Session};
use mesh::conferences_index::{self, Index};
use mesh::ledger::{Ledger, Partition, StoreError, partition_of};
use prost::Message as _;
use proto::auth::v1::check_scope_request::Of;
use proto::conference::v1::{
    Conference, GetOnSpotConferenceListRequest, GetOnSpotConferenceListResponse, Participant,
};
use proto::switch::v1::ConferenceRecord;
use tokio::time::timeout_at;

/// Entries of a list when nobody says how many.
const DEFAULT_LIMIT: u64 = 100;

/// Most entries of a list.
const MAX_LIMIT: u64 = 1_000;

/// Reads lists.
#[derive(Debug)]
pub(crate) struct Lists {
    /// The store.
    pub(crate) ledger: Arc<dyn Ledger>,
    /// Who knows scopes.
    pub(crate) directory: Directory,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    offset: u64,
    limit: u64,
}

impl Window {
    /// Reads `limit` and `offset`.
    pub(crate) fn new(limit: i32, offset: i32) -> Self {
        let limit = u64::try_from(limit).unwrap_or(0);
        Self {
            offset: u64::try_from(offset).unwrap_or(0),
            limit: if limit == 0 { DEFAULT_LIMIT } else { limit.min(MAX_LIMIT) },
        }
    }

    /// Cuts it out.
    pub(crate) fn cut<T>(self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        all.into_iter().skip(skipped).take(limit).collect()
    }
}

impl Lists {
    /// The conferences that go on, that the session may see and asked for, newest first.
    ///
    /// # Errors
    /// What is not found in the scope, or what came between.
    pub(crate) async fn conferences(
        &self,
        session: &Session,
        request: &GetOnSpotConferenceListRequest,
    ) -> Result<GetOnSpotConferenceListResponse, Refusal> {
        let (index, partitions) = self.query(session, request).await?;
        let window = Window::new(request.limit, request.offset);
        let wanted = window.offset.saturating_add(window.limit);
        let index = index.to_string();
        let reading = async {
            let pages = partitions
                .into_iter()
                .map(|partition| self.ledger.page(partition, &index, 0, wanted));
            try_join_all(pages).await
        };
        let pages = within(session, reading).await?;
        let total: u64 = pages.iter().map(|page| page.total).sum();
        let records = pages.into_iter().flat_map(|page| page.records);
        let found: BTreeMap<(i64, String), Conference> = records
            .filter_map(|(key, value)| {
                let conference = ConferenceRecord::decode(value).ok()?.conference?;
                Some(((-conference.create_time, key), conference))
            })
            .collect();
        Ok(GetOnSpotConferenceListResponse {
            conference_list: window.cut(found.into_values()),
            total: request.get_total.then(|| i64::try_from(total).unwrap_or(i64::MAX)),
        })
    }

    /// Finds out what may be listed, and where it lies.
    async fn query(
        &self,
        session: &Session,
        request: &GetOnSpotConferenceListRequest,
    ) -> Result<(Index<'static>, Vec<Partition>), Refusal> {
        let scope = *session.scope();
        let asked = request.i_customer;
        if let Some(i_customer) = asked {
            let found = match scope.i_customer() {
                Some(own) => Some(own).filter(|own| *own == i_customer),
                None => self.directory.customer_of(session, Of::ICustomer(i_customer)).await?,
            };
            found.ok_or(Refusal::CustomerNotFound)?;
        }
        let named = request.account_id.as_deref().filter(|id| !id.is_empty());
        if named.is_some() || scope.i_account().is_some() {
            let account = match (named, scope.i_account()) {
                // In the account realm only the own one.
                (_, Some(_)) => self.directory.account(session, named, None).await?,
                (Some(id), None) => self.directory.colleague(session, id).await?,
                (None, None) => return Err(Refusal::AccountNotFound),
            };
            if asked.is_some_and(|i_customer| i_customer != account.i_customer) {
                return Err(Refusal::AccountNotFound);
            }
            let partitions = self.partitions_of(Some(account.i_customer));
            return Ok((Index::Account(account.i_account), partitions));
        }
        let i_customer = asked.or(scope.i_customer());
        let index = match (i_customer, scope) {
            (Some(i_customer), _) => Index::Customer(i_customer),
            (None, Scope::Reseller { i_reseller }) => Index::Reseller(i_reseller),
            (None, _) => Index::All,
        };
        Ok((index, self.partitions_of(i_customer)))
    }

    fn partitions_of(&self, i_customer: Option<i64>) -> Vec<Partition> {
        let partitions = self.ledger.partitions();
        match i_customer {
            Some(i_customer) => vec![partition_of(i_customer, partitions)],
            None => (0..partitions).collect(),
        }
    }

    /// Everybody who is or was in a conference that the session may see.
    ///
    /// # Errors
    /// `ConferenceNotFound`, or that the store does not answer.
    pub(crate) async fn roster(
        &self,
        session: &Session,
        i_conference: &str,
    ) -> Result<Vec<Participant>, Refusal> {
        let key = conferences_index::key(i_conference);
        let reading = async {
            let partitions = self.partitions_of(session.scope().i_customer());
            let found = partitions.into_iter().map(|partition| self.ledger.get(partition, &key));
            try_join_all(found).await
        };
        let found = within(session, reading).await?;
        let record = found.into_iter().flatten().find_map(|value| {
            ConferenceRecord::decode(value).ok().filter(|it| may_see(session.scope(), it))
        });
        let not_found = || Refusal::ConferenceNotFound(i_conference.to_owned());
        Ok(conferences_index::roster(&record.ok_or_else(not_found)?))
    }
}

fn may_see(scope: &Scope, record: &ConferenceRecord) -> bool {
    let i_customer = record.conference.as_ref().map_or(0, |it| it.i_customer);
    let owner = Owner { i_reseller: record.i_reseller, i_customer };
    scope.reaches(owner) && scope.i_account().is_none_or(|own| record.i_accounts.contains(&own))
}

async fn within<T>(
    session: &Session,
    reading: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Refusal> {
    let late = |_elapsed| Refusal::Store(StoreError { message: "no answer in time".to_owned() });
    timeout_at(session.deadline, reading).await.map_err(late)?.map_err(Refusal::Store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_defaults_and_its_bound() {
        assert_eq!(Window::new(0, 0).cut(0..2_000).len(), 100);
        assert_eq!(Window::new(5_000, -1).cut(0..2_000).len(), 1_000);
        assert_eq!(Window::new(2, 3).cut(0..10), [3, 4]);
    }

    #[test]
    fn an_account_sees_what_it_owned_or_was_in() {
        let conference = Conference { i_customer: 7, ..Conference::default() };
        let record = ConferenceRecord {
            conference: Some(conference),
            i_reseller: 3,
            i_accounts: vec![70],
            ..ConferenceRecord::default()
        };
        let sees = |scope: Scope| may_see(&scope, &record);

        assert!(sees(Scope::Everything) && sees(Scope::Reseller { i_reseller: 3 }));
        assert!(sees(Scope::Customer { i_customer: 7 }));
        assert!(sees(Scope::Account { i_customer: 7, i_account: 70 }));
        assert!(!sees(Scope::Account { i_customer: 7, i_account: 71 }));
        assert!(
            !sees(Scope::Customer { i_customer: 8 }) && !sees(Scope::Reseller { i_reseller: 2 })
        );
    }
}
