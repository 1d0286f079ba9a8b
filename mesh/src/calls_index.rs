//! Where the living legs of calls lie in the store: keys of their records and the indexes that
//! lists read. The engine writes them with each event, whoever ends calls of a lost node removes
//! them, and lists read them; all three ask here.
//!
//! Everything of a customer lies in its partition, [`crate::ledger::partition_of`]. The record of
//! a leg is a [`LegRecord`] under [`leg_key`]; a leg that has ended, or that a transfer has moved to
//! another call, has neither record nor place in an index. Members of an index are keys of records,
//! ordered by the start of the leg.

use std::collections::BTreeSet;
use std::fmt;

use prost::Message as _;
use proto::call::v1::{CallInfo, State};
use proto::switch::v1::LegRecord;

use crate::clock::Timestamp;
use crate::ledger::{IndexChange, StateChange};

/// One sorted index of legs. Its name in the store is its `Display` form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Index<'a> {
    /// Every leg of the partition.
    All,
    /// Legs of a reseller's customers.
    Reseller(i64),
    /// Legs of a customer.
    Customer(i64),
    /// Legs of a customer in one state.
    CustomerState(i64, State),
    /// Every leg of each call that the account is or was a party of.
    Account(i64),
    /// Legs of each call that is or was in the queue.
    Queue(i64),
    /// Legs that a switch node holds.
    Node(&'a str),
    /// Legs of one call.
    Call(&'a str),
}

impl fmt::Display for Index<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Reseller(i_reseller) => write!(formatter, "reseller:{i_reseller}"),
            Self::Customer(i_customer) => write!(formatter, "customer:{i_customer}"),
            Self::CustomerState(i_customer, state) => {
                write!(formatter, "customer:{i_customer}:state:{}", state_name(*state))
            }
            Self::Account(i_account) => write!(formatter, "account:{i_account}"),
            Self::Queue(i_c_queue) => write!(formatter, "queue:{i_c_queue}"),
            Self::Node(node) => write!(formatter, "node:{node}"),
            Self::Call(call_id) => write!(formatter, "call:{call_id}"),
        }
    }
}

/// Key of a leg's record.
#[must_use]
pub fn leg_key(call_id: &str, tag: &str) -> String {
    format!("leg:{call_id}:{tag}")
}

/// The public name of a state, e.g. `connected`.
#[must_use]
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Unspecified => "unspecified",
        State::Trying => "trying",
        State::Ringing => "ringing",
        State::Early => "early",
        State::Connected => "connected",
        State::Held => "held",
        State::Holding => "holding",
        State::Queued => "queued",
        State::Dequeued => "dequeued",
        State::Transferred => "transferred",
        State::Parked => "parked",
        State::Terminated => "terminated",
    }
}

/// What to write so that the store tells of a leg as `next` says. `previous` is what was written
/// of the same leg before; without it every place in an index is written again, which does no
/// harm. A leg that has terminated is removed, and so is one that has moved to another call: it goes
/// on there, under a key of its own.
#[must_use]
pub fn changes(
    previous: Option<&LegRecord>,
    next: &LegRecord,
) -> (Vec<StateChange>, Vec<IndexChange>) {
    let key = key_of(next);
    let (before, score_before) = previous.map_or_else(Default::default, places);
    let (mut after, score) = places(next);
    if has_left(next) {
        let gone = before.union(&after).cloned();
        let index = gone.map(|index| IndexChange::Remove { index, member: key.clone() }).collect();
        return (vec![StateChange::Delete { key }], index);
    }
    let left: Vec<_> = before.difference(&after).cloned().collect();
    if previous.is_some() && score_before == score {
        after.retain(|index| !before.contains(index));
    }
    let added = |index| IndexChange::Add { index, member: key.clone(), score };
    let removed = |index| IndexChange::Remove { index, member: key.clone() };
    let index = left.into_iter().map(removed).chain(after.into_iter().map(added)).collect();
    let value = next.encode_to_vec().into();
    (vec![StateChange::Put { key: key.clone(), value, ttl: None }], index)
}

