//! Who is subscribed to what, and where each scope stands in the log.
//!
//! A scope stands in the live stream once; its subscriptions differ in filters; a subscription has
//! any number of sockets. Everything here is synchronous and runs under one lock; what takes time
//! (flushing sockets, replays) is noted in a [`Turn`] and done after it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::dispatch::{announce, dispatch};
use super::entry::{Entry, Status};
use super::event::Event;
use super::filter::Filter;
use super::member::{Held, Member, MemberState, Round};
use super::place::Places;
use super::scope::Scope;
use crate::session::{Session, Shared};
use crate::socket::Socket;
use crate::wire::Frame;

/// One subscription of one socket.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(super) socket: Arc<Socket>,
    pub(super) scope: u64,
    pub(super) subscription: Arc<str>,
}

/// What is to be done when the lock is free again.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Sockets with something to flush.
    pub(super) dirty: Vec<Arc<Socket>>,
    /// Subscriptions that have to be caught up.
    pub(super) behind: Vec<Who>,
    /// Scopes that have to be brought together with a new live stream, each with its round.
    pub(super) recover: Vec<(u64, u64)>,
    /// Sockets that cannot be served any more.
    pub(super) refused: Vec<Arc<Socket>>,
    pub(super) deliveries: u64,
    /// Gaps that were told, by reason.
    pub(super) gaps: HashMap<&'static str, u64>,
}

/// What the notifier is to be told.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe { scope_id: u64, scope: Scope, session: Arc<Session> },
    Unsubscribe { scope_id: u64 },
}

/// A socket that was added to a subscription.
#[derive(Debug)]
pub(super) struct Added {
    /// Everything after it comes.
    pub(super) cursor: String,
    /// The socket did not have the subscription before.
    pub(super) is_new: bool,
    /// It has to be activated.
    pub(super) is_held: bool,
}

/// One subscription as its socket knows it.
#[derive(Debug)]
struct Listed {
    scope: u64,
    subscription: Arc<str>,
    /// Counts the session's subscriptions.
    session: Arc<Shared>,
}

/// How a scope answers who joins it.
pub(super) type Joining = oneshot::Receiver<Result<(), String>>;

/// Who is subscribed to what.
#[derive(Debug)]
pub(super) struct State {
    next_scope: u64,
    pub(super) scopes: HashMap<u64, Entry>,
    ids: HashMap<Scope, u64>,
    sockets: HashMap<u64, Vec<Listed>>,
    to_subscribe: Vec<u64>,
    to_unsubscribe: Vec<u64>,
    /// How far the live stream is, as events and beats say.
    pub(super) stream: Places,
    /// Bytes of events that may wait for one member that is held back.
    held_bytes: usize,
}

impl State {
    pub(super) fn new(held_bytes: usize) -> Self {
        Self {
            next_scope: 1,
            scopes: HashMap::new(),
            ids: HashMap::new(),
            sockets: HashMap::new(),
            to_subscribe: Vec::new(),
            to_unsubscribe: Vec::new(),
            stream: Places::default(),
            held_bytes,
        }
    }

    /// Wants a scope. Returns its id and, while it is not live yet, what tells when it is. The
    /// scope is held until [`State::release`].
    pub(super) fn join(&mut self, scope: &Scope, session: &Arc<Session>) -> (u64, Option<Joining>) {
        let id = self.ids.get(scope).copied().unwrap_or_else(|| {
            let id = self.next_scope;
            self.next_scope += 1;
            self.ids.insert(scope.clone(), id);
            self.scopes.insert(id, Entry::new(scope.clone(), Arc::clone(session)));
            self.to_subscribe.push(id);
            id
        });
        let Some(entry) = self.scopes.get_mut(&id) else { return (id, None) };
        entry.holds += 1;
        if matches!(entry.status, Status::Joining { at: None }) {
            let (sender, receiver) = oneshot::channel();
            entry.waiters.push(sender);
            return (id, Some(receiver));
        }
        (id, None)
    }

    /// Ends what [`State::join`] began.
    pub(super) fn release(&mut self, id: u64) {
        if let Some(entry) = self.scopes.get_mut(&id) {
            entry.holds = entry.holds.saturating_sub(1);
        }
        self.forget_if_unused(id);
    }

