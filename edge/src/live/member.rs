//! One socket in one subscription: live, or held back while it is caught up.

use std::sync::Arc;

use super::place::Places;
use crate::socket::Socket;
use crate::wire::{Frame, Pushed};

/// One socket in one subscription.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) socket: Arc<Socket>,
    pub(super) state: MemberState,
    /// The place at which it began.
    pub(super) since: Places,
    /// What lies before here was lost last, and why.
    pub(super) gap: Option<(Arc<str>, Places)>,
}

#[derive(Debug)]
pub(super) enum MemberState {
    /// Events are pushed as they come.
    Live,
    /// Events wait: the answer is not sent yet, or missed events come first.
    Held(Box<Held>),
}

/// What a socket still has to get before it is live.
#[derive(Debug)]
pub(super) struct Held {
    /// Events after here, up to `to`, are served from the log; `None` when nothing is missing.
    from: Option<Places>,
    /// What is in `pending` comes after here.
    to: Places,
    /// Events that came meanwhile.
    pending: Vec<Frame>,
    bytes: usize,
    /// Events after `to` were dropped, since they were too many.
    is_overflown: bool,
}

/// What comes next for a socket that is caught up.
#[derive(Debug)]
pub(super) enum Round {
    /// Serve this from the log.
    Replay { from: Places, to: Places },
    /// Nothing is missing; these frames waited.
    Pending(Vec<Frame>),
    /// Nothing is missing, but the socket has no room for what waited.
    NoRoom,
}

/// What became of an event for one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// It is on its way. True when nobody has promised to flush yet.
    Pushed { is_first: bool },
    /// It waits, or the socket is gone.
    No,
    /// The socket has fallen behind with it.
    Behind,
}

impl Held {
    /// Events up to `to` come from the log, from `from` on if anything is missing.
    pub(super) const fn new(from: Option<Places>, to: Places) -> Self {
        Self { from, to, pending: Vec::new(), bytes: 0, is_overflown: false }
    }

    /// Keeps a frame, unless there are too many: then the log has to serve it later.
    pub(super) fn keep(&mut self, frame: Frame, bound: usize) {
        if self.is_overflown {
            return;
        }
        if self.bytes + frame.len() > bound {
            self.is_overflown = true;
            self.pending = Vec::new();
            self.bytes = 0;
            return;
        }
        self.bytes += frame.len();
        self.pending.push(frame);
    }

    /// Decides what comes next; `here` is the scope's place now.
    pub(super) fn next(&mut self, here: &Places, has_room_for: impl Fn(usize) -> bool) -> Round {
        if self.is_overflown {
            let from = self.from.take().unwrap_or_else(|| self.to.clone());
            *self = Self::new(None, here.clone());
            return Round::Replay { from, to: here.clone() };
        }
        match self.from.take() {
            Some(from) => Round::Replay { from, to: self.to.clone() },
            None if has_room_for(self.bytes) => Round::Pending(std::mem::take(&mut self.pending)),
            None => Round::NoRoom,
        }
    }

    /// Notes that a replay broke off: it has to go on after `from`.
    pub(super) fn resume(&mut self, from: Places) {
        self.from = Some(from);
    }

    /// True when the member may go live without the log.
    pub(super) const fn is_complete(&self) -> bool {
        self.from.is_none() && !self.is_overflown
    }
}

impl Member {
    /// True when events are pushed as they come.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.state, MemberState::Live)
    }

    /// Passes an event on. `here` is the scope's place before it, asked for when the socket has
    /// no room: then it is caught up from there later.
    pub(super) fn deliver(
        &mut self,
        frame: &Frame,
        bound: usize,
        here: impl FnOnce() -> Places,
    ) -> Delivered {
        match &mut self.state {
            MemberState::Held(held) => {
                held.keep(frame.clone(), bound);
                Delivered::No
            }
            MemberState::Live => match self.socket.outbound.push_event(frame.clone()) {
                Pushed::Taken { is_first } => Delivered::Pushed { is_first },
                Pushed::Closed => Delivered::No,
                Pushed::Full => {
                    let here = here();
                    let mut held = Held::new(None, here);
                    held.is_overflown = true;
                    self.state = MemberState::Held(Box::new(held));
                    Delivered::Behind
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh::cursor::Place;
    use mesh::ledger::{Epoch, Position};

    use super::*;

    fn at(millis: u64) -> Places {
        let mut places = Places::default();
        places.set(Place {
            partition: 0,
            epoch: Epoch { born_millis: 1, nonce: 1 },
            position: Position { millis, sequence: 0 },
        });
        places
    }

    fn frame() -> Frame {
        Frame::text(b"12345678")
    }

    #[test]
    fn what_waited_follows_the_replay() {
        let mut held = Held::new(Some(at(1)), at(5));
        held.keep(frame(), 100);

        let Round::Replay { from, to } = held.next(&at(9), |_| true) else { panic!() };
        assert_eq!((from, to), (at(1), at(5)));

        let Round::Pending(frames) = held.next(&at(9), |_| true) else { panic!() };
        assert_eq!(frames, [frame()]);
    }

    #[test]
    fn too_many_events_are_left_to_the_log() {
        let mut held = Held::new(None, at(5));
        for _ in 0..20 {
            held.keep(frame(), 100);
        }

        assert!(!held.is_complete());
        let Round::Replay { from, to } = held.next(&at(9), |_| true) else { panic!() };

        assert_eq!((from, to), (at(5), at(9)));
        assert!(held.is_complete());
    }

    #[test]
    fn an_overflow_during_a_replay_is_served_by_the_next() {
        let mut held = Held::new(Some(at(1)), at(5));
        held.next(&at(5), |_| true);
        for _ in 0..20 {
            held.keep(frame(), 100);
        }

        let Round::Replay { from, to } = held.next(&at(30), |_| true) else { panic!() };

        assert_eq!((from, to), (at(5), at(30)));
    }

    #[test]
    fn a_replay_that_broke_off_goes_on_where_it_was() {
        let mut held = Held::new(Some(at(1)), at(5));
        held.next(&at(5), |_| true);

        held.resume(at(3));

        let Round::Replay { from, to } = held.next(&at(9), |_| true) else { panic!() };
        assert_eq!((from, to), (at(3), at(5)));
    }

    #[test]
    fn nothing_goes_live_without_room() {
        let mut held = Held::new(None, at(5));
        held.keep(frame(), 100);

        assert!(matches!(held.next(&at(9), |_| false), Round::NoRoom));
        assert!(matches!(held.next(&at(9), |_| true), Round::Pending(frames) if frames.len() == 1));
    }
}
