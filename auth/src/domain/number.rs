//! What a dialled number is.
//!
//! A number of the directory leads to one thing only, in whatever environment it is dialled.
//! A number outside the directory with 7 to 15 digits is of the public network.

use crate::domain::id::ICustomer;
use crate::domain::party::{AccessNumber, Account, Entry, HuntGroup};

/// Fewest digits of a number of the public network.
const PSTN_MIN_DIGITS: usize = 7;
/// Most digits of a number of the public network (E.164).
const PSTN_MAX_DIGITS: usize = 15;

/// Where a dialled number leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To an account of the same environment, or, for a trunk call, of any.
    Account(Account),
    /// To an account of another environment.
    ForeignAccount(Account),
    /// To the public network, under this number.
    Pstn(String),
    /// To a hunt group.
    HuntGroup(HuntGroup),
    /// To an IVR application.
    AccessNumber(AccessNumber),
    /// Nowhere.
    Nowhere,
}

/// From where a number is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From an environment.
    Customer(ICustomer),
    /// From a trunk.
    Trunk,
}

/// The form in which the directory keeps numbers: without the international prefix `+`.
#[must_use]
pub fn normalise(dialled: &str) -> &str {
    dialled.strip_prefix('+').unwrap_or(dialled)
}

/// Most characters of a number.
pub const MAX_NUMBER_CHARS: usize = 32;

/// True for a number that the directory can have: digits, `*` and `#`, in its normal form.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"*#".contains(&byte);
    !text.is_empty() && text.len() <= MAX_NUMBER_CHARS && text.bytes().all(is_plain)
}

/// Routes a number, given what the directory has under its normal form.
#[must_use]
pub fn route(origin: Origin, dialled: &str, entry: Option<Entry>) -> Route {
    match entry {
        Some(Entry::Account(account)) => match origin {
            Origin::Customer(i_customer) if i_customer != account.i_customer => {
                Route::ForeignAccount(account)
            }
            Origin::Customer(_) | Origin::Trunk => Route::Account(account),
        },
        Some(Entry::HuntGroup(group)) => Route::HuntGroup(group),
        Some(Entry::AccessNumber(number)) => Route::AccessNumber(number),
        Some(Entry::Allocated(_)) => Route::Nowhere,
        None => public_number(origin, dialled),
    }
}

fn public_number(origin: Origin, dialled: &str) -> Route {
    let digits = normalise(dialled);
    let is_public = (PSTN_MIN_DIGITS..=PSTN_MAX_DIGITS).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    // What comes in from a trunk never goes out to one: nobody would own or pay for the call.
    if is_public && origin != Origin::Trunk {
        Route::Pstn(digits.to_owned())
    } else {
        Route::Nowhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::IAccount;

    const HOME: Origin = Origin::Customer(ICustomer(1));

    fn account(i_customer: i64) -> Account {
        Account {
            i_account: IAccount(1),
            id: "101".to_owned(),
            name: "Alice".to_owned(),
            i_customer: ICustomer(i_customer),
            i_reseller: None,
            is_blocked: false,
            may_connect_two: false,
            decision: None,
        }
    }

    #[test]
    fn an_account_is_foreign_when_dialled_from_another_environment() {
        assert_eq!(
            route(HOME, "101", Some(Entry::Account(account(1)))),
            Route::Account(account(1))
        );
        assert_eq!(
            route(HOME, "101", Some(Entry::Account(account(2)))),
            Route::ForeignAccount(account(2))
        );
        assert_eq!(
            route(Origin::Trunk, "101", Some(Entry::Account(account(2)))),
            Route::Account(account(2))
        );
    }

    #[test]
    fn seven_to_fifteen_digits_outside_the_directory_are_public() {
        for (dialled, expected) in [
            ("1234567", Route::Pstn("1234567".to_owned())),
            ("+12065550100", Route::Pstn("12065550100".to_owned())),
            ("123456789012345", Route::Pstn("123456789012345".to_owned())),
            ("123456", Route::Nowhere),
            ("1234567890123456", Route::Nowhere),
            ("++12065550100", Route::Nowhere),
            ("1206555010a", Route::Nowhere),
            ("", Route::Nowhere),
        ] {
            assert_eq!(route(HOME, dialled, None), expected, "{dialled}");
        }
    }

    #[test]
    fn a_trunk_call_never_goes_back_to_the_public_network() {
        assert_eq!(route(Origin::Trunk, "12065550100", None), Route::Nowhere);
    }

    #[test]
    fn an_allocated_number_that_nothing_uses_leads_nowhere() {
        let owner = account(1).owner();

        assert_eq!(route(HOME, "12065550100", Some(Entry::Allocated(owner))), Route::Nowhere);
    }
}
