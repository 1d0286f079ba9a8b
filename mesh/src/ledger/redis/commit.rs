//! The commit as one script call.

use bytes::Bytes;
use redis::{Cmd, Script, Value};

use super::answer::{parse_epoch, parse_position, read, show_epoch, ttl_millis, unexpected};
use super::keys::Keys;
use super::scripts;
use crate::ledger::protocol::{ENTRY_OVERHEAD_BYTES, nonce};
use crate::ledger::{Commit, CommitError, Committed, IndexChange, StateChange, StoreError};

/// The command; `commit.lua` says how its keys and arguments are laid out.
pub(super) fn command(commit: &Commit, keys: &Keys, script: &Script, max_bytes: u64) -> Cmd {
    let partition = commit.partition;
    let mut names = vec![keys.log(partition), keys.events(partition), keys.accounting(partition)];
    names.extend(commit.require.iter().map(|key| keys.record(partition, key)));
    names.extend(commit.state.iter().map(|change| match change {
        StateChange::Put { key, .. } | StateChange::Delete { key } => keys.record(partition, key),
    }));
    names.extend(commit.index.iter().map(|change| match change {
        IndexChange::Add { index, .. } | IndexChange::Remove { index, .. } => {
            keys.index(partition, index)
        }
    }));

    let writer = &commit.writer;
    let mut command = scripts::run(script, &names);
    command
        .arg(&writer.node)
        .arg(writer.node_epoch)
        .arg(writer.sequence)
        .arg(writer.log_epoch.as_ref().map(show_epoch).unwrap_or_default())
        .arg(nonce())
        .arg(u8::from(commit.renew_epoch))
        .arg(max_bytes)
        .arg(ENTRY_OVERHEAD_BYTES)
        .arg(commit.require.len())
        .arg(commit.state.len())
        .arg(commit.index.len())
        .arg(commit.events.len())
        .arg(commit.accounting.len());
    for change in &commit.state {
        match change {
            StateChange::Put { value, ttl: None, .. } => command.arg("").arg(&**value),
            StateChange::Put { value, ttl: Some(ttl), .. } => {
                command.arg(ttl_millis(*ttl)).arg(&**value)
            }
            StateChange::Delete { .. } => command.arg("-").arg(""),
        };
    }
    for change in &commit.index {
        match change {
            IndexChange::Add { member, score, .. } => command.arg(score).arg(member),
            IndexChange::Remove { member, .. } => command.arg("").arg(member),
        };
    }
    for entry in commit.events.iter().chain(&commit.accounting) {
        command.arg(Bytes::as_ref(entry));
    }
    command
}

/// What the script said.
pub(super) fn outcome(answer: Result<Value, StoreError>) -> Result<Committed, CommitError> {
    match answer.and_then(parse) {
        Ok(outcome) => outcome,
        Err(error) => Err(CommitError::Unavailable(error)),
    }
}

fn parse(value: Value) -> Result<Result<Committed, CommitError>, StoreError> {
    let words: Vec<String> = read(value)?;
    match <[String; 3]>::try_from(words) {
        Ok([_, epoch, last]) => {
            Ok(Ok(Committed { epoch: parse_epoch(&epoch)?, last: parse_position(&last)? }))
        }
        Err(words) => match (words.first().map(String::as_str), words.get(1)) {
            (Some("epoch"), Some(epoch)) => Ok(Err(CommitError::EpochChanged(parse_epoch(epoch)?))),
            (Some("fenced"), None) => Ok(Err(CommitError::Fenced)),
            (Some("conflict"), None) => Ok(Err(CommitError::Conflict)),
            _ => Err(unexpected()),
        },
    }
}
