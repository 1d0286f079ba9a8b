//! Customers, accounts, hunt groups and IVR applications as the directory keeps them.

use mesh::caller::Owner;

use crate::domain::id::{IAccount, ICGroup, ICQueue, ICustomer, IIvrApplication, IReseller};

/// A phone line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Key.
    pub i_account: IAccount,
    /// Its id, which is its number.
    pub id: String,
    /// Name of who uses it.
    pub name: String,
    /// Its environment.
    pub i_customer: ICustomer,
    /// The reseller above.
    pub i_reseller: Option<IReseller>,
    /// True when it, its customer or its reseller is blocked.
    pub is_blocked: bool,
    /// True when its product has a rating entry with the access code `INCOMING`: it may connect
    /// two numbers.
    pub may_connect_two: bool,
    /// What happens to a call to it about which no application decides.
    pub decision: Option<Decision>,
}

impl Account {
    /// Where it lies.
    #[must_use]
    pub fn owner(&self) -> Owner {
        owner(self.i_customer, self.i_reseller)
    }
}

/// A phone line with what lists of accounts show beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDetails {
    /// The line.
    pub account: Account,
    /// Its login; absent when nobody can log in as it.
    pub login: Option<String>,
    /// Name of its product.
    pub product: Option<String>,
    /// The option `conferencing` of the account, else of its product.
    pub has_conferencing: bool,
    /// The option `user_application` of the account, else of its product.
    pub has_user_application: bool,
}

/// A PBX environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Key.
    pub i_customer: ICustomer,
    /// Name.
    pub name: String,
    /// Login; absent when nobody can log in as it.
    pub login: Option<String>,
    /// The reseller above.
    pub i_reseller: Option<IReseller>,
    /// Currency of its charges, ISO 4217.
    pub currency: String,
    /// True when it or its reseller is blocked.
    pub is_blocked: bool,
}

impl Customer {
    /// Where it lies.
    #[must_use]
    pub fn owner(&self) -> Owner {
        owner(self.i_customer, self.i_reseller)
    }
}

/// Whether an account may place calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It, its customer or its reseller is blocked.
    pub is_blocked: bool,
    /// Of its own credit and of its customer's something is left that is neither owed nor held for
    /// charges that run.
    pub has_credit: bool,
}

impl Standing {
    /// True when calls of the account are refused.
    #[must_use]
    pub const fn refuses(self) -> bool {
        self.is_blocked || !self.has_credit
    }
}

/// A group of accounts behind one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuntGroup {
    /// Key.
    pub i_c_group: ICGroup,
    /// Its number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub i_customer: ICustomer,
    /// The reseller above.
    pub i_reseller: Option<IReseller>,
    /// Its queue.
    pub queue: Option<CallQueue>,
    /// What happens to a call to it about which no application decides.
    pub decision: Option<Decision>,
    /// Its members, in directory order.
    pub members: Vec<Member>,
}

impl HuntGroup {
    /// Where it lies.
    #[must_use]
    pub fn owner(&self) -> Owner {
        owner(self.i_customer, self.i_reseller)
    }
}

/// Where callers of a hunt group wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallQueue {
    /// Key.
    pub i_c_queue: ICQueue,
    /// Name.
    pub name: String,
    /// How it deals with calls.
    pub rules: QueueRules,
}

/// How a queue deals with calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRules {
    /// Offers a call to all free agents at once, instead of to the one that is idle longest.
    pub ring_all: bool,
    /// Seconds that an agent's phone rings.
    pub agent_timeout: i64,
    /// Calls that may wait; 0 for any number.
    pub max_waiting: i64,
    /// Seconds that a call may wait; 0 for as long as it takes.
    pub max_wait: i64,
    /// Number for calls that find no place, wait too long or find no agent.
    pub overflow: Option<String>,
}

impl Default for QueueRules {
    fn default() -> Self {
        Self { ring_all: false, agent_timeout: 15, max_waiting: 0, max_wait: 0, overflow: None }
    }
}

/// Where a call goes about which no application has decided in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Seconds that applications have.
    pub timeout: i64,
    /// The number.
    pub fallback: String,
}

/// An account in a hunt group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: Account,
    /// True while it takes part.
    pub is_active: bool,
}

/// What becomes of calls under way when an application has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAppGone {
    /// The caller hears the fallback prompt and is released.
    #[default]
    Fallback,
    /// The call is released.
    Terminate,
    /// The call goes on.
    Continue,
}

impl OnAppGone {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Terminate => "terminate",
            Self::Continue => "continue",
        }
    }
}

impl std::str::FromStr for OnAppGone {
    type Err = crate::domain::access::UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "fallback" => Ok(Self::Fallback),
            "terminate" => Ok(Self::Terminate),
            "continue" => Ok(Self::Continue),
            _ => Err(crate::domain::access::UnknownWord {
                expected: "`fallback`, `terminate`, `continue`",
            }),
        }
    }
}

/// A number that leads to an IVR application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessNumber {
    /// The number.
    pub number: String,
    /// The application.
    pub i_ivr_application: IIvrApplication,
    /// The account that owns and pays for it.
    pub application_owner: Account,
    /// True when the option `user_application` of the owner is on.
    pub is_enabled: bool,
    /// What becomes of calls under way when the application has gone.
    pub on_app_gone: OnAppGone,
}

/// What a number of the directory leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An account's id or one of its further numbers.
    Account(Account),
    /// A hunt group.
    HuntGroup(HuntGroup),
    /// An IVR application.
    AccessNumber(AccessNumber),
    /// Nothing yet: the number is allocated to a customer and free.
    Allocated(Owner),
}

impl Entry {
    /// Where it lies.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            Self::Account(account) => account.owner(),
            Self::HuntGroup(group) => group.owner(),
            Self::AccessNumber(number) => number.application_owner.owner(),
            Self::Allocated(owner) => *owner,
        }
    }
}

pub(crate) fn owner(i_customer: ICustomer, i_reseller: Option<IReseller>) -> Owner {
    Owner { i_reseller: i_reseller.map_or(0, |reseller| reseller.0), i_customer: i_customer.0 }
}
