//! Who takes part in a call.

use super::queue::Decision;
use crate::driver::{Endpoint, Shown};

/// An account of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account.
    pub i_account: i64,
    /// Its id, which is its number.
    pub account_id: String,
    /// Its name.
    pub name: String,
    /// Its environment.
    pub i_customer: i64,
    /// The reseller above; 0 when none.
    pub i_reseller: i64,
    /// What happens to a call here about which no application decides.
    pub decision: Option<Decision>,
}

/// One end of a call as the other end and applications see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The account; absent outside the environment.
    pub i_account: Option<i64>,
    /// Its id.
    pub account_id: Option<String>,
    /// Number.
    pub number: String,
    /// Name; may be empty.
    pub name: String,
    /// The hunt group through which the party was reached.
    pub huntgroup_id: Option<String>,
}

impl Party {
    /// An account of the environment.
    #[must_use]
    pub fn account(account: &Account) -> Self {
        Self {
            i_account: Some(account.i_account),
            account_id: Some(account.account_id.clone()),
            number: account.account_id.clone(),
            name: account.name.clone(),
            huntgroup_id: None,
        }
    }

    /// A number about which nothing more is known.
    #[must_use]
    pub fn number(number: impl Into<String>) -> Self {
        Self { number: number.into(), ..Self::default() }
    }

    /// Somebody outside the environment.
    #[must_use]
    pub fn outside(shown: &Shown) -> Self {
        Self { number: shown.number.clone(), name: shown.name.clone(), ..Self::default() }
    }

    /// What another party is shown of this one.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown { number: self.number.clone(), name: self.name.clone() }
    }
}

/// Where a leg's channel is dialled to.
impl From<&Account> for Endpoint {
    fn from(account: &Account) -> Self {
        Self::Phone { account_id: account.account_id.clone() }
    }
}
