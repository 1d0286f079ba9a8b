//! A ledger whose operations fail, forget and lose their answers as a seed says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::ledger::memory::MemoryLedger;
use mesh::ledger::{Commit, CommitError, Committed, Ledger, Page, Partition, StoreError};
use mesh::testing::overlay::Overlay;
use parking_lot::Mutex;

/// A small generator of numbers: the same for the same seed.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Nothing.
    Calm,
    /// Operations fail and answers are lost.
    Unreliable,
    /// The same, and what was written is forgotten.
    Forgetful,
}

#[derive(Debug)]
pub(super) struct Flaky {
    memory: Arc<MemoryLedger>,
    dice: Mutex<Dice>,
    mood: Mutex<Mood>,
}

impl Flaky {
    pub(super) fn new(memory: Arc<MemoryLedger>, seed: u64, mood: Mood) -> Self {
        Self { memory, dice: Mutex::new(Dice::new(seed)), mood: Mutex::new(mood) }
    }

    pub(super) fn calm_down(&self) {
        *self.mood.lock() = Mood::Calm;
    }

    /// Something may go wrong before an operation; true when its answer is lost.
    fn befall(&self) -> Result<bool, StoreError> {
        let mood = *self.mood.lock();
        if mood == Mood::Calm {
            return Ok(false);
        }
        let roll = self.dice.lock().roll(40);
        if mood == Mood::Forgetful {
            match roll {
                0 => self.memory.forget_everything(),
                1..=3 => {
                    self.memory.forget_last_commit(0);
                }
                _ => {}
            }
        }
        match roll {
            10..=17 => Err(StoreError { message: "away".to_owned() }),
            18..=22 => Ok(true),
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl Overlay for Flaky {
    fn beneath(&self) -> &dyn Ledger {
        &*self.memory
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let is_lost = self.befall().map_err(CommitError::Unavailable)?;
        let outcome = self.memory.commit(commit).await;
        if is_lost {
            let error = StoreError { message: "the answer was lost".to_owned() };
            return Err(CommitError::Unavailable(error));
        }
        // Others have their turn, as over a network.
        tokio::task::yield_now().await;
        outcome
    }

    async fn page(
        &self,
        partition: Partition,
        index: &str,
        offset: u64,
        limit: u64,
    ) -> Result<Page, StoreError> {
        self.befall()?;
        self.memory.page(partition, index, offset, limit).await
    }

    async fn hold(
        &self,
        partition: Partition,
        name: &str,
        holder: &str,
        ttl: Duration,
        note: Option<Bytes>,
    ) -> Result<Option<Bytes>, StoreError> {
        self.befall()?;
        self.memory.hold(partition, name, holder, ttl, note).await
    }
}
