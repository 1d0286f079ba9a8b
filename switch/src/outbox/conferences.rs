//! What the store has, or is to have, of conferences.
//!
//! A record is the whole of a conference, so only the newest of each counts. Those that go on are
//! written again when the store has lost something; one that has ended is kept by the store alone.

use std::collections::BTreeMap;

use proto::conference::v1::ConferenceState;
use proto::switch::v1::ConferenceRecord;

/// Records that wait while the store is away; of more, those that go on are kept.
const MAX_WAITING: usize = 10_000;

/// Conferences of one partition.
#[derive(Debug, Default)]
pub(super) struct Conferences {
    /// What waits while the store is away, by id.
    folded: BTreeMap<String, ConferenceRecord>,
    /// What the store has, or will have after the commit under way, of those that go on.
    living: BTreeMap<String, ConferenceRecord>,
}

impl Conferences {
    /// Keeps records until the store is back.
    pub(super) fn fold(&mut self, records: impl IntoIterator<Item = ConferenceRecord>) {
        for record in records {
            let (id, has_ended) = read(&record);
            let is_known = self.folded.contains_key(&id) || self.living.contains_key(&id);
            if !has_ended || is_known || self.folded.len() < MAX_WAITING {
                self.folded.insert(id, record);
            }
        }
    }

    /// What is to be written now: what waited, then `newest`.
    pub(super) fn take(
        &mut self,
        newest: impl IntoIterator<Item = ConferenceRecord>,
    ) -> Vec<ConferenceRecord> {
        let mut taken = std::mem::take(&mut self.folded);
        taken.extend(newest.into_iter().map(|record| (read(&record).0, record)));
        for (id, record) in &taken {
            if read(record).1 {
                self.living.remove(id);
            } else {
                self.living.insert(id.clone(), record.clone());
            }
        }
        taken.into_values().collect()
    }

    /// Those that go on.
    pub(super) fn living(&self) -> Vec<ConferenceRecord> {
        self.living.values().cloned().collect()
    }

    /// True when nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }
}

/// Id, and whether it has ended.
fn read(record: &ConferenceRecord) -> (String, bool) {
    record.conference.as_ref().map_or_else(Default::default, |conference| {
        (conference.i_conference.clone(), conference.state() == ConferenceState::Ended)
    })
}

#[cfg(test)]
mod tests {
    use proto::conference::v1::Conference;

    use super::*;

    fn record(id: &str, state: ConferenceState, name: &str) -> ConferenceRecord {
        let conference = Conference {
            i_conference: id.to_owned(),
            name: name.to_owned(),
            state: state.into(),
            ..Conference::default()
        };
        ConferenceRecord { conference: Some(conference), ..ConferenceRecord::default() }
    }

    fn names(records: Vec<ConferenceRecord>) -> Vec<String> {
        records.into_iter().map(|it| it.conference.unwrap_or_default().name).collect()
    }

    #[test]
    fn the_newest_of_each_is_written_and_what_goes_on_is_remembered() {
        use ConferenceState::{Active, Ended};
        let mut kept = Conferences::default();
        kept.fold([
            record("a", Active, "a1"),
            record("b", Active, "b1"),
            record("a", Active, "a2"),
        ]);

        let taken = kept.take([record("b", Ended, "b2"), record("c", Active, "c1")]);

        assert_eq!(names(taken), ["a2", "b2", "c1"]);
        assert_eq!(names(kept.living()), ["a2", "c1"]);
        assert!(kept.is_empty());
    }

    #[test]
    fn what_waits_through_a_long_outage_is_bounded() {
        let mut kept = Conferences::default();
        for number in 0..MAX_WAITING + 10 {
            kept.fold([record(&number.to_string(), ConferenceState::Ended, "over")]);
        }
        kept.fold([record("living", ConferenceState::Active, "on")]);

        assert_eq!(kept.take([]).len(), MAX_WAITING + 1);
    }
}
