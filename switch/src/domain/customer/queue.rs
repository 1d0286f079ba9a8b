//! Calls in queues.
//!
//! | a queued call | what happens | next |
//! | --- | --- | --- |
//! | comes in | it is answered and hears music | `queued`, in the last place |
//! | is the first without an offer, and an agent is free | the agent's phone rings (all free ones with ring-all) | `queued`, offered |
//! | is offered, an agent answers | `dequeued` (`answered`) | `Talking`; the others end "Answered Elsewhere" |
//! | is offered, the agent does not take it | that leg ends; the agent rests a while | `queued`, offered to the next |
//! | is offered, an application redirects | `dequeued` (`redirected`) | `Redirecting` |
//! | finds the queue full, waits too long, or nobody takes part | `dequeued` (`overflow`, `timeout`, `no_agents`) | to the overflow number, else over (480) |
//! | about which nobody has decided in time | `dequeued` (`redirected`) | to the fallback number |
//! | is ended by anybody | `dequeued` (`abandoned`) | over |
//!
//! The directory is asked again who takes part while calls wait, so that whoever joins gets a
//! call within [`LOOK`] and the way to auth.

use std::time::Duration;

use super::Customer;
use super::redirect::MAX_REDIRECTS;
use super::timers::{CallTimer, Timer};
use crate::domain::call::Plan;
use crate::domain::command::Cause;
use crate::domain::effect::{Effect, ResolveFailure, Route};
use crate::domain::leg::{End, Phase};
use crate::domain::names::{CallId, Tag};
use crate::domain::party::Account;
use crate::domain::queue::{Group, Leave, Queue, REST, Stay};
use crate::domain::reason::Standard;
use crate::domain::view::Seen;
use crate::driver::Op;

/// How often the directory is asked who takes part while calls wait.
const LOOK: Duration = Duration::from_millis(150);

/// Figures are told at most this often.
const STATS: Duration = Duration::from_secs(1);

impl Customer {
    /// Rings a hunt group: through its queue, or all who take part at once.
    pub(super) fn ring_group(&mut self, call_id: &CallId, group: &Group, cause: Option<&Cause>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(tag) = call.at_mut(&End::Caller).map(|leg| leg.tag.clone()) else { return };
        if group.queue.is_some() {
            return self.enqueue(call_id, &tag, group, cause);
        }
        for agent in group.agents.clone() {
            self.offer(call_id, agent, group, None);
        }
        if self.is_offered(call_id) {
            self.set_decision(call_id, None, group.decision.as_ref());
            self.settle(call_id, cause);
        } else {
            self.end_call(call_id, &Standard::NotAnswered.reason(), cause);
        }
    }

    /// Puts a call into a queue: the leg `tag` waits.
    pub(super) fn enqueue(
        &mut self,
        call_id: &CallId,
        tag: &Tag,
        group: &Group,
        cause: Option<&Cause>,
    ) {
        let now = self.now;
        let Some(settings) = group.queue.clone() else { return };
        let i_c_queue = settings.i_c_queue;
        let queue = self
            .queues
            .entry(i_c_queue)
            .or_insert_with(|| Queue::new(group.clone(), settings.clone()));
        queue.group.clone_from(group);
        queue.settings = settings.clone();
        let is_full = settings.max_waiting.is_some_and(|max| queue.waiting.len() >= max);
        queue.waiting.push(call_id.clone());
        let position = queue.waiting.len();

        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.plan = Plan::Queued;
        call.seen_by.i_c_queues.insert(i_c_queue);
        call.stay = Some(Stay {
            tag: tag.clone(),
            i_c_queue,
            name: settings.name.clone(),
            since: now,
            position,
            left: None,
        });
        // The first of two numbers is the callee of its own leg, whoever is the second.
        let has_first = call.second.is_some();
        let Some(leg) = call.leg_mut(tag) else { return };
        leg.phase = Phase::Queued;
        leg.connect_time.get_or_insert(now);
        if !has_first {
            leg.callee = group.party();
        }
        if std::mem::take(&mut leg.awaits_answer) {
            let channel = leg.channel.clone();
            self.effects.push(Effect::Drive(Op::Answer { channel }));
        }
        if let Some(max) = settings.max_wait {
            self.timers.set(Timer::Call(call_id.clone(), CallTimer::Waited), now.plus(max));
        }
        self.set_decision(call_id, None, group.decision.as_ref());
        self.timers.set(Timer::Queue(i_c_queue), now.plus(LOOK));
        self.settle(call_id, cause);
        if is_full {
            self.overflow(call_id, Leave::Overflow);
        } else if group.agents.is_empty() {
            self.overflow(call_id, Leave::NoAgents);
        } else {
            self.must_serve = true;
        }
    }

