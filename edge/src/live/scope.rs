//! Whose events a subscription is about.

use mesh::caller::Scope as Reach;
use proto::notifier::v1 as wire;
use proto::notifier::v1::scope::Of;

/// Whose events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// All of the environment.
    Everything,
    /// All customers of a reseller.
    Reseller(i64),
    /// One customer.
    Customer(i64),
    /// One account.
    Account {
        /// Its customer.
        i_customer: i64,
        /// The account.
        i_account: i64,
    },
    /// One access number.
    AccessNumber {
        /// Its customer.
        i_customer: i64,
        /// The number.
        access_number: String,
    },
    /// One queue.
    Queue {
        /// Its customer.
        i_customer: i64,
        /// The queue.
        i_c_queue: i64,
    },
}

impl Scope {
    /// All that a session may see.
    pub(crate) const fn own(reach: &Reach) -> Self {
        match *reach {
            Reach::Everything => Self::Everything,
            Reach::Reseller { i_reseller } => Self::Reseller(i_reseller),
            Reach::Customer { i_customer } => Self::Customer(i_customer),
            Reach::Account { i_customer, i_account } => Self::Account { i_customer, i_account },
        }
    }

    /// The customer of a scope within one; such a scope has one place in the log.
    pub(crate) const fn i_customer(&self) -> Option<i64> {
        match *self {
            Self::Everything | Self::Reseller(_) => None,
            Self::Customer(i_customer)
            | Self::Account { i_customer, .. }
            | Self::AccessNumber { i_customer, .. }
            | Self::Queue { i_customer, .. } => Some(i_customer),
        }
    }

    /// Names the scope, the same in every version: subscription ids are made from it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Everything => "everything".to_owned(),
            Self::Reseller(i_reseller) => format!("reseller:{i_reseller}"),
            Self::Customer(i_customer) => format!("customer:{i_customer}"),
            Self::Account { i_account, .. } => format!("account:{i_account}"),
            Self::AccessNumber { access_number, .. } => format!("access_number:{access_number}"),
            Self::Queue { i_c_queue, .. } => format!("queue:{i_c_queue}"),
        }
    }

    /// As the notifier wants it.
    pub(crate) fn to_wire(&self) -> wire::Scope {
        let of = match self.clone() {
            Self::Everything => Of::Everything(true),
            Self::Reseller(i_reseller) => Of::IReseller(i_reseller),
            Self::Customer(i_customer) => Of::ICustomer(i_customer),
            Self::Account { i_customer, i_account } => {
                Of::Account(wire::AccountScope { i_customer, i_account })
            }
            Self::AccessNumber { i_customer, access_number } => {
                Of::AccessNumber(wire::AccessNumberScope { i_customer, access_number })
            }
            Self::Queue { i_customer, i_c_queue } => {
                Of::Queue(wire::QueueScope { i_customer, i_c_queue })
            }
        };
        wire::Scope { of: Some(of) }
    }
}
