//! Whose events a stream wants, who may have them, and which events they are.

use mesh::caller::{Caller, Scope as Realm};
use mesh::ledger::{Partition, partition_of};
use proto::options::v1::{Component, Level};

use super::entry::Head;

/// Whose events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// All of the environment.
    Everything,
    /// All customers of a reseller.
    Reseller {
        /// The reseller.
        i_reseller: i64,
    },
    /// One customer.
    Customer {
        /// The customer.
        i_customer: i64,
    },
    /// One account's calls, queues and conferences.
    Account {
        /// Its customer.
        i_customer: i64,
        /// The account.
        i_account: i64,
    },
    /// Calls through one access number.
    AccessNumber {
        /// Its customer.
        i_customer: i64,
        /// The number.
        access_number: String,
    },
    /// Calls in one queue.
    Queue {
        /// Its customer.
        i_customer: i64,
        /// The queue.
        i_c_queue: i64,
    },
}

impl Scope {
    /// The one customer to whom all its events belong; `None` for a wide scope.
    pub(crate) const fn i_customer(&self) -> Option<i64> {
        match *self {
            Self::Everything | Self::Reseller { .. } => None,
            Self::Customer { i_customer }
            | Self::Account { i_customer, .. }
            | Self::AccessNumber { i_customer, .. }
            | Self::Queue { i_customer, .. } => Some(i_customer),
        }
    }

    /// The partitions, of `partitions`, in which its events stand, ascending.
    pub(crate) fn covers(&self, partitions: u32) -> std::ops::Range<Partition> {
        match self.i_customer() {
            Some(i_customer) => {
                let partition = partition_of(i_customer, partitions);
                partition..partition + 1
            }
            None => 0..partitions,
        }
    }

    /// True when the event belongs to the scope.
    pub(crate) fn matches(&self, head: &Head) -> bool {
        if self.i_customer().is_some_and(|i_customer| i_customer != head.i_customer) {
            return false;
        }
        match self {
            Self::Everything | Self::Customer { .. } => true,
            Self::Reseller { i_reseller } => *i_reseller == head.i_reseller,
            Self::Account { i_account, .. } => head.i_accounts.contains(i_account),
            Self::AccessNumber { access_number, .. } => head.access_numbers.contains(access_number),
            Self::Queue { i_c_queue, .. } => head.i_c_queues.contains(i_c_queue),
        }
    }
}

/// What a caller gets of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// What was asked for.
    pub(crate) scope: Scope,
    /// Set for a reseller: only the events of its own customers. Which reseller a customer
    /// belongs to stands in each event and nowhere else here, so a foreign customer looks like
    /// one that never calls.
    pub(crate) within: Option<i64>,
}

impl Access {
    /// True when the caller gets the event.
    pub(crate) fn matches(&self, head: &Head) -> bool {
        self.within.is_none_or(|i_reseller| i_reseller == head.i_reseller)
            && self.scope.matches(head)
    }
}

/// The caller may not have the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope is not the caller's")]
pub(crate) struct Denied;

