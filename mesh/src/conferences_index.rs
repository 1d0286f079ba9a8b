//! Where conferences lie in the store: keys of their records and the indexes that lists read. The
//! engine writes them, whoever ends the calls of a lost node ends its conferences too, and lists
//! and rosters read them.
//!
//! Everything of a customer lies in its partition. A conference is one record, its participants
//! included. One that has ended is in no index, and its record stays for a day.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use prost::Message as _;
use proto::conference::v1::{ConferenceState, Interval, Participant, ParticipantState};
use proto::switch::v1::{ConferenceRecord, ParticipantRecord};

use crate::clock::Timestamp;
use crate::ledger::{IndexChange, StateChange};

/// How long a conference that has ended is kept.
pub const KEPT: Duration = Duration::from_hours(24);

/// One sorted index of conferences that go on, newest first. Its name in the store is its `Display` form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Index<'a> {
    /// Every conference of the partition.
    All,
    /// Those of a reseller's customers.
    Reseller(i64),
    /// Those of a customer.
    Customer(i64),
    /// Those that the account owned or was in.
    Account(i64),
    /// Those that a switch node holds.
    Node(&'a str),
}

impl fmt::Display for Index<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("conferences:all"),
            Self::Reseller(i_reseller) => write!(formatter, "conferences:reseller:{i_reseller}"),
            Self::Customer(i_customer) => write!(formatter, "conferences:customer:{i_customer}"),
            Self::Account(i_account) => write!(formatter, "conferences:account:{i_account}"),
            Self::Node(node) => write!(formatter, "conferences:node:{node}"),
        }
    }
}

/// Key of a conference's record.
#[must_use]
pub fn key(i_conference: &str) -> String {
    format!("conference:{i_conference}")
}

/// What to write so that the store tells of a conference as `record` says.
#[must_use]
pub fn changes(record: &ConferenceRecord) -> (StateChange, Vec<IndexChange>) {
    let Some(conference) = &record.conference else {
        return (StateChange::Delete { key: key("") }, Vec::new());
    };
    let key = key(&conference.i_conference);
    let has_ended = conference.state() == ConferenceState::Ended;
    let reseller = (record.i_reseller != 0).then_some(Index::Reseller(record.i_reseller));
    let accounts = record.i_accounts.iter().copied().map(Index::Account);
    let node = Index::Node(&record.node);
    let places = [Index::All, Index::Customer(conference.i_customer)].into_iter();
    let places = places.chain(reseller).chain(accounts).chain([node]);
    let index = places.map(|place| {
        let (index, member) = (place.to_string(), key.clone());
        if has_ended {
            IndexChange::Remove { index, member }
        } else {
            // Ascending order is newest first.
            IndexChange::Add { index, member, score: -conference.create_time }
        }
    });
    let index = index.collect();
    let ttl = has_ended.then_some(KEPT);
    (StateChange::Put { key, value: record.encode_to_vec().into(), ttl }, index)
}

/// The record of a conference whose node is lost: it has ended, and everybody has left.
#[must_use]
pub fn ended(record: &ConferenceRecord, now: Timestamp) -> ConferenceRecord {
    let mut ended = record.clone();
    let now = now.as_micros();
    if let Some(conference) = &mut ended.conference {
        conference.set_state(ConferenceState::Ended);
        conference.end_time.get_or_insert(now);
    }
    for one in &mut ended.participants {
        (one.speaks, one.listens) = (false, false);
        one.beside.clear();
        one.except.clear();
        if let Some(participant) = &mut one.participant {
            leave(participant, now);
        }
    }
    ended
}

fn leave(participant: &mut Participant, now: i64) {
    let state = match participant.state() {
        ParticipantState::Joined | ParticipantState::Held => ParticipantState::Left,
        ParticipantState::Invited | ParticipantState::Unspecified => ParticipantState::Failed,
        ParticipantState::Left | ParticipantState::Failed => return,
    };
    participant.set_state(state);
    participant.leave_time = Some(now);
    let open = |interval: &&mut Interval| interval.end_time.is_none();
    for interval in participant.intervals.iter_mut().filter(open) {
        interval.end_time = Some(now);
    }
}

