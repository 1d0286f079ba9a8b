//! One message in gRPC's framing, and the answer that an RPC's response comes to.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use proto::relay::v1::Answer;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::server::body::ResponseBody;

/// Length of what precedes a message: a flag for compression, and the length.
const PREFIX: usize = 5;

/// Longest answer; clients take no longer ones of RPCs either.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A body of one message.
pub(super) fn framed(message: &[u8]) -> Body {
    let mut out = BytesMut::with_capacity(PREFIX + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    out.put_slice(message);
    Body::new(Full::new(out.freeze()))
}

/// A refusal.
pub(super) fn of_status(number: u64, status: &Status) -> Answer {
    Answer {
        number,
        code: status.code().into(),
        message: Bytes::new(),
        text: status.message().to_owned(),
        details: Bytes::copy_from_slice(status.details()),
    }
}

/// Reads a response to its end.
pub(super) async fn of_response(number: u64, response: http::Response<ResponseBody>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut status = Status::from_header_map(&head.headers);
    let mut data = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return of_status(number, &error),
        };
        match frame.into_data() {
            Ok(more) if data.len() + more.len() > MAX_BYTES + PREFIX => {
                return of_status(number, &Status::out_of_range("the answer is too long"));
            }
            Ok(more) => data.extend_from_slice(&more),
            Err(frame) => {
                status = frame.trailers_ref().and_then(Status::from_header_map).or(status);
            }
        }
    }
    match status {
        Some(status) if status.code() != Code::Ok => of_status(number, &status),
        // The whole of the one message, not compressed: nobody asked for that.
        Some(_) if data.first() == Some(&0) && data.len() >= PREFIX => Answer {
            number,
            code: 0,
            message: data.freeze().slice(PREFIX..),
            text: String::new(),
            details: Bytes::new(),
        },
        Some(_) | None => of_status(number, &Status::internal("the answer cannot be read")),
    }
}
