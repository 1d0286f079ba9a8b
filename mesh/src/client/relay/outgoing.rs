//! What waits, as messages of the stream: all that waits goes in one, up to a size.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::{Body, Frame};
use prost::Message as _;
use proto::relay::v1::{Call, Credential, RelayRequest, TracePlace};
use tokio::time::Instant;
use tonic::Status;

use super::lane::{Lane, Queue, Waiting};

/// Requests in one message.
const CALLS: usize = 256;

/// Bytes after which a message takes no further request.
const BYTES: usize = 64 * 1024;

/// Length of what precedes a message of gRPC: a flag for compression, and the length.
const PREFIX: usize = 5;

/// This half of the stream. Ends when the lane is closed and nothing waits.
pub(super) struct Outgoing(Arc<Lane>);

impl Outgoing {
    pub(super) const fn new(lane: Arc<Lane>) -> Self {
        Self(lane)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = self.0.with(|queue| {
            if queue.is_empty() && queue.is_closed() {
                return Poll::Ready(None);
            }
            if let Some(message) = take(queue) {
                return Poll::Ready(Some(message));
            }
            queue.wake_later(cx.waker());
            Poll::Pending
        });
        polled.map(|message| message.map(|message| Ok(Frame::data(framed(&message)))))
    }
}

/// What waits, as far as it fits.
fn take(queue: &mut Queue) -> Option<RelayRequest> {
    let mut message =
        RelayRequest { cancelled: std::mem::take(&mut queue.cancelled), ..Default::default() };
    let (now, mut bytes) = (Instant::now(), 0);
    while message.calls.len() < CALLS && bytes < BYTES {
        // Before the calls that name them: a message forgets first, so only its first call may.
        if message.calls.is_empty() {
            message.forgets = queue.forget();
        }
        let Some(waiting) = queue.next() else { break };
        bytes += waiting.ask.message.len();
        if let Some(credential) = &waiting.ask.credential
            && queue.give(credential.number())
        {
            bytes += credential.text().len();
            message.credentials.push(Credential {
                number: credential.number(),
                authorization: credential.text().to_owned(),
            });
        }
        message.calls.push(call(waiting, now));
    }
    let is_empty = message.calls.is_empty() && message.cancelled.is_empty() && !message.forgets;
    (!is_empty).then_some(message)
}

fn call(waiting: Waiting, now: Instant) -> Call {
    let Waiting { number, ask, trace } = waiting;
    let left = ask.deadline.saturating_duration_since(now) + Duration::from_micros(1);
    Call {
        number,
        path: ask.path.to_owned(),
        message: ask.message,
        credential: ask.credential.map_or(0, |credential| credential.number()),
        timeout_micros: u64::try_from(left.as_micros()).unwrap_or(u64::MAX),
        trace: trace.map(|context| {
            let (trace_id_high, trace_id_low) = context.trace_id_halves();
            TracePlace {
                trace_id_high,
                trace_id_low,
                span_id: context.span_id(),
                is_sampled: context.is_sampled(),
            }
        }),
        method: ask.method.to_owned(),
        request_id: ask.request_id,
        is_subscribed: ask.is_subscribed,
        transport: ask.transport.to_owned(),
    }
}

fn framed(message: &RelayRequest) -> Bytes {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(PREFIX + length);
    out.put_u8(0);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // Only fails for want of room, and there is room.
    message.encode(&mut out).ok();
    out.freeze()
}
