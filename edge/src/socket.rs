//! One WebSocket: what everybody who has to do with it shares.

pub(crate) mod close;
pub(crate) mod reader;
pub(crate) mod registry;
pub(crate) mod tick;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::entrance::Entrance;
use crate::limit::{Bucket, Rate, Verdict};
use crate::metrics;
use crate::session::Session;
use crate::wire::{Frame, Outbound, Pushed};
use close::Reason;
use registry::{Sockets, UserPlace};

/// One WebSocket.
pub(crate) struct Socket {
    /// Unique on this edge, never used again.
    pub(crate) id: u64,
    /// How it came in.
    pub(crate) entrance: Entrance,
    /// Where everything is written.
    pub(crate) outbound: Arc<Outbound>,
    session: RwLock<Option<Arc<Session>>>,
    /// Counts sessions on this socket: what began under another number must not go on.
    generation: AtomicU64,
    /// Counts requests while there is no session.
    bucket: Mutex<Bucket>,
    /// Requests under way.
    in_flight: AtomicU32,
    /// True once nobody reads the socket any more.
    is_gone: AtomicBool,
    /// True while a request of its own is about to end its session: it is closed after the answer.
    is_leaving: AtomicBool,
    /// Its place among those of its user.
    user_place: Mutex<Option<UserPlace>>,
    pub(crate) times: Times,
}

/// When what happened on a socket, in milliseconds of the registry's time; 0 for never.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// Connected, or the session last changed.
    pub(crate) connected: AtomicU64,
    /// The last API message.
    pub(crate) message: AtomicU64,
    /// The last ping.
    pub(crate) ping: AtomicU64,
    /// The ping that has no pong yet.
    pub(crate) unanswered: AtomicU64,
    /// The close frame was sent.
    pub(crate) closing: AtomicU64,
    /// The client was told that its token expires.
    pub(crate) told_expiry: AtomicU64,
    /// A newer token of the session is being looked for.
    pub(crate) is_prolonging: AtomicBool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Socket").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Socket {
    pub(crate) fn new(id: u64, entrance: Entrance, outbound: Arc<Outbound>, now: u64) -> Self {
        let times = Times::default();
        for time in [&times.connected, &times.message, &times.ping] {
            time.store(now, Ordering::Relaxed);
        }
        Self {
            id,
            entrance,
            outbound,
            session: RwLock::new(None),
            generation: AtomicU64::new(0),
            bucket: Mutex::new(Bucket::new(Instant::now())),
            in_flight: AtomicU32::new(0),
            is_gone: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            user_place: Mutex::new(None),
            times,
        }
    }

    /// The present session.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.read().clone()
    }

    /// Sets the session and returns the former one. The generation changes unless it is the
    /// same session with a new token.
    pub(crate) fn set_session(&self, session: Option<Arc<Session>>) -> Option<Arc<Session>> {
        let mut present = self.session.write();
        let id = |session: &Option<Arc<Session>>| session.as_ref().map(|it| it.id().to_owned());
        if id(&present) != id(&session) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        let end = |session: &Option<Arc<Session>>| session.as_ref().map(|it| it.caller.expires_at);
        if end(&present) != end(&session) {
            self.times.told_expiry.store(0, Ordering::Relaxed);
        }
        std::mem::replace(&mut present, session)
    }

    /// Keeps the place that the handshake took for the session's user.
    pub(crate) fn keep_user_place(&self, place: UserPlace) {
        *self.user_place.lock() = Some(place);
    }

    /// Takes a place of the session's user, unless it is that of the former session; false when
    /// the user has too many sockets.
    pub(crate) fn take_user_place(&self, sockets: &Arc<Sockets>, user: &str) -> bool {
        let mut place = self.user_place.lock();
        if place.as_ref().is_some_and(|place| place.user() == user) {
            return true;
        }
        let Some(new) = sockets.reserve_for(user) else { return false };
        *place = Some(new);
        true
    }

    /// Number of the present session on this socket.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Counts a request by the session, or by the socket while it has none.
    pub(crate) fn take(&self, now: Instant, rate: Rate) -> Verdict {
        match &*self.session.read() {
            Some(session) => session.shared.take(now, rate),
            None => self.bucket.lock().take(now, rate),
        }
    }

    /// Sends an answer or a control frame. A client that leaves even those is cut off.
    pub(crate) fn send(&self, frame: Frame) {
        if self.outbound.send(frame) == Pushed::Full {
            self.close(Reason::TooSlow);
        }
    }

    /// Queues without flushing what may go beyond the budget of events.
    pub(crate) fn queue(&self, frame: Frame) {
        if self.outbound.push(frame) == Pushed::Full {
            self.close(Reason::TooSlow);
        }
    }

    /// Closes with a code that says why.
    pub(crate) fn close(&self, reason: Reason) {
        self.close_with(reason, reason.text());
    }

    /// Closes with a code and a text of the caller's.
    pub(crate) fn close_with(&self, reason: Reason, text: &str) {
        if self.outbound.is_open() {
            metrics::closed(reason.label());
        }
        self.outbound.close(reason.code(), text, reason == Reason::TooSlow);
    }

    /// Begins a request; returns how many are under way with it.
    pub(crate) fn begin_request(self: &Arc<Self>, bound: u32) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight { socket: Arc::clone(self), bound }
    }

    /// Requests under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Says that nobody reads the socket any more.
    pub(crate) fn gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        *self.user_place.lock() = None;
        self.outbound.abort();
    }

    /// Says whether a request of the socket's own is about to end its session.
    pub(crate) fn set_leaving(&self, is_leaving: bool) {
        self.is_leaving.store(is_leaving, Ordering::Release);
    }

    /// True while a request of the socket's own is about to end its session.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// True once nobody reads the socket any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

/// A request under way; when it ends at the bound, the reader goes on.
#[derive(Debug)]
pub(crate) struct InFlight {
    socket: Arc<Socket>,
    bound: u32,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.socket.in_flight.fetch_sub(1, Ordering::AcqRel) >= self.bound {
            self.socket.outbound.wake();
        }
    }
}
