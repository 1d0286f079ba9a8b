//! Webhook posts that are due: which is sent next, and how far each partition has been served.
//! Pure; it is told the time.
//!
//! The posts of one call to one target form a line; the head of a line is in one of these states:
//!
//! | state | event | next |
//! | --- | --- | --- |
//! | ready | its target has a free place, and so have all together | in flight |
//! | in flight | the target took it | gone; the next of the line is ready |
//! | in flight | the target did not, and there is time left | resting |
//! | in flight | the target did not, and its time is over | given up; the next of the line is ready |
//! | resting | the pause is over | ready |
//! | any | the partition is let go | forgotten |
//!
//! So of a line one post is in flight at most, and they go in the order of the log. Targets take
//! turns, a target has [`PER_TARGET`] places, and one that does not answer delays its own lines
//! alone. What waits is bounded in bytes: over the bound the target for which most waits loses its
//! newest post.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::ledger::{Partition, Position};
use mesh::outward::Address;
use tokio::time::Instant;

/// Attempts in flight for one target.
pub(crate) const PER_TARGET: usize = 4;

/// Attempts in flight for all targets together.
const IN_FLIGHT: usize = 1024;

/// Pause after the first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a post weighs beside its body and address, about.
const OVERHEAD_BYTES: usize = 256;

/// One post.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Post {
    /// Where its event stands.
    pub(crate) partition: Partition,
    /// The life of the log, counted by who reads it: positions of several do not compare.
    pub(crate) life: u64,
    /// Where its event stands.
    pub(crate) position: Position,
    /// Whose secret signs it.
    pub(crate) i_customer: i64,
    /// The call, whose posts keep their order.
    pub(crate) call_id: String,
    /// Host and port: who shares places.
    pub(crate) target: String,
    /// The whole address.
    pub(crate) address: Address,
    /// What is posted.
    pub(crate) body: Bytes,
}

impl Post {
    fn weight(&self) -> usize {
        self.body.len() + self.address.as_str().len() + OVERHEAD_BYTES
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The target took it.
    Taken,
    /// It did not.
    Failed,
}

/// What became of a post whose attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done.
    Done,
    /// It will be tried again.
    Again,
    /// Its time is over.
    GivenUp,
    /// Its partition was let go meanwhile.
    Forgotten,
}

/// Names an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    target: String,
    call_id: String,
    /// Tells this line from one of the same name that came after it was let go.
    line: u64,
}

/// Posts that are due.
#[derive(Debug)]
pub(crate) struct Deliveries {
    max_bytes: usize,
    bytes: usize,
    in_flight: usize,
    next_line: u64,
    targets: HashMap<String, Target>,
    /// Targets with a line that is ready, in the order of their turns.
    turns: VecDeque<String>,
    /// Lines that rest.
    resting: BTreeMap<(Instant, u64), Attempt>,
    /// Positions of posts that are not done, with how many each has.
    open: HashMap<Partition, BTreeMap<(u64, Position), usize>>,
}

#[derive(Debug, Default)]
struct Target {
    lines: HashMap<String, Line>,
    ready: VecDeque<String>,
    in_flight: usize,
    bytes: usize,
    has_turn: bool,
}

#[derive(Debug)]
struct Line {
    number: u64,
    posts: VecDeque<(Arc<Post>, Instant)>,
    failures: u32,
    is_in_flight: bool,
}

