//! One partition: records, indexes, log, accounting and the marks of its writers.

use std::collections::HashMap;

use bytes::Bytes;

use super::records::{Displaced, Indexes, Record, Records};
use super::stream::Stream;
use crate::clock::Timestamp;
use crate::ledger::protocol::{Mark, Verdict, begin_epoch, judge, nonce};
use crate::ledger::{
    Commit, CommitError, Committed, Epoch, LogBounds, LogChunk, LogRead, Page, Position, ReadFrom,
};

/// All that a partition holds.
#[derive(Debug, Default)]
pub(super) struct Partition {
    records: Records,
    indexes: Indexes,
    log: Option<Log>,
    accounting: Stream,
    marks: HashMap<String, Mark>,
    fences: HashMap<String, u64>,
    /// What undoes the last commit.
    undo: Option<Undo>,
}

/// One life of the log.
#[derive(Debug)]
struct Log {
    epoch: Epoch,
    entries: Stream,
}

/// What stood before a commit.
#[derive(Debug)]
struct Undo {
    node: String,
    mark: Option<Mark>,
    /// In the order of the changes; undone backwards.
    records: Vec<(String, Option<Record>)>,
    indexes: Vec<Displaced>,
    log: UndoLog,
    accounting_last: Position,
}

#[derive(Debug)]
enum UndoLog {
    /// The log ended here.
    End(Position),
    /// The commit began an epoch after this one.
    Before(Log),
}

impl Partition {
    /// Applies the commit or leaves everything as it is.
    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        now: Timestamp,
        max_bytes: u64,
    ) -> Result<Committed, CommitError> {
        let writer = &commit.writer;
        self.records.expire(now);
        let fence = self.fences.get(&writer.node).copied();
        let current = self.log(now, writer.log_epoch.as_ref()).epoch.clone();
        match judge(writer, fence, self.marks.get(&writer.node), &current) {
            Verdict::Apply => {}
            Verdict::Repeat(answer) => return Ok(answer),
            Verdict::Fenced => return Err(CommitError::Fenced),
            Verdict::Behind => return Err(CommitError::EpochChanged(current)),
            Verdict::Lost => {
                self.renew_log(now, writer.log_epoch.as_ref());
                let begun = self.log(now, None).epoch.clone();
                return Err(CommitError::EpochChanged(begun));
            }
        }
        if commit.require.iter().any(|key| self.records.get(key, now).is_none()) {
            return Err(CommitError::Conflict);
        }
        Ok(self.apply(commit, now, max_bytes))
    }

    fn apply(&mut self, commit: &Commit, now: Timestamp, max_bytes: u64) -> Committed {
        let writer = &commit.writer;
        let millis = now.as_millis();
        let undo_log = if commit.renew_epoch
            && let Some(before) = self.renew_log(now, writer.log_epoch.as_ref())
        {
            UndoLog::Before(before)
        } else {
            UndoLog::End(self.log(now, None).entries.last())
        };
        let accounting_last = self.accounting.last();

        let records = commit.state.iter().map(|change| self.records.apply(change, now)).collect();
        let indexes = commit.index.iter().map(|change| self.indexes.apply(change)).collect();
        for record in &commit.accounting {
            self.accounting.append(millis, record.clone());
        }
        let log = self.log(now, None);
        for event in &commit.events {
            log.entries.append(millis, event.clone());
        }
        log.entries.trim_to_bytes(max_bytes);
        let answer = Committed { epoch: log.epoch.clone(), last: log.entries.last() };

        let mark = self.marks.insert(
            writer.node.clone(),
            Mark {
                node_epoch: writer.node_epoch,
                sequence: writer.sequence,
                answer: answer.clone(),
            },
        );
        let node = writer.node.clone();
        self.undo = Some(Undo { node, mark, records, indexes, log: undo_log, accounting_last });
        answer
    }

    /// Forgets the last commit; false when there is none to forget.
    pub(super) fn forget_last_commit(&mut self) -> bool {
        let Some(undo) = self.undo.take() else { return false };
        for (key, record) in undo.records.into_iter().rev() {
            self.records.replace(key, record);
        }
        for (index, member, score) in undo.indexes.into_iter().rev() {
            self.indexes.replace(&index, &member, score);
        }
        match (undo.log, &mut self.log) {
            (UndoLog::Before(before), log) => *log = Some(before),
            (UndoLog::End(last), Some(log)) => log.entries.cut_after(last),
            (UndoLog::End(_), None) => {}
        }
        self.accounting.cut_after(undo.accounting_last);
        match undo.mark {
            Some(mark) => self.marks.insert(undo.node, mark),
            None => self.marks.remove(&undo.node),
        };
        true
    }

    pub(super) fn fence(&mut self, node: &str, node_epoch: u64) {
        let fence = self.fences.entry(node.to_owned()).or_default();
        *fence = (*fence).max(node_epoch);
    }

    pub(super) fn get(&self, key: &str, now: Timestamp) -> Option<Bytes> {
        self.records.get(key, now).cloned()
    }

    pub(super) fn page(&mut self, index: &str, offset: u64, limit: u64, now: Timestamp) -> Page {
        self.indexes.page(index, &self.records, offset, limit, now)
    }

    pub(super) fn read_log(&mut self, from: &ReadFrom, limit: usize, now: Timestamp) -> LogRead {
        let bounds = self.bounds(now);
        let place = match from {
            ReadFrom::Oldest => bounds.trimmed_to,
            ReadFrom::After(epoch, _) if *epoch != bounds.epoch => {
                return LogRead::EpochChanged(bounds.epoch);
            }
            ReadFrom::After(_, place) => *place,
        };
        if place < bounds.trimmed_to || place > bounds.last {
            return LogRead::Trimmed(bounds);
        }
        let log = self.log(now, None);
        let entries = log.entries.after(place, limit.max(1));
        LogRead::Entries(LogChunk { epoch: bounds.epoch, entries })
    }

    pub(super) fn bounds(&mut self, now: Timestamp) -> LogBounds {
        let log = self.log(now, None);
        LogBounds {
            epoch: log.epoch.clone(),
            trimmed_to: log.entries.trimmed_to(),
            last: log.entries.last(),
        }
    }

    pub(super) fn trim_log(&mut self, now: Timestamp, oldest_millis: u64, max_bytes: u64) {
        self.records.expire(now);
        self.log(now, None).entries.trim_to_retention(oldest_millis, max_bytes);
    }

    pub(super) fn read_accounting(
        &mut self,
        after: Position,
        limit: usize,
        now: Timestamp,
    ) -> LogChunk {
        let epoch = self.log(now, None).epoch.clone();
        LogChunk { epoch, entries: self.accounting.after(after, limit.max(1)) }
    }

    pub(super) fn trim_accounting(&mut self, up_to: Position) {
        self.accounting.trim_to(up_to);
    }

    /// The log; begins the first epoch, later than `sent`, when there is none.
    fn log(&mut self, now: Timestamp, sent: Option<&Epoch>) -> &mut Log {
        self.log.get_or_insert_with(|| Log {
            epoch: begin_epoch(now.as_millis(), sent, nonce()),
            entries: Stream::default(),
        })
    }

    /// Begins an epoch and returns the log of the one before.
    fn renew_log(&mut self, now: Timestamp, sent: Option<&Epoch>) -> Option<Log> {
        let known = self.log.iter().map(|log| &log.epoch).chain(sent);
        let epoch = begin_epoch(now.as_millis(), known, nonce());
        // A commit of the old epoch can no longer be told from one that was never made.
        self.undo = None;
        self.log.replace(Log { epoch, entries: Stream::default() })
    }
}