    /// The place of a scope: all before it has been passed on, all after it will be.
    pub(super) fn place_of(&self, id: u64) -> Option<Places> {
        self.scopes.get(&id).map(|entry| entry.place(&self.stream))
    }

    fn forget_if_unused(&mut self, id: u64) {
        let is_unused = |entry: &Entry| entry.holds == 0 && entry.groups.is_empty();
        if self.scopes.get(&id).is_some_and(is_unused)
            && let Some(entry) = self.scopes.remove(&id)
        {
            self.ids.remove(&entry.scope);
            self.to_unsubscribe.push(id);
        }
    }

    /// What the notifier has to be told since the last time.
    pub(super) fn commands(&mut self) -> Vec<Command> {
        let ended = self.to_unsubscribe.drain(..);
        let mut commands: Vec<Command> =
            ended.map(|scope_id| Command::Unsubscribe { scope_id }).collect();
        for scope_id in self.to_subscribe.drain(..) {
            if let Some(entry) = self.scopes.get(&scope_id) {
                commands.push(Command::Subscribe {
                    scope_id,
                    scope: entry.scope.clone(),
                    session: entry.session(),
                });
            }
        }
        commands
    }

    /// Adds a socket to a subscription, held back until it is activated; `begin` says what is
    /// missing and what comes first. `None` when the socket is gone, or has another session.
    pub(super) fn add(
        &mut self,
        who: &Who,
        filter: Filter,
        session: &Session,
        generation: u64,
        begin: impl FnOnce(&Scope, &Places) -> (Option<Places>, Option<Frame>),
    ) -> Option<Added> {
        let (id, socket) = (who.scope, &who.socket);
        let entry = self.scopes.get_mut(&id)?;
        if socket.is_gone() || socket.generation() != generation {
            return None;
        }
        let here = entry.place(&self.stream);
        let (from, first) = begin(&entry.scope, &here);
        let since = from.clone().unwrap_or_else(|| here.clone());
        let is_resumed = from.is_some() || first.is_some();
        let cursor = here.cursor(&entry.scope);
        let members = &mut entry.group(&who.subscription, filter).members;
        let (is_new, is_live) = members
            .get(&socket.id)
            .map_or((true, false), |member| (false, matches!(member.state, MemberState::Live)));
        // One that is being caught up goes on: it will get everything in any case.
        let is_held = is_new || (is_resumed && is_live);
        if is_held {
            let mut held = Held::new(from, here);
            if let Some(first) = first {
                held.keep(first, usize::MAX);
            }
            let state = MemberState::Held(Box::new(held));
            let socket = Arc::clone(socket);
            members.insert(socket.id, Member { socket, state, since, gap: None });
        }
        if is_new {
            session.shared.subscribed();
            self.sockets.entry(socket.id).or_default().push(Listed {
                scope: id,
                subscription: Arc::clone(&who.subscription),
                session: Arc::clone(&session.shared),
            });
        }
        Some(Added { cursor, is_new, is_held })
    }

    /// The scopes that a socket is subscribed to.
    pub(super) fn scopes_of(&self, socket: u64) -> Vec<Scope> {
        let mut ids: Vec<u64> = self.scope_ids_of(socket).collect();
        ids.dedup();
        ids.iter().filter_map(|id| Some(self.scopes.get(id)?.scope.clone())).collect()
    }

    fn scope_ids_of(&self, socket: u64) -> impl Iterator<Item = u64> {
        self.sockets.get(&socket).into_iter().flatten().map(|listed| listed.scope)
    }

    /// Has the notifier told the present tokens for what a socket is subscribed to.
    pub(super) fn renewed(&mut self, socket: u64) {
        let ids: Vec<u64> = self.scope_ids_of(socket).collect();
        for id in ids {
            // What was refused before says nothing of the new one.
            if let Some(entry) = self.scopes.get_mut(&id) {
                entry.forgive();
            }
            if !self.to_subscribe.contains(&id) {
                self.to_subscribe.push(id);
            }
        }
    }

    /// Removes a subscription of a socket, or all; returns how many there were.
    pub(super) fn remove(&mut self, socket: u64, subscription: Option<&str>) -> usize {
        self.remove_if(socket, |it| {
            subscription.is_none_or(|subscription| *it.subscription == *subscription)
        })
    }