/// The participants as they are shown, with whom each hears and who hears it.
#[must_use]
pub fn roster(record: &ConferenceRecord) -> Vec<Participant> {
    let id = |one: &ParticipantRecord| {
        one.participant.as_ref().map(|it| it.participant.clone()).unwrap_or_default()
    };
    let speakers: Vec<String> = record.participants.iter().filter(|it| it.speaks).map(id).collect();
    let hears = |one: &ParticipantRecord| -> BTreeSet<String> {
        if !one.listens {
            return BTreeSet::new();
        }
        let own = id(one);
        let room = speakers.iter().filter(|it| **it != own && !one.except.contains(it));
        room.chain(&one.beside).cloned().collect()
    };
    let heard: Vec<(String, BTreeSet<String>)> =
        record.participants.iter().map(|one| (id(one), hears(one))).collect();
    let shown = record.participants.iter().zip(&heard).filter_map(|(one, (own, hears))| {
        let is_living = matches!(
            one.participant.as_ref()?.state(),
            ParticipantState::Invited | ParticipantState::Joined | ParticipantState::Held
        );
        let by = heard.iter().filter(|(_, ears)| is_living && ears.contains(own));
        let mut participant = one.participant.clone()?;
        participant.heard_by = by.map(|(listener, _)| listener.clone()).collect();
        participant.hears = hears.iter().cloned().collect();
        Some(participant)
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use proto::conference::v1::{Conference, IntervalKind};

    use super::*;

    fn participant(id: &str, state: ParticipantState) -> ParticipantRecord {
        let interval =
            Interval { kind: IntervalKind::Join.into(), start_time: 5, ..Interval::default() };
        ParticipantRecord {
            participant: Some(Participant {
                participant: id.to_owned(),
                state: state.into(),
                intervals: vec![interval],
                ..Participant::default()
            }),
            ..ParticipantRecord::default()
        }
    }

    fn record() -> ConferenceRecord {
        let in_room = |id| ParticipantRecord {
            speaks: true,
            listens: true,
            ..participant(id, ParticipantState::Joined)
        };
        ConferenceRecord {
            conference: Some(Conference {
                i_conference: "n.1".to_owned(),
                state: ConferenceState::Active.into(),
                create_time: 1_000,
                i_customer: 7,
                ..Conference::default()
            }),
            i_reseller: 3,
            i_accounts: vec![1, 2],
            node: "n".to_owned(),
            participants: vec![
                in_room("a"),
                in_room("b"),
                ParticipantRecord { speaks: false, ..in_room("listener") },
                participant("rings", ParticipantState::Invited),
                participant("gone", ParticipantState::Left),
            ],
        }
    }

    fn added(index: &[IndexChange]) -> Vec<&str> {
        let added = index.iter().filter_map(|change| match change {
            IndexChange::Add { index, member, score } => {
                assert_eq!((member.as_str(), *score), ("conference:n.1", -1_000));
                Some(index.as_str())
            }
            IndexChange::Remove { .. } => None,
        });
        added.collect()
    }

    #[test]
    fn a_conference_is_found_by_everybody_who_may_see_it() {
        let (state, index) = changes(&record());

        assert!(matches!(state, StateChange::Put { ttl: None, .. }));
        assert_eq!(
            added(&index),
            [
                "conferences:all",
                "conferences:customer:7",
                "conferences:reseller:3",
                "conferences:account:1",
                "conferences:account:2",
                "conferences:node:n",
            ]
        );
    }

    #[test]
    fn one_that_has_ended_is_kept_for_a_day_and_leaves_every_index() {
        let (_, before) = changes(&record());

        let (state, index) = changes(&ended(&record(), Timestamp::from_micros(9)));

        assert!(matches!(state, StateChange::Put { ttl: Some(KEPT), .. }));
        assert_eq!(added(&index), [""; 0]);
        let removed = index.iter().filter_map(|change| match change {
            IndexChange::Remove { index, .. } => Some(index.as_str()),
            IndexChange::Add { .. } => None,
        });
        assert_eq!(removed.collect::<Vec<_>>(), added(&before));
    }

    #[test]
    fn with_its_node_everybody_has_left() {
        let ended = ended(&record(), Timestamp::from_micros(9));

        let states: Vec<_> = roster(&ended).iter().map(Participant::state).collect();
        let (left, failed) = (ParticipantState::Left, ParticipantState::Failed);
        assert_eq!(states, [left, left, left, failed, left]);
        for participant in roster(&ended).iter().take(4) {
            assert_eq!(participant.leave_time, Some(9));
            assert!(participant.intervals.iter().all(|interval| interval.end_time == Some(9)));
            assert!(participant.hears.is_empty() && participant.heard_by.is_empty());
        }
    }

    #[test]
    fn a_roster_says_who_hears_whom_both_ways() {
        let mut record = record();
        record.participants[1].except.push("a".to_owned());
        record.participants[2].beside.push("private".to_owned());

        let roster = roster(&record);

        let of = |index: usize| (roster[index].hears.clone(), roster[index].heard_by.clone());
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(of(0), (names(&["b"]), names(&["listener"])));
        assert_eq!(of(1), (names(&[]), names(&["a", "listener"])));
        assert_eq!(of(2), (names(&["a", "b", "private"]), names(&[])));
        assert_eq!(of(3), (names(&[]), names(&[])));
    }
}
