//! Brings events, and the news of lost ones, to the members of a scope.

use std::sync::Arc;

use super::entry::{Entry, Group};
use super::event::{self, Event};
use super::member::{Delivered, MemberState};
use super::place::Places;
use super::state::{Turn, Who};

/// Passes an event on to all subscriptions of a scope that want it.
pub(super) fn dispatch(
    entry: &mut Entry,
    id: u64,
    stream: &Places,
    event: &Event,
    held_bytes: usize,
    turn: &mut Turn,
) {
    let Entry { groups, status, base, scope, .. } = entry;
    let here = || Entry::place_from(status, base, stream);
    for Group { id: subscription, filter, members } in groups {
        if !filter.wants(event.kind, event.state) {
            continue;
        }
        let frame = event.frame(subscription);
        for member in members.values_mut() {
            match member.deliver(&frame, held_bytes, here) {
                Delivered::Pushed { is_first } => {
                    turn.deliveries += 1;
                    if is_first {
                        turn.dirty.push(Arc::clone(&member.socket));
                    }
                }
                Delivered::No => {}
                Delivered::Behind => {
                    let gap = event::gap(subscription, "slow_reader", here().cursor(scope));
                    member.socket.queue(gap);
                    *turn.gaps.entry("slow_reader").or_default() += 1;
                    turn.dirty.push(Arc::clone(&member.socket));
                    turn.behind.push(Who {
                        socket: Arc::clone(&member.socket),
                        scope: id,
                        subscription: Arc::clone(subscription),
                    });
                }
            }
        }
    }
}

/// Tells all subscriptions of a scope that events were lost.
pub(super) fn announce(
    entry: &mut Entry,
    reason: &str,
    here: &Places,
    held_bytes: usize,
    turn: &mut Turn,
) {
    let cursor = here.cursor(&entry.scope);
    for Group { id, members, .. } in &mut entry.groups {
        let frame = event::gap(id, reason, cursor.clone());
        for member in members.values_mut() {
            member.gap = Some((reason.into(), here.clone()));
            *turn.gaps.entry(event::gap_label(reason)).or_default() += 1;
            match &mut member.state {
                MemberState::Live => {
                    member.socket.queue(frame.clone());
                    turn.dirty.push(Arc::clone(&member.socket));
                }
                MemberState::Held(held) => held.keep(frame.clone(), held_bytes),
            }
        }
    }
}