    /// Removes the subscriptions of a socket to a scope; returns how many there were.
    pub(super) fn remove_scope(&mut self, socket: u64, scope: &Scope) -> usize {
        let Some(id) = self.ids.get(scope).copied() else { return 0 };
        self.remove_if(socket, |it| it.scope == id)
    }

    fn remove_if(&mut self, socket: u64, is_meant: impl Fn(&Listed) -> bool) -> usize {
        let Some(listed) = self.sockets.get_mut(&socket) else { return 0 };
        let ended: Vec<Listed> = listed.extract_if(.., |it| is_meant(it)).collect();
        if listed.is_empty() {
            self.sockets.remove(&socket);
        }
        for Listed { scope, subscription, session } in &ended {
            session.unsubscribed();
            if let Some(entry) = self.scopes.get_mut(scope) {
                entry.remove(socket, subscription);
            }
            self.forget_if_unused(*scope);
        }
        ended.len()
    }

    /// Lets a member go live if nothing is missing; else it has to be caught up.
    pub(super) fn activate(&mut self, who: &Who, turn: &mut Turn) {
        let Some(Member { state: MemberState::Held(held), .. }) = self.member(who) else { return };
        if !held.is_complete() || matches!(self.next_round(who, turn), Next::Wait) {
            turn.behind.push(who.clone());
        }
    }

    /// Decides what comes next for a member that is caught up.
    pub(super) fn next_round(&mut self, who: &Who, turn: &mut Turn) -> Next {
        let Some(entry) = self.scopes.get_mut(&who.scope) else { return Next::Over };
        let here = entry.place(&self.stream);
        let scope = entry.scope.clone();
        let Some(group) = entry.groups.iter_mut().find(|group| group.id == who.subscription) else {
            return Next::Over;
        };
        let filter = group.filter;
        let Some(member) = group.members.get_mut(&who.socket.id) else { return Next::Over };
        let MemberState::Held(held) = &mut member.state else { return Next::Over };
        match held.next(&here, |bytes| member.socket.outbound.has_room_for(bytes)) {
            Round::Replay { from, to } => Next::Replay { scope, filter, from, to },
            Round::NoRoom => Next::Wait,
            Round::Pending(frames) => {
                turn.deliveries += frames.len() as u64;
                for frame in frames {
                    member.socket.queue(frame);
                }
                member.state = MemberState::Live;
                turn.dirty.push(Arc::clone(&member.socket));
                Next::Over
            }
        }
    }

    /// Notes that a replay for a member broke off.
    pub(super) fn broken_off(&mut self, who: &Who, from: Places) {
        if let Some(Member { state: MemberState::Held(held), .. }) = self.member(who) {
            held.resume(from);
        }
    }

    /// Notes that what a member missed is gone; it goes on after `to`.
    pub(super) fn lost(&mut self, who: &Who, reason: &str, to: &Places) {
        if let Some(member) = self.member(who) {
            member.gap = Some((reason.into(), to.clone()));
        }
    }

    fn member(&mut self, who: &Who) -> Option<&mut Member> {
        let entry = self.scopes.get_mut(&who.scope)?;
        let group = entry.groups.iter_mut().find(|group| group.id == who.subscription)?;
        group.members.get_mut(&who.socket.id)
    }

    /// The live stream is over: each scope has to join again from where it stands.
    pub(super) fn stream_ended(&mut self) {
        for entry in self.scopes.values_mut() {
            entry.interrupt(&self.stream);
            entry.forgive();
        }
        self.stream = Places::default();
    }

    /// A live stream begins: it has to be told every scope.
    pub(super) fn stream_began(&mut self) {
        self.to_unsubscribe.clear();
        self.to_subscribe = self.scopes.keys().copied().collect();
    }

    /// A scope is live on the stream from `places` on.
    pub(super) fn joined(&mut self, id: u64, places: Places, turn: &mut Turn) {
        if let Some(entry) = self.scopes.get_mut(&id)
            && let Some(round) = entry.joined(places)
        {
            turn.recover.push((id, round));
        }
    }