/// Checks the scope against the caller's realm and role, anew wherever events are handed out.
///
/// Whether an access number or a queue is the customer's, and the account's to see, was asked of
/// auth by the edge: here they are known by name only, and only events of the caller's own
/// customer carry them.
pub(crate) fn admit(caller: &Caller, scope: Scope) -> Result<Access, Denied> {
    if !caller.may(Component::CallControl, Level::Read) {
        return Err(Denied);
    }
    let within = match caller.scope {
        Realm::Reseller { i_reseller } => Some(i_reseller),
        Realm::Everything | Realm::Customer { .. } | Realm::Account { .. } => None,
    };
    let is_own = match caller.scope {
        Realm::Everything => true,
        Realm::Reseller { i_reseller: own } => match scope {
            Scope::Everything => false,
            Scope::Reseller { i_reseller } => i_reseller == own,
            Scope::Customer { .. }
            | Scope::Account { .. }
            | Scope::AccessNumber { .. }
            | Scope::Queue { .. } => true,
        },
        Realm::Customer { i_customer } => scope.i_customer() == Some(i_customer),
        Realm::Account { i_customer, i_account: own } => {
            scope.i_customer() == Some(i_customer)
                && match scope {
                    Scope::Account { i_account, .. } => i_account == own,
                    Scope::AccessNumber { .. } | Scope::Queue { .. } => true,
                    Scope::Everything | Scope::Reseller { .. } | Scope::Customer { .. } => false,
                }
        }
    };
    if is_own { Ok(Access { scope, within }) } else { Err(Denied) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scope: Realm) -> Caller {
        Caller {
            session_id: "s".to_owned(),
            user: "u".to_owned(),
            login: "l".to_owned(),
            scope,
            role: "r".to_owned(),
            permissions: vec![(Component::CallControl, Level::Read)],
            is_super_user: false,
            epoch: 0,
            expires_at: 0,
        }
    }

    const CUSTOMER: Scope = Scope::Customer { i_customer: 7 };
    const ACCOUNT: Scope = Scope::Account { i_customer: 7, i_account: 70 };
    const QUEUE: Scope = Scope::Queue { i_customer: 7, i_c_queue: 3 };
    const RESELLER: Scope = Scope::Reseller { i_reseller: 2 };

    fn number() -> Scope {
        Scope::AccessNumber { i_customer: 7, access_number: "1".to_owned() }
    }

    fn scopes() -> [Scope; 6] {
        [Scope::Everything, RESELLER, CUSTOMER, ACCOUNT, number(), QUEUE]
    }

    fn admitted(realm: Realm) -> Vec<Scope> {
        let caller = caller(realm);
        scopes().into_iter().filter(|scope| admit(&caller, scope.clone()).is_ok()).collect()
    }

    #[test]
    fn each_realm_gets_its_own_and_what_is_below() {
        assert_eq!(admitted(Realm::Everything), scopes());
        assert_eq!(admitted(Realm::Reseller { i_reseller: 2 }), scopes()[1..]);
        assert_eq!(admitted(Realm::Customer { i_customer: 7 }), scopes()[2..]);
        assert_eq!(admitted(Realm::Account { i_customer: 7, i_account: 70 }), scopes()[3..]);
    }

    #[test]
    fn nobody_gets_a_foreign_scope() {
        assert_eq!(admitted(Realm::Customer { i_customer: 8 }), []);
        assert_eq!(admitted(Realm::Account { i_customer: 8, i_account: 70 }), []);
        let other_account = Realm::Account { i_customer: 7, i_account: 71 };
        assert_eq!(admitted(other_account), [number(), QUEUE]);
        assert!(!admitted(Realm::Reseller { i_reseller: 3 }).contains(&RESELLER));
    }

    #[test]
    fn a_role_without_call_control_gets_nothing() {
        let permissions = vec![(Component::Xdrs, Level::Modify)];
        let caller = Caller { permissions, ..caller(Realm::Everything) };

        assert_eq!(admit(&caller, Scope::Everything), Err(Denied));
    }

    #[test]
    fn a_reseller_sees_nothing_of_a_foreign_customer() {
        let access = admit(&caller(Realm::Reseller { i_reseller: 2 }), CUSTOMER).unwrap();

        let head = |i_reseller| Head { i_customer: 7, i_reseller, ..Head::default() };
        assert!(access.matches(&head(2)));
        assert!(!access.matches(&head(3)));
        assert!(!access.matches(&head(0)));
    }

    #[test]
    fn a_scope_matches_the_events_that_name_it() {
        let head = Head {
            i_customer: 7,
            i_reseller: 2,
            i_accounts: vec![70, 71],
            access_numbers: vec!["1".to_owned()],
            i_c_queues: vec![3],
            ..Head::default()
        };
        assert!(scopes().iter().all(|scope| scope.matches(&head)));

        let of_another = Head { i_customer: 8, ..head.clone() };
        let matched: Vec<_> = scopes().into_iter().filter(|it| it.matches(&of_another)).collect();
        assert_eq!(matched, [Scope::Everything, RESELLER]);

        let bare = Head { i_customer: 7, ..Head::default() };
        let matched: Vec<_> = scopes().into_iter().filter(|it| it.matches(&bare)).collect();
        assert_eq!(matched, [Scope::Everything, CUSTOMER]);
    }

    #[test]
    fn a_wide_scope_covers_all_partitions_and_another_one() {
        assert_eq!(Scope::Everything.covers(16), 0..16);
        assert_eq!(RESELLER.covers(1), 0..1);
        for scope in [CUSTOMER, ACCOUNT, number(), QUEUE] {
            let partition = partition_of(7, 16);
            assert_eq!(scope.covers(16), partition..partition + 1);
        }
    }
}
