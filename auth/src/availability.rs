//! What accounts' phones are: read from the store, where the switch keeps it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use mesh::fault::chain;
use mesh::ledger::{Ledger, StoreError};
use mesh::phones_index::{self, AVAILABLE};
use tokio::time::timeout;
use tracing::debug;

/// How long the store may take for a list.
const PATIENCE: Duration = Duration::from_secs(1);

/// Customers of whom the store is asked at the same time.
const AT_ONCE: usize = 16;

/// Asks the store.
#[derive(Clone, Debug)]
pub(crate) struct Phones {
    ledger: Arc<dyn Ledger>,
}

/// What phones are that are not available, by account.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<i64, String>);

impl Phones {
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger }
    }

    /// What the phones of these customers are; `None` while the store does not answer: then
    /// nobody knows.
    pub(crate) async fn of(&self, i_customers: BTreeSet<i64>) -> Option<Known> {
        let asking = futures::stream::iter(i_customers)
            .map(|i_customer| phones_index::of_customer(&*self.ledger, i_customer))
            .buffer_unordered(AT_ONCE)
            .try_fold(HashMap::new(), |mut all, some| async {
                all.extend(some);
                Ok(all)
            });
        let answer = timeout(PATIENCE, asking)
            .await
            .unwrap_or_else(|_elapsed| Err(StoreError { message: "no answer in time".to_owned() }));
        match answer {
            Ok(all) => Some(Known(all)),
            Err(error) => {
                debug!(error = chain(&error), "store does not say which phones are free");
                None
            }
        }
    }
}

impl Known {
    /// What the account's phone is.
    pub(crate) fn of(&self, i_account: i64) -> String {
        self.0.get(&i_account).map_or(AVAILABLE, String::as_str).to_owned()
    }
}