/// Key of the record, from what it says of itself.
#[must_use]
pub fn key_of(record: &LegRecord) -> String {
    let call = record.call_info.as_ref().and_then(|info| info.call.as_ref());
    leg_key(
        call.map_or("", |call| call.id.as_str()),
        call.and_then(|call| call.tag.as_deref()).unwrap_or(""),
    )
}

/// Where the event is posted that tells the record.
#[must_use]
pub fn callbacks(record: &LegRecord) -> Vec<String> {
    let Some(callback) = &record.callback else { return Vec::new() };
    let state = record.call_info.as_ref().map_or(State::Unspecified, CallInfo::state);
    let is_wanted = callback.states.is_empty() || callback.states().any(|wanted| wanted == state);
    if is_wanted { vec![callback.url.clone()] } else { Vec::new() }
}

/// Whole seconds since the leg was connected, as a call object shows them at `now`.
#[must_use]
pub fn duration_seconds(info: &CallInfo, now: Timestamp) -> i64 {
    let Some(connect_time) = info.connect_time else { return 0 };
    let connected = now.since(Timestamp::from_micros(connect_time));
    i64::try_from(connected.as_secs()).unwrap_or(i64::MAX)
}

/// True when nothing more comes of the leg under this call's id: it has ended, or a transfer has
/// moved it. The transferor's own leg is `transferred` too, but ends here.
fn has_left(record: &LegRecord) -> bool {
    record.call_info.as_ref().is_some_and(|info| match info.state() {
        State::Terminated => true,
        State::Transferred => info.moved_to.is_some(),
        _ => false,
    })
}

/// The indexes in which a living leg is, and its place in them.
fn places(record: &LegRecord) -> (BTreeSet<String>, i64) {
    let Some(info) = &record.call_info else { return Default::default() };
    let call_id = info.call.as_ref().map_or("", |call| call.id.as_str());
    let fixed = [
        Index::All,
        Index::Customer(info.i_customer),
        Index::CustomerState(info.i_customer, info.state()),
        Index::Node(&record.node),
        Index::Call(call_id),
    ];
    let reseller = (record.i_reseller != 0).then_some(Index::Reseller(record.i_reseller));
    let accounts = record.i_accounts.iter().copied().map(Index::Account);
    let queues = record.i_c_queues.iter().copied().map(Index::Queue);
    let all = fixed.into_iter().chain(reseller).chain(accounts).chain(queues);
    (all.map(|index| index.to_string()).collect(), info.start_time)
}

#[cfg(test)]
mod tests {
    use proto::call::v1::CallRef;
    use proto::switch::v1::StateCallback;

    use super::*;

    fn record(state: State) -> LegRecord {
        LegRecord {
            call_info: Some(CallInfo {
                call: Some(CallRef { id: "node-1.c1".to_owned(), tag: Some("t1".to_owned()) }),
                state: state.into(),
                i_customer: 7,
                start_time: 1_000_000,
                ..CallInfo::default()
            }),
            i_reseller: 3,
            i_accounts: vec![1, 2],
            access_numbers: Vec::new(),
            i_c_queues: vec![9],
            node: "node-1".to_owned(),
            ..LegRecord::default()
        }
    }

    fn added(changes: &[IndexChange]) -> Vec<&str> {
        let added = changes.iter().filter_map(|change| match change {
            IndexChange::Add { index, member, score } => {
                assert_eq!((member.as_str(), *score), ("leg:node-1.c1:t1", 1_000_000));
                Some(index.as_str())
            }
            IndexChange::Remove { .. } => None,
        });
        added.collect()
    }

    fn removed(changes: &[IndexChange]) -> Vec<&str> {
        let removed = changes.iter().filter_map(|change| match change {
            IndexChange::Remove { index, .. } => Some(index.as_str()),
            IndexChange::Add { .. } => None,
        });
        removed.collect()
    }