    /// Takes a call out of its queue: its waiting leg shows `dequeued`; what follows is the
    /// caller's matter.
    pub(super) fn leave_queue(&mut self, call_id: &CallId, reason: Leave, cause: Option<&Cause>) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(stay) = call.stay.as_mut().filter(|stay| stay.left.is_none()) else { return };
        stay.left = Some((now, reason));
        let (tag, i_c_queue, since) = (stay.tag.clone(), stay.i_c_queue, stay.since);
        if let Some(leg) = call.leg_mut(&tag).filter(|leg| leg.is_alive()) {
            leg.phase = Phase::Dequeued;
        }
        self.timers.stop(&Timer::Call(call_id.clone(), CallTimer::Waited));
        self.decided(call_id);
        self.tell_leg(call_id, &tag, cause);
        if let Some(queue) = self.queues.get_mut(&i_c_queue) {
            queue.waiting.retain(|waiting| waiting != call_id);
            queue.count(reason, now.since(since), now);
            let waiting: Vec<_> = (1..).zip(queue.waiting.clone()).collect();
            for (position, waiting) in waiting {
                self.move_up(&waiting, position);
            }
        }
        self.must_serve = true;
    }

    /// A waiting call has another place now; lists show it, and nothing is told.
    fn move_up(&mut self, call_id: &CallId, position: usize) {
        let Some(mut call) = self.calls.remove(call_id) else { return };
        if let Some(stay) = call.stay.as_mut().filter(|stay| stay.position != position) {
            stay.position = position;
            self.refresh(&mut call);
        }
        self.calls.insert(call_id.clone(), call);
    }

    /// A call cannot stay in its queue.
    fn overflow(&mut self, call_id: &CallId, reason: Leave) {
        let Some(stay) = self.calls.get(call_id).and_then(|call| call.stay.as_ref()) else {
            return;
        };
        let queue = self.queues.get(&stay.i_c_queue);
        let overflow = queue.and_then(|queue| queue.settings.overflow.clone());
        self.leave_queue(call_id, reason, None);
        self.go_elsewhere(call_id, overflow);
    }

    /// A call that has left its queue goes to another number, or ends.
    pub(super) fn go_elsewhere(&mut self, call_id: &CallId, number: Option<String>) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(number) = number else {
            return self.end_call(call_id, &Standard::NotAnswered.reason(), None);
        };
        call.redirects += 1;
        if call.redirects > MAX_REDIRECTS {
            return self.end_call(call_id, &Standard::Loop.reason(), None);
        }
        let offered: Vec<Tag> =
            call.living().filter(|leg| leg.end == End::Callee).map(|leg| leg.tag.clone()).collect();
        call.plan = Plan::Redirecting(None);
        call.destination.clone_from(&number);
        // Who pays for the way on: the caller, else the first who is called at all.
        let caller = call.at_mut(&End::Caller).map(|leg| leg.i_account);
        let of_queue = call.stay.as_ref().and_then(|stay| self.queues.get(&stay.i_c_queue));
        let payer = caller
            .flatten()
            .or_else(|| of_queue.and_then(|queue| queue.group.members.first().copied()));
        for tag in offered {
            self.end_leg(call_id, &tag, &Standard::GaveUp.reason());
        }
        self.settle(call_id, None);
        self.resolve(call_id.clone(), payer.unwrap_or_default(), number);
    }

    /// A call has waited too long.
    pub(super) fn waited(&mut self, call_id: &CallId) {
        if self.calls.get(call_id).is_some_and(|call| call.plan == Plan::Queued) {
            self.overflow(call_id, Leave::Timeout);
        }
    }

    /// An agent to whom a call was offered has not taken it.
    pub(super) fn not_taken(&mut self, call_id: &CallId, tag: &Tag) {
        let Some(leg) = self.calls.get(call_id).and_then(|call| call.leg(tag)) else { return };
        if let Some(i_account) = leg.i_account {
            self.agents.rests(i_account, self.now.plus(REST));
        }
        self.must_serve = true;
    }

    /// Rings an agent.
    fn offer(
        &mut self,
        call_id: &CallId,
        agent: Account,
        group: &Group,
        ring: Option<Duration>,
    ) -> Option<Tag> {
        let presented = self.calls.get(call_id)?.presented.clone();
        let tag = self.dial(call_id, End::Callee, presented, &Route::Account(agent)).ok()?;
        let leg = self.calls.get_mut(call_id)?.leg_mut(&tag)?;
        leg.callee.huntgroup_id = Some(group.id.clone());
        leg.party.huntgroup_id = Some(group.id.clone());
        if let Some(ring) = ring {
            self.timers.set(Timer::leg(call_id, &tag), self.now.plus(ring));
        }
        Some(tag)
    }

    /// Brings waiting calls and free agents together, and tells the figures that have changed.
    pub(super) fn serve_queues(&mut self) {
        while std::mem::take(&mut self.must_serve) {
            let queues: Vec<i64> = self.queues.keys().copied().collect();
            for i_c_queue in queues {
                self.serve(i_c_queue);
                self.tell_figures(i_c_queue);
            }
        }
    }

    fn serve(&mut self, i_c_queue: i64) {
        let Some(queue) = self.queues.get(&i_c_queue).filter(|queue| !queue.waiting.is_empty())
        else {
            return;
        };
        let (group, settings) = (queue.group.clone(), queue.settings.clone());
        for call_id in queue.waiting.clone() {
            if self.is_offered(&call_id) && !settings.rings_all {
                continue;
            }
            // Whoever has a leg is not free: nobody is offered a call twice, nor his own.
            let free = self.agents.free(&group.agents, self.now).into_iter().cloned();
            let count = if settings.rings_all { usize::MAX } else { 1 };
            let chosen: Vec<Account> = free.take(count).collect();
            if chosen.is_empty() {
                // Nobody for this one is nobody for the next.
                break;
            }
            for agent in chosen {
                self.offer(&call_id, agent, &group, Some(settings.agent_timeout));
            }
            self.settle(&call_id, None);
        }
    }

    /// True while an agent is called for a call.
    fn is_offered(&self, call_id: &CallId) -> bool {
        let call = self.calls.get(call_id);
        call.is_some_and(|call| call.living().any(|leg| leg.end == End::Callee))
    }

    /// Tells a queue's figures when they have changed, at most once a second.
    fn tell_figures(&mut self, i_c_queue: i64) {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(&i_c_queue) else { return };
        let first = queue.waiting.first().and_then(|call_id| self.calls.get(call_id));
        let since = first.and_then(|call| call.stay.as_ref()).map(|stay| stay.since);
        let figures = queue.figures(&self.agents, since, now);
        let is_news = queue.told.as_ref().is_none_or(|(_, told)| *told != figures);
        let due = queue.told.as_ref().map_or(now, |(at, _)| at.plus(STATS));
        if is_news && due <= now {
            queue.told = Some((now, figures.clone()));
            let seen_by = Seen {
                i_accounts: queue.group.members.iter().copied().collect(),
                i_c_queues: [i_c_queue].into(),
                ..Seen::default()
            };
            self.effects.push(Effect::TellQueue { figures, seen_by });
        }
        if !queue.waiting.is_empty() {
            self.timers.set_unless_set(Timer::Queue(i_c_queue), now.plus(LOOK));
        } else if is_news && due > now {
            self.timers.set_unless_set(Timer::Queue(i_c_queue), due);
        }
    }

    /// Looks after a queue in which calls wait.
    pub(super) fn look_after(&mut self, i_c_queue: i64) {
        self.must_serve = true;
        let Some(queue) = self.queues.get_mut(&i_c_queue) else { return };
        if !queue.waiting.is_empty() && !std::mem::replace(&mut queue.is_looking, true) {
            let number = queue.group.id.clone();
            self.effects.push(Effect::Look { i_c_queue, number });
        }
    }

    /// The directory has said who takes part in a queue now.
    pub(super) fn looked(&mut self, i_c_queue: i64, answer: Result<Route, ResolveFailure>) {
        let Some(queue) = self.queues.get_mut(&i_c_queue) else { return };
        queue.is_looking = false;
        self.must_serve = true;
        match answer {
            Ok(Route::HuntGroup(group))
                if group.queue.as_ref().is_some_and(|it| it.i_c_queue == i_c_queue) =>
            {
                if let Some(settings) = &group.queue {
                    queue.settings = settings.clone();
                }
                queue.group = *group;
            }
            // The group or its queue is gone.
            Ok(_) => queue.group.agents.clear(),
            // Who takes part is what it was.
            Err(_) => return,
        }
        if !queue.group.agents.is_empty() {
            return;
        }
        for call_id in queue.waiting.clone() {
            if !self.is_offered(&call_id) {
                self.overflow(&call_id, Leave::NoAgents);
            }
        }
    }
}
