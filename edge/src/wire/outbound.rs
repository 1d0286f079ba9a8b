//! All that is written to one socket.
//!
//! Whole frames enter a queue; what the socket takes leaves it, byte by byte if need be, so two
//! frames never mix. Whoever pushes tries the socket at once; what it refuses waits for the
//! socket's own task, whose waker stands in the queue. Events have a budget of bytes: one that
//! does not fit is refused and stays in the log. Answers and control frames may go beyond it up
//! to a second bound; then the client is cut off.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::frame::Frame;
use super::io::{Sink, Writer};

/// Frames that one system call takes.
const GATHER: usize = 32;

/// Bytes of control frames that may wait beyond the budget of everything.
const CONTROL_ROOM: usize = 4_096;

/// A queue with more room than this gives it back when it is empty.
const KEPT_CAPACITY: usize = 16;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is in the queue. True when it is the first since the last flush.
    Taken {
        /// Nobody has promised to flush yet.
        is_first: bool,
    },
    /// It does not fit into the budget.
    Full,
    /// The socket is closing or gone.
    Closed,
}

/// Bounds of the queue, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// For events.
    pub(crate) events: usize,
    /// For everything.
    pub(crate) all: usize,
}

/// The writing side of one socket.
#[derive(Debug)]
pub(crate) struct Outbound<W = Writer> {
    inner: Mutex<Inner<W>>,
    budget: Budget,
    /// Told when the queue has fallen to half the budget of events, and when the socket ends.
    drained: Notify,
}

#[derive(Debug)]
struct Inner<W> {
    writer: W,
    queue: VecDeque<Frame>,
    /// Bytes of the first frame that the socket has taken.
    offset: usize,
    /// Bytes that wait.
    queued: usize,
    state: State,
    /// A frame was pushed since the last flush.
    is_dirty: bool,
    /// The writer holds nothing back of what it took.
    is_flushed: bool,
    end: End,
    /// Somebody waits for `drained`.
    is_awaited: bool,
    /// The socket's own task.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A close frame is queued or sent; nothing follows it.
    Closing,
    /// The socket is of no use any more.
    Dead,
}

/// Whether the peer is told that nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not yet.
    Open,
    /// When everything is written.
    Wanted,
    /// It was.
    Told,
}

impl<W: Sink> Outbound<W> {
    pub(crate) fn new(writer: W, budget: Budget) -> Self {
        let inner = Inner {
            writer,
            queue: VecDeque::new(),
            offset: 0,
            queued: 0,
            state: State::Open,
            is_dirty: false,
            is_flushed: true,
            end: End::Open,
            is_awaited: false,
            waker: None,
        };
        Self { inner: Mutex::new(inner), budget, drained: Notify::new() }
    }

    /// Queues an answer or a control frame. A close frame is the last that is taken. Beyond the
    /// budget of everything the socket is given up.
    pub(crate) fn push(&self, frame: Frame) -> Pushed {
        let mut inner = self.inner.lock();
        // A client that sends pings and reads nothing must not fill the memory with pongs.
        let bound = self.budget.all + if frame.is_control() { CONTROL_ROOM } else { 0 };
        if inner.state == State::Open && inner.queued + frame.len() > bound {
            return Pushed::Full;
        }
        inner.push(frame)
    }

    /// Queues and flushes.
    pub(crate) fn send(&self, frame: Frame) -> Pushed {
        let pushed = self.push(frame);
        self.flush();
        pushed
    }

    /// Queues an event; the caller flushes when it has queued all that it has.
    pub(crate) fn push_event(&self, frame: Frame) -> Pushed {
        let mut inner = self.inner.lock();
        if inner.queued + frame.len() > self.budget.events {
            // A burst that nobody has flushed yet is no sign of a slow reader.
            if inner.is_dirty {
                inner.flush();
            }
            if inner.queued + frame.len() > self.budget.events && inner.queued > 0 {
                return if inner.state == State::Open { Pushed::Full } else { Pushed::Closed };
            }
        }
        inner.push(frame)
    }