    const EVERYWHERE: [&str; 9] = [
        "account:1",
        "account:2",
        "all",
        "call:node-1.c1",
        "customer:7",
        "customer:7:state:ringing",
        "node:node-1",
        "queue:9",
        "reseller:3",
    ];

    #[test]
    fn only_states_that_are_wanted_are_posted() {
        let of = |states: Vec<State>| {
            let states = states.into_iter().map(i32::from).collect();
            let callback = Some(StateCallback { url: "u".to_owned(), states });
            callbacks(&LegRecord { callback, ..record(State::Ringing) })
        };

        assert_eq!(of(vec![]), ["u"]);
        assert_eq!(of(vec![State::Held, State::Ringing]), ["u"]);
        assert!(of(vec![State::Connected]).is_empty());
        assert!(callbacks(&record(State::Ringing)).is_empty());
    }

    #[test]
    fn a_new_leg_is_in_every_index() {
        let next = record(State::Ringing);

        let (state, index) = changes(None, &next);

        assert!(matches!(&state[..], [StateChange::Put { key, value, ttl: None }]
                if key == "leg:node-1.c1:t1" && LegRecord::decode(&value[..]).unwrap() == next));
        assert_eq!(added(&index), EVERYWHERE);
        assert!(removed(&index).is_empty());
    }

    #[test]
    fn a_new_state_moves_the_leg_between_two_indexes_only() {
        let (_, index) = changes(Some(&record(State::Ringing)), &record(State::Connected));

        assert_eq!(removed(&index), ["customer:7:state:ringing"]);
        assert_eq!(added(&index), ["customer:7:state:connected"]);
    }

    #[test]
    fn a_terminated_leg_leaves_no_trace() {
        let (state, index) = changes(Some(&record(State::Ringing)), &record(State::Terminated));

        assert_eq!(state, [StateChange::Delete { key: "leg:node-1.c1:t1".to_owned() }]);
        assert!(EVERYWHERE.iter().all(|name| removed(&index).contains(name)));
        assert!(added(&index).is_empty());
    }

    /// As [`record`], on its way to another call.
    fn transferred(moved_to: Option<&str>) -> LegRecord {
        let mut record = record(State::Transferred);
        if let Some(info) = &mut record.call_info {
            info.moved_to = moved_to.map(|id| CallRef { id: id.to_owned(), tag: None });
        }
        record
    }

    #[test]
    fn a_leg_that_moves_to_another_call_leaves_no_trace_in_this_one() {
        for previous in [None, Some(record(State::Connected))] {
            let (state, index) = changes(previous.as_ref(), &transferred(Some("node-1.c2")));

            assert_eq!(state, [StateChange::Delete { key: "leg:node-1.c1:t1".to_owned() }]);
            let removed = removed(&index);
            let elsewhere = EVERYWHERE.iter().filter(|name| !name.ends_with("ringing"));
            assert!(elsewhere.clone().all(|name| removed.contains(name)), "{removed:?}");
            let before = previous.map(|_| "customer:7:state:connected");
            assert!(before.is_none_or(|name| removed.contains(&name)), "{removed:?}");
            assert!(added(&index).is_empty());
        }
    }

    #[test]
    fn a_transferor_s_leg_is_listed_until_it_ends() {
        let (state, index) = changes(Some(&record(State::Connected)), &transferred(None));

        assert!(matches!(&state[..], [StateChange::Put { .. }]));
        assert_eq!(removed(&index), ["customer:7:state:connected"]);
        assert_eq!(added(&index), ["customer:7:state:transferred"]);
    }

    #[test]
    fn a_customer_of_the_operator_is_in_no_index_of_a_reseller() {
        let (_, index) = changes(None, &LegRecord { i_reseller: 0, ..record(State::Early) });

        assert!(added(&index).iter().all(|name| !name.starts_with("reseller:")));
    }
}
