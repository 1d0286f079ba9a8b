//! One scope of the live stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::event::Event;
use super::filter::Filter;
use super::member::Member;
use super::place::{Places, is_after};
use super::scope::Scope;
use crate::session::Session;
use crate::socket::Socket;

/// Events that wait for a recovery; beyond it the log serves them.
const PENDING_EVENTS: usize = 4_096;

/// One scope of the live stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) scope: Scope,
    /// Whose token the notifier was given last.
    session: Arc<Session>,
    pub(super) status: Status,
    /// Live events up to here are known already.
    pub(super) base: Places,
    pub(super) groups: Vec<Group>,
    /// Requests that are about to subscribe.
    pub(super) holds: usize,
    pub(super) waiters: Vec<oneshot::Sender<Result<(), String>>>,
    /// Counts recoveries, so that one that was overtaken stops.
    round: u64,
    /// Tokens that were refused in a row.
    refusals: usize,
}

/// One subscription: those who want the same of a scope.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Arc<str>,
    pub(super) filter: Filter,
    /// By socket.
    pub(super) members: HashMap<u64, Member>,
}

/// Where a scope stands.
#[derive(Debug)]
pub(super) enum Status {
    /// The notifier has not said yet from where on it is live. `at` is how far an earlier stream
    /// came.
    Joining { at: Option<Places> },
    /// Events are passed on as they come.
    Live,
    /// What lies between the former stream and this one is passed on first.
    Recovering(Box<Recovery>),
}

/// What brings a scope from one stream to the next.
#[derive(Debug)]
pub(super) struct Recovery {
    /// Everything up to here has been passed on.
    pub(super) at: Places,
    /// What is in `pending` comes after here.
    pub(super) to: Places,
    /// Events that came meanwhile.
    pub(super) pending: VecDeque<Arc<Event>>,
    /// Events after `to` were dropped, since they were too many.
    pub(super) is_overflown: bool,
}

impl Entry {
    pub(super) fn new(scope: Scope, session: Arc<Session>) -> Self {
        Self {
            scope,
            session,
            status: Status::Joining { at: None },
            base: Places::default(),
            groups: Vec::new(),
            holds: 0,
            waiters: Vec::new(),
            round: 0,
            refusals: 0,
        }
    }

    /// A session that may subscribe to the scope.
    pub(super) fn session(&self) -> Arc<Session> {
        if self.refusals > 0 {
            return Arc::clone(&self.session);
        }
        // A member's present token is better than one that was given long ago.
        let present = self.sessions().next();
        present.unwrap_or_else(|| Arc::clone(&self.session))
    }

    /// The members' sessions, those with the newest rights first: others may be outdated.
    fn sessions(&self) -> impl Iterator<Item = Arc<Session>> {
        let mut sessions: Vec<_> = self.sockets().filter_map(|socket| socket.session()).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.caller.epoch));
        sessions.into_iter()
    }

    /// Takes the token of a member that was not tried yet; false when all were refused.
    pub(super) fn next_session(&mut self) -> bool {
        let next = self.sessions().nth(self.refusals);
        self.refusals += 1;
        match next {
            Some(session) => {
                self.session = session;
                true
            }
            None => false,
        }
    }

    /// All before is passed on, all after will be.
    pub(super) fn place(&self, stream: &Places) -> Places {
        Self::place_from(&self.status, &self.base, stream)
    }

    pub(super) fn place_from(status: &Status, base: &Places, stream: &Places) -> Places {
        match status {
            Status::Live => base.raised_to(stream),
            Status::Recovering(recovery) => recovery.at.clone(),
            Status::Joining { at } => at.clone().unwrap_or_default(),
        }
    }

    /// The subscription of that id, new if there is none.
    pub(super) fn group(&mut self, id: &Arc<str>, filter: Filter) -> &mut Group {
        let index = self.groups.iter().position(|group| group.id == *id).unwrap_or_else(|| {
            self.groups.push(Group { id: Arc::clone(id), filter, members: HashMap::new() });
            self.groups.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the index was found or pushed just now")]
        &mut self.groups[index]
    }

    /// Removes a socket from a subscription.
    pub(super) fn remove(&mut self, socket: u64, subscription: &str) {
        for group in self.groups.iter_mut().filter(|group| *group.id == *subscription) {
            group.members.remove(&socket);
        }
        self.groups.retain(|group| !group.members.is_empty());
    }

    /// All sockets that are subscribed.
    pub(super) fn sockets(&self) -> impl Iterator<Item = Arc<Socket>> {
        self.groups
            .iter()
            .flat_map(|group| group.members.values().map(|member| Arc::clone(&member.socket)))
    }

    /// Nothing more comes on the live stream; the scope has to join again.
    pub(super) fn interrupt(&mut self, stream: &Places) {
        if !matches!(self.status, Status::Joining { .. }) {
            self.status = Status::Joining { at: Some(self.place(stream)) };
        }
        self.round += 1;
    }

    /// A new live stream begins, or there is a new token: every token may be tried again.
    pub(super) const fn forgive(&mut self) {
        self.refusals = 0;
    }

    /// The scope is live from `places` on. Returns the round of the recovery that has to bring
    /// what lies between the former stream and this one.
    pub(super) fn joined(&mut self, places: Places) -> Option<u64> {
        self.refusals = 0;
        let Status::Joining { at } = &mut self.status else { return None };
        let at = at.take();
        for waiter in self.waiters.drain(..) {
            // Whoever waited may have given up.
            waiter.send(Ok(())).ok();
        }
        self.round += 1;
        let Some(at) = at else {
            self.base = places;
            self.status = Status::Live;
            return None;
        };
        let is_behind = at.until(&places).is_some();
        // A notifier that is behind the former one repeats what is known.
        self.base = places.raised_to(&at);
        if !is_behind {
            self.status = Status::Live;
            return None;
        }
        let recovery = Recovery { at, to: places, pending: VecDeque::new(), is_overflown: false };
        self.status = Status::Recovering(Box::new(recovery));
        Some(self.round)
    }

    /// Keeps a live event while the scope is recovering; true when it did.
    pub(super) fn keep_if_recovering(&mut self, event: &Arc<Event>) -> bool {
        let Status::Recovering(recovery) = &mut self.status else { return false };
        if recovery.is_overflown || recovery.pending.len() >= PENDING_EVENTS {
            recovery.is_overflown = true;
            recovery.pending = VecDeque::new();
        } else {
            recovery.pending.push_back(Arc::clone(event));
        }
        true
    }

    /// False for an event that an earlier stream brought already.
    pub(super) fn is_new(&self, event: &Event) -> bool {
        !matches!(self.status, Status::Joining { .. })
            && self
                .base
                .get(event.place.partition)
                .is_none_or(|base| base.epoch != event.place.epoch || is_after(&event.place, base))
    }

    /// The recovery, if it is that of `round`.
    pub(super) fn recovery(&self, round: u64) -> Option<&Recovery> {
        match &self.status {
            Status::Recovering(recovery) if self.round == round => Some(recovery),
            _ => None,
        }
    }

    /// The recovery, if it is that of `round`.
    pub(super) fn recovery_mut(&mut self, round: u64) -> Option<&mut Recovery> {
        match &mut self.status {
            Status::Recovering(recovery) if self.round == round => Some(recovery),
            _ => None,
        }
    }
}