    /// Tells whether events of so many bytes would fit now.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        let queued = self.inner.lock().queued;
        queued == 0 || queued + bytes <= self.budget.events
    }

    /// Bytes that wait.
    pub(crate) fn queued(&self) -> usize {
        self.inner.lock().queued
    }

    /// Writes what the socket takes now; the rest follows when it takes more.
    pub(crate) fn flush(&self) {
        let mut inner = self.inner.lock();
        inner.flush();
        self.after_write(&mut inner);
    }

    /// Sends a close frame as the last. With `discard`, frames that wait are dropped first.
    pub(crate) fn close(&self, code: u16, reason: &str, discard: bool) {
        let mut inner = self.inner.lock();
        if discard && inner.state == State::Open {
            let kept = usize::from(inner.offset > 0);
            inner.queue.truncate(kept);
            inner.queued = inner.queue.front().map_or(0, Frame::len) - inner.offset;
        }
        inner.push(Frame::close(code, reason));
        inner.flush();
        // The task has a close handshake to see through.
        inner.wake();
        inner.is_awaited = false;
        drop(inner);
        self.drained.notify_waiters();
    }

    /// Has the peer told that nothing more comes, after what is in the queue. For the socket's own
    /// task, whose flush does it.
    pub(crate) fn end(&self) {
        let mut inner = self.inner.lock();
        if inner.end == End::Open {
            inner.end = End::Wanted;
        }
    }

    /// Gives the socket up at once.
    pub(crate) fn abort(&self) {
        let mut inner = self.inner.lock();
        inner.die();
        inner.is_awaited = false;
        drop(inner);
        self.drained.notify_waiters();
    }

    /// Wakes the socket's task.
    pub(crate) fn wake(&self) {
        self.inner.lock().wake();
    }

    /// False once a close frame is queued or the socket is gone.
    pub(crate) fn is_open(&self) -> bool {
        self.inner.lock().state == State::Open
    }

    /// For the socket's own task, which is woken from now on when there is something to do:
    /// ready when everything is written, an error when the socket is of no use any more.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner.lock();
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        inner.flush();
        self.after_write(&mut inner);
        match inner.state {
            State::Dead => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            _ if inner.queue.is_empty() && inner.is_flushed => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// Returns when at most half of the events' budget is in use, or the socket ends: then false.
    pub(crate) async fn drained(&self) -> bool {
        loop {
            let notified = self.drained.notified();
            {
                let mut inner = self.inner.lock();
                if inner.state != State::Open {
                    return false;
                }
                if inner.queued <= self.budget.events / 2 {
                    return true;
                }
                inner.is_awaited = true;
                inner.flush();
                if inner.queued <= self.budget.events / 2 {
                    continue;
                }
            }
            notified.await;
        }
    }

    fn after_write(&self, inner: &mut Inner<W>) {
        let is_over = inner.state != State::Open || inner.queued <= self.budget.events / 2;
        if inner.is_awaited && is_over {
            inner.is_awaited = false;
            self.drained.notify_waiters();
        }
    }
}

impl<W: Sink> Inner<W> {
    fn push(&mut self, frame: Frame) -> Pushed {
        if self.state != State::Open {
            return Pushed::Closed;
        }
        self.queued += frame.len();
        if frame.is_close() {
            self.state = State::Closing;
        }
        if frame.is_heartbeat() && !self.queue.is_empty() {
            // A heartbeat overtakes what waits, but not within a frame.
            let place = usize::from(self.offset > 0);
            self.queue.insert(place, frame);
        } else {
            self.queue.push_back(frame);
        }
        let is_first = !self.is_dirty;
        self.is_dirty = true;
        Pushed::Taken { is_first }
    }

    fn flush(&mut self) {
        self.is_dirty = false;
        // Before the task's first turn there is nobody to wake, and it begins with a flush.
        let Some(waker) = self.waker.clone() else { return };
        let mut cx = Context::from_waker(&waker);
        while !self.queue.is_empty() && self.state != State::Dead {
            match self.write(&mut cx) {
                Poll::Ready(Ok(0) | Err(_)) => self.die(),
                Poll::Ready(Ok(written)) => {
                    self.is_flushed = false;
                    self.taken(written);
                }
                Poll::Pending => return,
            }
        }
        if self.state == State::Dead {
            return;
        }
        let flushed = match self.writer.poll_flush(&mut cx) {
            Poll::Ready(Ok(())) if self.end == End::Wanted => self.writer.poll_end(&mut cx),
            flushed => flushed,
        };
        self.is_flushed = flushed.is_ready();
        match flushed {
            Poll::Ready(Ok(())) if self.end == End::Wanted => self.end = End::Told,
            Poll::Ready(Err(_)) => self.die(),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if self.queue.capacity() > KEPT_CAPACITY && self.queue.is_empty() {
            self.queue.shrink_to(KEPT_CAPACITY / 4);
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); GATHER];
        let mut used = 0;
        let mut offset = self.offset;
        for (slice, frame) in slices.iter_mut().zip(&self.queue) {
            *slice = IoSlice::new(frame.as_slice().get(offset..).unwrap_or_default());
            offset = 0;
            used += 1;
        }
        self.writer.poll_write(cx, slices.get(..used).unwrap_or_default())
    }

    /// Takes away what the socket took.
    fn taken(&mut self, mut written: usize) {
        self.queued = self.queued.saturating_sub(written);
        while let Some(first) = self.queue.front() {
            let left = first.len() - self.offset;
            if written < left {
                self.offset += written;
                return;
            }
            written -= left;
            self.offset = 0;
            self.queue.pop_front();
        }
    }

    fn die(&mut self) {
        self.state = State::Dead;
        self.queue = VecDeque::new();
        self.queued = 0;
        self.offset = 0;
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests;