    /// The notifier refused a scope, at once or because the token it was given was revoked.
    /// Another subscriber's token is tried before all are given up.
    pub(super) fn refused(&mut self, id: u64, reason: &str, turn: &mut Turn) {
        let Some(entry) = self.scopes.get_mut(&id) else { return };
        entry.interrupt(&self.stream);
        for waiter in entry.waiters.drain(..) {
            // Whoever waited may have given up.
            waiter.send(Err(reason.to_owned())).ok();
        }
        if entry.next_session() {
            self.to_subscribe.push(id);
            return;
        }
        turn.refused.extend(entry.sockets());
        if entry.groups.is_empty() {
            // Joiners that come now must not meet a scope of which nothing will come.
            let scope = entry.scope.clone();
            self.ids.remove(&scope);
            self.scopes.remove(&id);
        }
    }

    /// An event came.
    pub(super) fn event(&mut self, event: &Arc<Event>, turn: &mut Turn) {
        for id in &event.scope_ids {
            let Some(entry) = self.scopes.get_mut(id) else { continue };
            if !entry.is_new(event) || entry.keep_if_recovering(event) {
                continue;
            }
            dispatch(entry, *id, &self.stream, event, self.held_bytes, turn);
        }
        self.stream.set(event.place.clone());
    }

    /// The stream has passed on everything up to `places`.
    pub(super) fn beat(&mut self, places: &Places) {
        places.iter().for_each(|place| self.stream.set(place.clone()));
    }

    /// Events of a partition were lost; the log goes on from `place`.
    pub(super) fn gap(&mut self, place: &mesh::cursor::Place, reason: &str, turn: &mut Turn) {
        self.stream.set(place.clone());
        let held_bytes = self.held_bytes;
        for entry in self.scopes.values_mut() {
            if entry.base.get(place.partition).is_none() {
                continue;
            }
            entry.base.set(place.clone());
            let here = entry.place(&self.stream);
            announce(entry, reason, &here, held_bytes, turn);
        }
    }

    /// What a recovery has to replay; `None` when the round is over.
    pub(super) fn recovery(&self, id: u64, round: u64) -> Option<Recovering> {
        let entry = self.scopes.get(&id)?;
        let recovery = entry.recovery(round)?;
        Some(Recovering {
            scope: entry.scope.clone(),
            session: entry.session(),
            from: recovery.at.clone(),
            to: recovery.to.clone(),
        })
    }

    /// A replayed event of a recovery; false when the round is over.
    pub(super) fn recovered(
        &mut self,
        id: u64,
        round: u64,
        event: &Arc<Event>,
        turn: &mut Turn,
    ) -> bool {
        let Some(entry) = self.scopes.get_mut(&id) else { return false };
        if entry.recovery(round).is_none() {
            return false;
        }
        dispatch(entry, id, &self.stream, event, self.held_bytes, turn);
        if let Some(recovery) = entry.recovery_mut(round) {
            recovery.at.set(event.place.clone());
        }
        true
    }

    /// A replay of a recovery is complete, or says that what it should bring is lost. Returns
    /// true when another one is needed.
    pub(super) fn replayed(
        &mut self,
        id: u64,
        round: u64,
        lost: Option<&str>,
        turn: &mut Turn,
    ) -> bool {
        let Some(entry) = self.scopes.get_mut(&id) else { return false };
        let Some(recovery) = entry.recovery_mut(round) else { return false };
        recovery.at = recovery.to.clone();
        if let Some(reason) = lost {
            let here = recovery.to.clone();
            announce(entry, reason, &here, self.held_bytes, turn);
        }
        let Some(recovery) = entry.recovery_mut(round) else { return false };
        if recovery.is_overflown {
            recovery.is_overflown = false;
            recovery.to = recovery.to.raised_to(&self.stream);
            return true;
        }
        let pending = std::mem::take(&mut recovery.pending);
        for event in pending {
            dispatch(entry, id, &self.stream, &event, self.held_bytes, turn);
            if let Some(recovery) = entry.recovery_mut(round) {
                recovery.at.set(event.place.clone());
            }
        }
        entry.status = Status::Live;
        false
    }
}

/// What comes next for a member that is caught up.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing: it is live, or gone.
    Over,
    /// The socket has to drain first.
    Wait,
    /// Serve this from the log.
    Replay { scope: Scope, filter: Filter, from: Places, to: Places },
}

/// What a recovery has to replay.
#[derive(Debug)]
pub(super) struct Recovering {
    pub(super) scope: Scope,
    pub(super) session: Arc<Session>,
    pub(super) from: Places,
    pub(super) to: Places,
}
