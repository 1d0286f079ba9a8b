//! The peer's half of a stream.

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message as _;
use proto::relay::v1::RelayResponse;

use super::lane::Lane;

/// Length of what precedes a message of gRPC.
const PREFIX: usize = 5;

/// Longest message that is taken.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Hands out answers until the stream ends; says how it did. `ending` is called when the peer says
/// that further requests belong elsewhere.
pub(super) async fn read(mut body: Incoming, lane: &Lane, ending: impl Fn()) -> &'static str {
    let mut buffer = BytesMut::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // Nobody waits for anything, and nobody will.
            () = lane.drained() => return "done",
        };
        let data = match frame.map(|frame| frame.map(hyper::body::Frame::into_data)) {
            Some(Ok(Ok(data))) => data,
            Some(Ok(Err(_))) | None => return "ended by the peer",
            Some(Err(_)) => return "broken",
        };
        buffer.extend_from_slice(&data);
        while let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX>() {
            let [flag, length @ ..] = *prefix;
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if flag != 0 || length > MAX_BYTES {
                return "unreadable";
            }
            if rest.len() < length {
                break;
            }
            buffer.advance(PREFIX);
            let message = buffer.split_to(length).freeze();
            let Ok(response) = RelayResponse::decode(message) else { return "unreadable" };
            response.answers.into_iter().for_each(|answer| lane.answer(answer));
            if response.is_ending {
                ending();
            }
        }
    }
}
