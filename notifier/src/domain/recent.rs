//! The newest entries of one partition, kept decoded so that resumes do not
//! reach the store.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mesh::ledger::Position;
use tokio::time::Instant;

use super::entry::Entry;

/// Entries of one era of one partition, without a hole: all after [`Recent::floor`].
#[derive(Debug)]
pub(crate) struct Recent {
    window: Duration,
    max_bytes: usize,
    floor: Position,
    entries: VecDeque<Arc<Entry>>,
    /// The same entries by customer: most resumes want one customer's, and would otherwise pay
    /// for the events of all others.
    by_customer: HashMap<i64, VecDeque<Arc<Entry>>>,
    bytes: usize,
}

impl Recent {
    /// Keeps entries for `window`, and at most `max_bytes` of them.
    pub(crate) fn new(window: Duration, max_bytes: usize) -> Self {
        Self {
            window,
            max_bytes,
            floor: Position::default(),
            entries: VecDeque::new(),
            by_customer: HashMap::new(),
            bytes: 0,
        }
    }

    /// Every entry after this place is here.
    pub(crate) const fn floor(&self) -> Position {
        self.floor
    }

    /// Forgets all and begins at `floor`.
    pub(crate) fn restart(&mut self, floor: Position) {
        *self = Self { floor, ..Self::new(self.window, self.max_bytes) };
    }

    /// Adds the newest entry.
    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.weight();
        self.by_customer.entry(entry.head.i_customer).or_default().push_back(Arc::clone(&entry));
        self.entries.push_back(entry);
        while self.bytes > self.max_bytes && self.drop_oldest() {}
    }

    /// Drops what is older than the window.
    pub(crate) fn expire(&mut self, now: Instant) {
        while self.entries.front().is_some_and(|it| now - it.read_at > self.window)
            && self.drop_oldest()
        {}
    }

    /// The entries after `place`, oldest first; of one customer when it is given. They are
    /// complete only when `place` is not before [`Recent::floor`].
    pub(crate) fn after(
        &self,
        place: Position,
        i_customer: Option<i64>,
    ) -> impl Iterator<Item = &Arc<Entry>> {
        let entries = match i_customer {
            Some(i_customer) => self.by_customer.get(&i_customer),
            None => Some(&self.entries),
        };
        entries.into_iter().flat_map(move |entries| {
            let start = entries.partition_point(|entry| entry.place.position <= place);
            entries.range(start..)
        })
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(entry.weight());
        self.floor = entry.place.position;
        let i_customer = entry.head.i_customer;
        if let Some(own) = self.by_customer.get_mut(&i_customer) {
            own.pop_front();
            if own.is_empty() {
                self.by_customer.remove(&i_customer);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::Head;
    use crate::domain::entry::testing::entry;

    fn of(sequence: u64, i_customer: i64) -> Arc<Entry> {
        entry(sequence, Head { i_customer, ..Head::default() })
    }

    fn sequences(recent: &Recent, after: u64, i_customer: Option<i64>) -> Vec<u64> {
        let place = Position { millis: 1, sequence: after };
        recent.after(place, i_customer).map(|entry| entry.place.position.sequence).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn entries_are_found_after_a_place_and_by_customer() {
        let mut recent = Recent::new(Duration::from_mins(1), 1 << 20);
        for sequence in 1..=6 {
            recent.push(of(sequence, i64::try_from(sequence % 2).unwrap()));
        }

        assert_eq!(sequences(&recent, 0, None), [1, 2, 3, 4, 5, 6]);
        assert_eq!(sequences(&recent, 4, None), [5, 6]);
        assert_eq!(sequences(&recent, 2, Some(0)), [4, 6]);
        assert_eq!(sequences(&recent, 2, Some(9)), [0; 0]);
        assert_eq!(recent.floor(), Position::default());
    }

    #[tokio::test(start_paused = true)]
    async fn old_entries_go_and_raise_the_floor() {
        let mut recent = Recent::new(Duration::from_mins(1), 1 << 20);
        recent.push(of(1, 1));
        tokio::time::advance(Duration::from_secs(40)).await;
        recent.push(of(2, 2));
        tokio::time::advance(Duration::from_secs(40)).await;

        recent.expire(Instant::now());

        assert_eq!(sequences(&recent, 0, None), [2]);
        assert_eq!(sequences(&recent, 0, Some(1)), [0; 0]);
        assert_eq!(recent.floor(), Position { millis: 1, sequence: 1 });
        assert_eq!(recent.by_customer.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_bytes_are_kept_than_allowed() {
        let mut recent = Recent::new(Duration::from_mins(1), 3 * of(1, 1).weight());

        for sequence in 1..=5 {
            recent.push(of(sequence, 1));
        }

        assert_eq!(sequences(&recent, 0, None), [3, 4, 5]);
        assert_eq!(recent.floor(), Position { millis: 1, sequence: 2 });

        recent.restart(Position { millis: 9, sequence: 9 });
        assert_eq!(sequences(&recent, 0, None), [0; 0]);
        assert_eq!(recent.floor(), Position { millis: 9, sequence: 9 });
        assert_eq!(recent.bytes, 0);
    }
}
