//! Through a socket that takes as much as it likes.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;

/// A socket that takes the byte counts it is told, then nothing more until told again.
#[derive(Clone, Debug, Default)]
struct Moody(Arc<Mutex<MoodyState>>);

#[derive(Debug, Default)]
struct MoodyState {
    allowed: VecDeque<usize>,
    taken: Vec<u8>,
    is_broken: bool,
}

impl Moody {
    fn allow(&self, bytes: usize) {
        self.0.lock().allowed.push_back(bytes);
    }

    fn taken(&self) -> Vec<u8> {
        self.0.lock().taken.clone()
    }
}

impl Sink for Moody {
    fn poll_write(
        &mut self,
        _cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.is_broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let Some(allowed) = state.allowed.pop_front() else { return Poll::Pending };
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let count = allowed.min(bytes.len());
        state.taken.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }
}

fn outbound(events: usize) -> (Moody, Outbound<Moody>) {
    let socket = Moody::default();
    let outbound = Outbound::new(socket.clone(), Budget { events, all: events * 2 });
    let begun = outbound.poll_flush(&mut Context::from_waker(Waker::noop()));
    assert!(begun.is_ready());
    (socket, outbound)
}

fn texts(bytes: &[u8]) -> Vec<String> {
    Frame::split(bytes)
        .iter()
        .filter(|frame| !frame.is_control())
        .map(|frame| String::from_utf8_lossy(&frame.as_slice()[2..]).into_owned())
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    Event(u8),
    Answer(u8),
    Ping,
    Allow(usize),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Event),
        any::<u8>().prop_map(Step::Answer),
        Just(Step::Ping),
        (1_usize..40).prop_map(Step::Allow),
        Just(Step::Flush),
    ]
}

proptest! {
    #[test]
    fn frames_never_mix_and_keep_their_order(steps in proptest::collection::vec(step(), 0..200)) {
        let (socket, outbound) = outbound(256);
        let mut expected = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let text = |length: u8| format!("{number}:{}", "x".repeat((length % 100).into()));
            let (text, pushed) = match step {
                Step::Event(length) => {
                    let text = text(length);
                    let pushed = outbound.push_event(Frame::text(text.as_bytes()));
                    (text, pushed)
                }
                Step::Answer(length) => {
                    let text = text(length);
                    let pushed = outbound.send(Frame::text(text.as_bytes()));
                    (text, pushed)
                }
                Step::Ping => {
                    outbound.send(Frame::ping());
                    continue;
                }
                Step::Allow(bytes) => {
                    socket.allow(bytes);
                    continue;
                }
                Step::Flush => {
                    outbound.flush();
                    continue;
                }
            };
            if matches!(pushed, Pushed::Taken { .. }) {
                expected.push(text);
            }
        }

        outbound.close(1000, "done", false);
        while outbound.poll_flush(&mut Context::from_waker(Waker::noop())).is_pending() {
            socket.allow(7);
        }

        let bytes = socket.taken();
        prop_assert_eq!(texts(&bytes), expected);
        prop_assert!(Frame::split(&bytes).last().unwrap().is_close());
    }
}

#[test]
fn an_event_over_the_budget_is_refused_and_an_answer_is_not() {
    let (_socket, outbound) = outbound(100);
    let text = Frame::text(&[b'x'; 60]);

    assert_eq!(outbound.push_event(text.clone()), Pushed::Taken { is_first: true });
    assert_eq!(outbound.push_event(text.clone()), Pushed::Full);
    assert_eq!(outbound.push(text.clone()), Pushed::Taken { is_first: true });
    assert_eq!(outbound.push(text.clone()), Pushed::Taken { is_first: false });
    assert_eq!(outbound.push(text), Pushed::Full);
}

#[test]
fn a_close_that_discards_keeps_the_frame_that_has_begun() {
    let (socket, outbound) = outbound(1_000);
    socket.allow(3);
    outbound.send(Frame::text(b"first"));
    outbound.send(Frame::text(b"second"));

    outbound.close(4413, "too slow", true);
    socket.allow(1_000);
    outbound.flush();

    assert_eq!(texts(&socket.taken()), ["first"]);
    assert_eq!(outbound.push(Frame::text(b"third")), Pushed::Closed);
}

#[test]
fn a_ping_overtakes_what_waits() {
    let (socket, outbound) = outbound(1_000);
    socket.allow(1);
    outbound.send(Frame::text(b"first"));
    outbound.send(Frame::text(b"second"));

    outbound.push(Frame::ping());
    socket.allow(1_000);
    outbound.flush();

    let frames = Frame::split(&socket.taken());
    assert_eq!(frames, [Frame::text(b"first"), Frame::ping(), Frame::text(b"second")]);
}

#[test]
fn a_broken_socket_takes_nothing_more() {
    let (socket, outbound) = outbound(1_000);
    socket.0.lock().is_broken = true;

    outbound.send(Frame::text(b"first"));

    assert_eq!(outbound.push(Frame::text(b"second")), Pushed::Closed);
    let polled = outbound.poll_flush(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(_))));
}

#[tokio::test]
async fn who_waits_is_told_when_half_the_budget_is_free() {
    let (socket, outbound) = outbound(100);
    outbound.push_event(Frame::text(&[b'x'; 80]));

    let (is_open, ()) = tokio::join!(outbound.drained(), async {
        tokio::task::yield_now().await;
        socket.allow(50);
        outbound.flush();
    });

    assert!(is_open);
}
