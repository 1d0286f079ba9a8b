//! What the lists of the public API have in common.

use mesh::caller::{Caller, Scope};

use crate::domain::directory::{CustomerKey, Directory, Page, Within};
use crate::domain::error::LookupError;
use crate::domain::id::ICustomer;

/// Entries of a list when the request says nothing.
const DEFAULT_LIMIT: i64 = 100;
/// Entries of a list at most.
const MAX_LIMIT: i64 = 1000;

/// The part of a list that was asked for.
pub(super) fn page(limit: i32, offset: i32) -> Page {
    let limit = if limit <= 0 { DEFAULT_LIMIT } else { i64::from(limit).min(MAX_LIMIT) };
    Page { limit, offset: i64::from(offset).max(0) }
}

/// The part of the directory that a caller's list is of: its scope, narrowed to a customer.
pub(super) async fn within(
    directory: &dyn Directory,
    caller: &Caller,
    i_customer: Option<i64>,
) -> Result<Within, LookupError> {
    if let Some(i_customer) = i_customer {
        let key = CustomerKey::ICustomer(ICustomer(i_customer));
        let customer = directory.customer(key).await?;
        if !customer.is_some_and(|customer| caller.scope.reaches(customer.owner())) {
            return Err(LookupError::CustomerNotFound);
        }
    }
    let own = caller.scope.i_customer();
    Ok(Within {
        i_reseller: match caller.scope {
            Scope::Reseller { i_reseller } => Some(i_reseller),
            Scope::Everything | Scope::Customer { .. } | Scope::Account { .. } => None,
        },
        i_customer: i_customer.or(own).map(ICustomer),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_capped_and_has_a_default_length() {
        assert_eq!(page(0, 0), Page { limit: 100, offset: 0 });
        assert_eq!(page(5, 7), Page { limit: 5, offset: 7 });
        assert_eq!(page(5000, -1), Page { limit: 1000, offset: 0 });
    }
}
