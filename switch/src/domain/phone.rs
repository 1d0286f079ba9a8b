//! Whether phones are free. Pure.
//!
//! What an account's phone is follows from its living legs, over all calls of the customer, and
//! from what the switch says of its registration:
//!
//! | legs of the account | registered | the phone is |
//! | --- | --- | --- |
//! | one is on the line: dialled by its user, or answered and not ended | any | `busy` |
//! | else one rings | any | `ringing` |
//! | none, or only ones that do not ring yet | yes | `available` |
//! | none, or only ones that do not ring yet | no | `unregistered` |

use std::collections::{BTreeMap, BTreeSet};

use super::leg::State;

/// Whether a phone is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Availability {
    /// Free.
    #[default]
    Available,
    /// Rings.
    Ringing,
    /// Its user is on the line.
    Busy,
    /// Cannot be reached.
    Unregistered,
}

impl Availability {
    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Ringing => "ringing",
            Self::Busy => "busy",
            Self::Unregistered => "unregistered",
        }
    }
}

/// What a leg means for its account's phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing: it has not come to the phone yet, or has ended.
    #[default]
    None,
    /// The phone rings.
    Rings,
    /// The user is on the line.
    Talks,
}

impl Use {
    /// Of a leg that shows `state`. `is_user_s`: its user has dialled.
    pub(super) const fn of(state: State, is_user_s: bool) -> Self {
        match state {
            State::Trying if is_user_s => Self::Talks,
            State::Trying | State::Terminated => Self::None,
            State::Ringing => Self::Rings,
            State::Early
            | State::Connected
            | State::Held
            | State::Holding
            | State::Parked
            | State::Queued
            | State::Dequeued
            | State::Transferred => Self::Talks,
        }
    }
}

/// Phones of a customer of which there is something to say.
#[derive(Debug, Default)]
pub(super) struct Phones {
    by_account: BTreeMap<i64, Phone>,
    /// Those that may have changed since they were told.
    touched: BTreeSet<i64>,
}

#[derive(Debug, Default)]
struct Phone {
    account_id: String,
    is_unregistered: bool,
    ringing: usize,
    talking: usize,
    told: Availability,
}

/// A change to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneNews {
    /// The account.
    pub i_account: i64,
    /// Its id.
    pub account_id: String,
    /// What its phone is now.
    pub availability: Availability,
}

impl Phones {
    /// A leg of the account is used otherwise than before.
    pub(super) fn uses(&mut self, i_account: i64, account_id: &str, before: Use, after: Use) {
        let phone = self.at(i_account, account_id);
        for (of, is_more) in [(before, false), (after, true)] {
            let count = match of {
                Use::None => continue,
                Use::Rings => &mut phone.ringing,
                Use::Talks => &mut phone.talking,
            };
            *count = if is_more { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// The switch says whether the phone can be reached.
    pub(super) fn registers(&mut self, i_account: i64, account_id: &str, is_registered: bool) {
        self.at(i_account, account_id).is_unregistered = !is_registered;
    }

    fn at(&mut self, i_account: i64, account_id: &str) -> &mut Phone {
        self.touched.insert(i_account);
        let phone = self.by_account.entry(i_account).or_default();
        if phone.account_id != account_id {
            account_id.clone_into(&mut phone.account_id);
        }
        phone
    }

    /// What has changed since this was asked last.
    pub(super) fn news(&mut self) -> Vec<PhoneNews> {
        let mut news = Vec::new();
        for i_account in std::mem::take(&mut self.touched) {
            let Some(phone) = self.by_account.get_mut(&i_account) else { continue };
            let availability = phone.availability();
            if availability != phone.told {
                phone.told = availability;
                let account_id = phone.account_id.clone();
                news.push(PhoneNews { i_account, account_id, availability });
            }
            if availability == Availability::Available && phone.ringing == 0 {
                self.by_account.remove(&i_account);
            }
        }
        news
    }
}

impl Phone {
    const fn availability(&self) -> Availability {
        match self {
            Self { talking: 1.., .. } => Availability::Busy,
            Self { ringing: 1.., .. } => Availability::Ringing,
            Self { is_unregistered: true, .. } => Availability::Unregistered,
            Self { .. } => Availability::Available,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uses() -> impl Strategy<Value = Use> {
        prop_oneof![Just(Use::None), Just(Use::Rings), Just(Use::Talks)]
    }

    proptest! {
        /// The table of the module, over any history: only changes are told, and after each step
        /// what was told last is what the table says.
        #[test]
        fn a_phone_is_what_its_legs_and_registration_make_it(
            steps in prop::collection::vec((0..3_usize, uses(), any::<bool>(), any::<bool>()), 1..40)
        ) {
            let mut phones = Phones::default();
            let (mut legs, mut is_registered) = ([Use::None; 3], true);
            let mut told = Availability::Available;
            for (leg, after, registers, now_registered) in steps {
                if registers {
                    is_registered = now_registered;
                    phones.registers(1, "101", is_registered);
                } else {
                    phones.uses(1, "101", legs[leg], after);
                    legs[leg] = after;
                }
                let expected = if legs.contains(&Use::Talks) {
                    Availability::Busy
                } else if legs.contains(&Use::Rings) {
                    Availability::Ringing
                } else if is_registered {
                    Availability::Available
                } else {
                    Availability::Unregistered
                };

                let news = phones.news();

                prop_assert_eq!(news.len(), usize::from(expected != told));
                for item in news {
                    prop_assert_eq!(item.account_id.as_str(), "101");
                    told = item.availability;
                }
                prop_assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn nothing_is_kept_of_a_phone_that_is_free() {
        let mut phones = Phones::default();
        phones.uses(1, "101", Use::None, Use::Rings);
        assert_eq!(phones.news().len(), 1);
        phones.uses(1, "101", Use::Rings, Use::None);
        assert_eq!(phones.news().len(), 1);
        assert!(phones.by_account.is_empty());
    }
}
