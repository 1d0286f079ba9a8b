//! What waits for one edge: bounded in bytes, taken out by the edge's stream.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::frame::Frame;

/// The edge took its messages too slowly; what waited has been thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

/// Messages on their way to one edge, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Number of the stream, unique in the process.
    pub(crate) stream: u64,
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    bytes: usize,
    end: Option<End>,
    waker: Option<Waker>,
}

/// Nothing is taken in any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What waits is still taken out.
    Closed,
    /// Nothing waits.
    TooSlow,
}

impl Outbox {
    /// An empty outbox of stream number `stream`.
    pub(crate) fn new(stream: u64, max_bytes: usize) -> Self {
        Self { stream, max_bytes, state: Mutex::default() }
    }

    /// Takes in a message; over the bound everything is thrown away and the stream ends. Never
    /// waits: whoever dispatches events serves all edges.
    pub(crate) fn push(&self, frame: Frame) {
        let mut state = self.state.lock();
        if state.end.is_some() {
            return;
        }
        state.bytes += frame.weight();
        if state.bytes > self.max_bytes {
            state.frames = VecDeque::new();
            state.bytes = 0;
            state.end = Some(End::TooSlow);
        } else {
            state.frames.push_back(frame);
        }
        wake(state);
    }

    /// Takes in a sign of life, in place of one that nothing has come after.
    pub(crate) fn push_beat(&self, beat: Frame) {
        {
            let mut state = self.state.lock();
            if state.end.is_none()
                && let Some(last @ Frame::Beat { .. }) = state.frames.back_mut()
            {
                *last = beat;
                return;
            }
        }
        self.push(beat);
    }

    /// Takes in nothing more; the stream ends after what waits.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.end = state.end.or(Some(End::Closed));
        wake(state);
    }

    /// The next message, or the end.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, TooSlow>>> {
        let mut state = self.state.lock();
        if let Some(frame) = state.frames.pop_front() {
            state.bytes = state.bytes.saturating_sub(frame.weight());
            return Poll::Ready(Some(Ok(frame)));
        }
        match state.end {
            Some(End::TooSlow) => {
                // Said once.
                state.end = Some(End::Closed);
                Poll::Ready(Some(Err(TooSlow)))
            }
            Some(End::Closed) => Poll::Ready(None),
            None => {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    waker @ None => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }
}

/// Wakes the stream outside the lock.
fn wake(mut state: parking_lot::MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::FutureExt as _;

    use super::*;

    fn refused(scope_id: u64) -> Frame {
        Frame::Refused { scope_id, reason: "X" }
    }

    fn beat(is_store_reachable: bool) -> Frame {
        Frame::Beat { places: Vec::new(), is_store_reachable }
    }

    async fn next(outbox: &Outbox) -> Option<Result<Frame, TooSlow>> {
        poll_fn(|cx| outbox.poll_next(cx)).await
    }

    #[tokio::test]
    async fn messages_come_out_in_order_and_free_their_bytes() {
        let outbox = Outbox::new(1, 1_000);
        outbox.push(refused(1));
        outbox.push(refused(2));
        outbox.close();
        outbox.push(refused(3));

        assert!(matches!(next(&outbox).await, Some(Ok(Frame::Refused { scope_id: 1, .. }))));
        assert!(matches!(next(&outbox).await, Some(Ok(Frame::Refused { scope_id: 2, .. }))));
        assert!(next(&outbox).await.is_none());
        assert_eq!(outbox.bytes(), 0);
    }

    #[tokio::test]
    async fn over_its_bound_an_outbox_holds_nothing_and_says_so_once() {
        let outbox = Outbox::new(1, 3 * refused(0).weight());
        for scope_id in 0..4 {
            outbox.push(refused(scope_id));
        }

        assert_eq!(outbox.bytes(), 0);
        assert!(matches!(next(&outbox).await, Some(Err(TooSlow))));
        assert!(next(&outbox).await.is_none());
    }

    #[tokio::test]
    async fn beats_do_not_pile_up() {
        let outbox = Outbox::new(1, 1_000);
        outbox.push(refused(1));
        for _ in 0..100 {
            outbox.push_beat(beat(true));
        }
        outbox.push_beat(beat(false));
        outbox.close();

        assert!(matches!(next(&outbox).await, Some(Ok(Frame::Refused { .. }))));
        let last = next(&outbox).await;
        assert!(matches!(last, Some(Ok(Frame::Beat { is_store_reachable: false, .. }))));
        assert!(next(&outbox).await.is_none());
    }

    #[tokio::test]
    async fn a_waiting_stream_is_woken() {
        let outbox = Outbox::new(1, 1_000);
        let mut waiting = std::pin::pin!(next(&outbox));
        assert!(waiting.as_mut().now_or_never().is_none());

        outbox.push(refused(1));

        assert!(waiting.now_or_never().is_some());
    }
}