impl Deliveries {
    /// None; at most `max_bytes` will wait.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            in_flight: 0,
            next_line: 0,
            targets: HashMap::new(),
            turns: VecDeque::new(),
            resting: BTreeMap::new(),
            open: HashMap::new(),
        }
    }

    /// A post is due, to be tried until `until` and once at least. Returns the posts that were
    /// dropped since too much waits.
    pub(crate) fn push(&mut self, post: Post, until: Instant) -> usize {
        let post = Arc::new(post);
        self.bytes += post.weight();
        let open = self.open.entry(post.partition).or_default();
        *open.entry((post.life, post.position)).or_default() += 1;
        let target = self.targets.entry(post.target.clone()).or_default();
        target.bytes += post.weight();
        let next_line = &mut self.next_line;
        let line = target.lines.entry(post.call_id.clone()).or_insert_with(|| {
            *next_line += 1;
            Line { number: *next_line, posts: VecDeque::new(), failures: 0, is_in_flight: false }
        });
        let (name, call_id) = (post.target.clone(), post.call_id.clone());
        line.posts.push_back((post, until));
        if line.posts.len() == 1 {
            target.ready.push_back(call_id);
            self.give_turn(&name);
        }
        let mut dropped = 0;
        while self.bytes > self.max_bytes && self.drop_newest() {
            dropped += 1;
        }
        dropped
    }

    /// The next post to send, when there is one and a place for it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Attempt, Arc<Post>)> {
        self.wake(now);
        while self.in_flight < IN_FLIGHT {
            let name = self.turns.pop_front()?;
            let Some(target) = self.targets.get_mut(&name) else { continue };
            target.has_turn = false;
            if target.in_flight >= PER_TARGET {
                // It gets a turn when a place is free.
                continue;
            }
            let Some(call_id) = target.ready.pop_front() else {
                self.tidy(&name);
                continue;
            };
            let Some(line) = target.lines.get_mut(&call_id) else { continue };
            let Some((post, _)) = line.posts.front() else { continue };
            let post = Arc::clone(post);
            line.is_in_flight = true;
            target.in_flight += 1;
            self.in_flight += 1;
            let attempt = Attempt { target: name.clone(), call_id, line: line.number };
            self.give_turn(&name);
            return Some((attempt, post));
        }
        None
    }

    /// When [`Deliveries::next`] may have something that it has not now, whatever else happens.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.resting.keys().next().map(|(at, _)| *at)
    }

    /// An attempt has ended. `pause` makes the pause before the next one out of a bound.
    pub(crate) fn ended(
        &mut self,
        attempt: &Attempt,
        outcome: Outcome,
        now: Instant,
        pause: impl FnOnce(Duration) -> Duration,
    ) -> Fate {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(target) = self.targets.get_mut(&attempt.target) else { return Fate::Forgotten };
        target.in_flight = target.in_flight.saturating_sub(1);
        let line = target.lines.get_mut(&attempt.call_id);
        let Some(line) = line.filter(|line| line.number == attempt.line) else {
            self.tidy(&attempt.target);
            self.give_turn(&attempt.target);
            return Fate::Forgotten;
        };
        line.is_in_flight = false;
        let is_over = line.posts.front().is_none_or(|(_, until)| *until <= now);
        let fate = match outcome {
            Outcome::Taken => Fate::Done,
            Outcome::Failed if is_over => Fate::GivenUp,
            Outcome::Failed => {
                let bound = FIRST_PAUSE.saturating_mul(1 << line.failures.min(16));
                line.failures += 1;
                let at = now + pause(bound.min(LONGEST_PAUSE));
                self.resting.insert((at, attempt.line), attempt.clone());
                self.give_turn(&attempt.target);
                return Fate::Again;
            }
        };
        line.failures = 0;
        let done = line.posts.pop_front();
        if line.posts.is_empty() {
            target.lines.remove(&attempt.call_id);
        } else {
            target.ready.push_back(attempt.call_id.clone());
        }
        if let Some((post, _)) = done {
            self.settle(&post);
        }
        self.tidy(&attempt.target);
        self.give_turn(&attempt.target);
        fate
    }

    /// Forgets the posts of a partition: somebody else sends them.
    pub(crate) fn let_go(&mut self, partition: Partition) {
        let mut gone = Vec::new();
        for target in self.targets.values_mut() {
            target.lines.retain(|_, line| {
                let is_of = line.posts.front().is_some_and(|(it, _)| it.partition == partition);
                if is_of {
                    gone.extend(line.posts.drain(..).map(|(post, _)| post));
                }
                !is_of
            });
            target.ready.retain(|call_id| target.lines.contains_key(call_id));
        }
        for post in gone {
            self.settle(&post);
            self.tidy(&post.target);
        }
        self.open.remove(&partition);
    }

    /// The first position of this life of the partition's log that is not done.
    pub(crate) fn first_open(&self, partition: Partition, life: u64) -> Option<Position> {
        let open = self.open.get(&partition)?;
        open.range((life, Position::default())..).next().map(|((_, position), _)| *position)
    }

    /// Posts in flight.
    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Bytes that wait.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets lines go on whose pause is over.
    fn wake(&mut self, now: Instant) {
        while let Some(first) = self.resting.first_entry().filter(|first| first.key().0 <= now) {
            let Attempt { target: name, call_id, line: number } = first.remove();
            let Some(target) = self.targets.get_mut(&name) else { continue };
            if target.lines.get(&call_id).is_some_and(|line| line.number == number) {
                target.ready.push_back(call_id);
                self.give_turn(&name);
            }
        }
    }

    fn give_turn(&mut self, name: &str) {
        if let Some(target) = self.targets.get_mut(name)
            && !target.has_turn
            && !target.ready.is_empty()
            && target.in_flight < PER_TARGET
        {
            target.has_turn = true;
            self.turns.push_back(name.to_owned());
        }
    }

    /// A post waits no longer.
    fn settle(&mut self, post: &Post) {
        self.bytes = self.bytes.saturating_sub(post.weight());
        if let Some(target) = self.targets.get_mut(&post.target) {
            target.bytes = target.bytes.saturating_sub(post.weight());
        }
        if let Some(open) = self.open.get_mut(&post.partition)
            && let Some(count) = open.get_mut(&(post.life, post.position))
        {
            *count -= 1;
            if *count == 0 {
                open.remove(&(post.life, post.position));
            }
        }
    }

    /// Forgets a target of which nothing is left.
    fn tidy(&mut self, name: &str) {
        let is_idle =
            |target: &Target| target.lines.is_empty() && target.in_flight == 0 && !target.has_turn;
        if self.targets.get(name).is_some_and(is_idle) {
            self.targets.remove(name);
        }
    }

    /// Drops the newest post of the target for which most waits; false when all are under way.
    fn drop_newest(&mut self) -> bool {
        let most = self.targets.iter().max_by_key(|(_, target)| target.bytes);
        let Some((name, target)) = most.map(|(name, target)| (name.clone(), target)) else {
            return false;
        };
        let newest = target.lines.iter().filter_map(|(call_id, line)| {
            let is_free = line.posts.len() > usize::from(line.is_in_flight);
            let (post, _) = line.posts.back().filter(|_| is_free)?;
            Some((post.position, call_id.clone()))
        });
        let Some((_, call_id)) = newest.max() else { return false };
        let Some(target) = self.targets.get_mut(&name) else { return false };
        let Some(line) = target.lines.get_mut(&call_id) else { return false };
        let dropped = line.posts.pop_back();
        if line.posts.is_empty() {
            target.lines.remove(&call_id);
            target.ready.retain(|it| *it != call_id);
        }
        if let Some((post, _)) = dropped {
            self.settle(&post);
        }
        self.tidy(&name);
        true
    }

    /// Targets of which something is known.
    #[cfg(test)]
    fn known_targets(&self) -> Vec<&str> {
        self.targets.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
