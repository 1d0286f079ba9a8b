//! What one holder has at a time.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ledger::Partition;

/// Who holds what.
#[derive(Debug, Default)]
pub(super) struct Holds(HashMap<(Partition, String), Hold>);

#[derive(Debug)]
struct Hold {
    holder: String,
    until: Timestamp,
    note: Bytes,
}

impl Holds {
    pub(super) fn hold(
        &mut self,
        (partition, name): (Partition, &str),
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
        now: Timestamp,
    ) -> Option<Bytes> {
        let hold = self.0.entry((partition, name.to_owned())).or_insert_with(|| Hold {
            holder: String::new(),
            until: now,
            note: Bytes::new(),
        });
        let is_own = hold.holder == holder;
        if !is_own && hold.until > now {
            return None;
        }
        if let Some(note) = note.filter(|_| is_own) {
            hold.note = note;
        }
        holder.clone_into(&mut hold.holder);
        hold.until = now.plus(ttl);
        Some(hold.note.clone())
    }
}
