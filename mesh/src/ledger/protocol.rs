//! How a partition judges a commit before it writes anything. The in-memory
//! store asks [`judge`]; `redis/commit.lua` follows the same table.
//!
//! The partition remembers, for each node, its *fence* and its *mark*: node
//! epoch, sequence, log epoch and answer of the last commit applied. A mark
//! outlives a change of the log's epoch, which tells a writer that has been
//! here from a new one.
//!
//! The first line that fits decides. `sent` is the writer's `log_epoch`;
//! "mark" is a mark of the writer's own node epoch.
//!
//! | # | situation | verdict |
//! |---|---|---|
//! | 1 | fence >= the writer's node epoch, or a mark of a higher node epoch | `Fenced` |
//! | 2 | mark of this very sequence in the current epoch | repeat the stored answer |
//! | 3 | `sent` is older than the current epoch | `EpochChanged`, nothing begun |
//! | 4 | `sent` is newer than the current epoch: the store went back in time | begin an epoch, `EpochChanged` |
//! | 5 | no `sent`, sequence 1, no mark: a new writer | apply |
//! | 6 | no `sent` otherwise | `EpochChanged`, nothing begun |
//! | 7 | sequence follows the mark of the current epoch; or it is 1 and there is no such mark | apply |
//! | 8 | sequence is beyond that: the store forgot a commit | begin an epoch, `EpochChanged` |
//! | 9 | sequence 1 again: the writer starts over within an epoch | begin an epoch, `EpochChanged` |
//! | 10 | sequence is before the mark: a copy that was long under way | `EpochChanged`, nothing begun |
//!
//! A log without an epoch (an empty store) first begins one, later than `sent`,
//! so that line 3 answers whoever knew another. After the verdict "apply" come
//! `require` ([`Conflict`](super::CommitError::Conflict) leaves the mark as it
//! was, so the next commit bears the same sequence) and `renew_epoch`.
//!
//! Whoever hears `EpochChanged` begins again with that epoch and sequence 1,
//! which line 7 applies. Lines 3, 6 and 10 begin nothing, so that commits which
//! arrive late from a dead connection disturb nobody.

use super::{Committed, Epoch, Position, Writer};

/// What is added to an entry's length when the bytes of a log are counted.
pub(super) const ENTRY_OVERHEAD_BYTES: u64 = 32;

/// The last commit of a node that was applied.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) node_epoch: u64,
    pub(super) sequence: u64,
    pub(super) answer: Committed,
}

/// What is to be done with a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Write it.
    Apply,
    /// It was written before, with this answer.
    Repeat(Committed),
    /// The node must write nothing more.
    Fenced,
    /// Tell the writer the current epoch.
    Behind,
    /// Begin an epoch and tell the writer.
    Lost,
}

/// Judges a commit by the table above.
pub(super) fn judge(
    writer: &Writer,
    fence: Option<u64>,
    mark: Option<&Mark>,
    current: &Epoch,
) -> Verdict {
    if fence.is_some_and(|fence| fence >= writer.node_epoch)
        || mark.is_some_and(|mark| mark.node_epoch > writer.node_epoch)
    {
        return Verdict::Fenced;
    }
    let own = mark.filter(|mark| mark.node_epoch == writer.node_epoch);
    let here = own.filter(|mark| mark.answer.epoch == *current);
    if let Some(mark) = here
        && mark.sequence == writer.sequence
    {
        return Verdict::Repeat(mark.answer.clone());
    }
    match &writer.log_epoch {
        Some(sent) if sent < current => return Verdict::Behind,
        Some(sent) if sent > current => return Verdict::Lost,
        Some(_) => {}
        None if writer.sequence == 1 && own.is_none() => return Verdict::Apply,
        None => return Verdict::Behind,
    }
    let next = here.map_or(1, |mark| mark.sequence.saturating_add(1));
    if writer.sequence == next {
        Verdict::Apply
    } else if writer.sequence > next || writer.sequence == 1 {
        Verdict::Lost
    } else {
        Verdict::Behind
    }
}

/// The epoch that begins at `now_millis`, later than every one of `known`.
pub(super) fn begin_epoch<'a>(
    now_millis: u64,
    known: impl IntoIterator<Item = &'a Epoch>,
    nonce: u32,
) -> Epoch {
    let born_millis = known
        .into_iter()
        .map(|epoch| epoch.born_millis.saturating_add(1))
        .fold(now_millis, u64::max);
    Epoch { born_millis, nonce }
}

/// A random number for an epoch's name.
pub(super) fn nonce() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}

/// The position after `last` at `now_millis`, by the rules of a Redis stream.
pub(super) fn next_position(last: Position, now_millis: u64) -> Position {
    if now_millis > last.millis {
        Position { millis: now_millis, sequence: 0 }
    } else {
        Position { millis: last.millis, sequence: last.sequence.saturating_add(1) }
    }
}
