//! One request of a session, whichever way it goes: over the relay stream, or as an RPC of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tokio::time::Instant;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use super::Pool;
use crate::fault::{self, Code};
use crate::{deadline, metadata};

const BEARER: &str = "Bearer ";

/// The number of the next credential of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// An access token as requests carry it. Clones are the same credential: a relay stream is given
/// it once. It says what the token is, not that it is good.
#[derive(Clone)]
pub struct Credential(Arc<Inner>);

struct Inner {
    /// Never given to another one in this process.
    number: u64,
    authorization: MetadataValue<Ascii>,
}

/// Never shows the token.
impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Credential").field(&self.0.number).finish()
    }
}

impl Credential {
    /// The credential of a token; `None` for one that no header can carry.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        let mut authorization: MetadataValue<Ascii> = format!("{BEARER}{token}").parse().ok()?;
        authorization.set_sensitive(true);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Some(Self(Arc::new(Inner { number, authorization })))
    }

    /// The access token.
    #[must_use]
    pub fn token(&self) -> &str {
        self.text().strip_prefix(BEARER).unwrap_or_default()
    }

    /// `Bearer` and the token, as services want it.
    #[must_use]
    pub fn authorization(&self) -> MetadataValue<Ascii> {
        self.0.authorization.clone()
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    pub(super) fn text(&self) -> &str {
        self.0.authorization.to_str().unwrap_or_default()
    }
}

/// One request of a session.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Path of the RPC.
    pub path: &'static str,
    /// The encoded request.
    pub message: Bytes,
    /// Whose it is; absent for a method that may be called without a session.
    pub credential: Option<Credential>,
    /// By when there must be an answer.
    pub deadline: Instant,
    /// The public method that the application called.
    pub method: &'static str,
    /// The application's `request_id`; printable ASCII.
    pub request_id: Option<String>,
    /// True when the session has a subscription.
    pub is_subscribed: bool,
    /// How the application made the request: [`metadata::TRANSPORT_REST`] or
    /// [`metadata::TRANSPORT_WEBSOCKET`].
    pub transport: &'static str,
}

impl Ask {
    /// The same as a request of its own.
    fn into_request(self) -> Result<Request<Bytes>, Status> {
        let mut request = Request::new(self.message);
        deadline::set(&mut request, self.deadline);
        let entries = request.metadata_mut();
        if let Some(credential) = &self.credential {
            entries.insert(metadata::AUTHORIZATION, credential.authorization());
        }
        entries.insert(metadata::METHOD, MetadataValue::from_static(self.method));
        let subscribed = if self.is_subscribed { "1" } else { "0" };
        entries.insert(metadata::SUBSCRIBED, MetadataValue::from_static(subscribed));
        entries.insert(metadata::TRANSPORT, MetadataValue::from_static(self.transport));
        if let Some(request_id) = &self.request_id {
            let value = request_id.parse().map_err(|_| {
                let message = "`request_id` must be printable ASCII";
                fault::own(Code::InvalidArgument, "INVALID_PARAM", message)
            })?;
            entries.insert(metadata::REQUEST_ID, value);
        }
        Ok(request)
    }
}

/// Sends it as an RPC of its own.
pub(super) async fn alone(pool: &Pool, ask: Ask) -> Result<Bytes, Status> {
    let path = PathAndQuery::from_static(ask.path);
    let request = ask.into_request()?;
    Ok(tonic::client::Grpc::new(pool.clone()).unary(request, path, Raw).await?.into_inner())
}

/// Messages as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
