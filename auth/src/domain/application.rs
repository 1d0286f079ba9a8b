//! IVR applications and the numbers that lead to them.

use crate::domain::id::{IAccount, ICustomer, IIvrApplication};
use crate::domain::party::{Account, OnAppGone};

/// The only type of application.
pub const USER_APPLICATION: &str = "User Application";

/// An application that answers calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IvrApplication {
    /// Key.
    pub i_ivr_application: IIvrApplication,
    /// Name, unique within the customer.
    pub name: String,
    /// The account that owns it and pays for its calls.
    pub owner: Account,
    /// True when the option `user_application` of the owner is on.
    pub is_enabled: bool,
    /// What becomes of its calls when it has gone.
    pub on_app_gone: OnAppGone,
}

/// An application to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApplication {
    /// Name.
    pub name: String,
    /// The owner.
    pub owner: IAccount,
    /// What becomes of its calls when it has gone.
    pub on_app_gone: OnAppGone,
}

/// A number that leads to an application, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessNumberEntry {
    /// The number.
    pub number: String,
    /// The application.
    pub i_ivr_application: IIvrApplication,
    /// Name of the application.
    pub name: String,
    /// The owner.
    pub i_account: IAccount,
    /// The owner's id.
    pub account_id: String,
    /// The owner's environment.
    pub i_customer: ICustomer,
}

/// Which numbers an application may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Those allocated to its customer.
    Allocated,
    /// Those, and any that is nobody's.
    AnyFree,
}

/// What became of the wish to lead a number to an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// It leads there, perhaps since before.
    There,
    /// It is not one of the numbers to choose from.
    NotAllocated,
    /// It leads elsewhere.
    Elsewhere,
}
