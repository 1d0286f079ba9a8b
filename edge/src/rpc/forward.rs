//! Gives a request to the service that answers it: raw bytes by path, and metadata that is the
//! same for every method. No method is known by name here.

use bytes::{Buf, BufMut, Bytes};
use mesh::client::Pool;
use mesh::{deadline, metadata};
use proto::api::Method;
use tokio::time::Instant;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use tracing::error;

use super::{Call, Fault, Origin, Outcome};
use crate::renewal;

/// The code of a request whose token is not good.
const NOT_AUTHENTICATED: i32 = -32001;

/// Forwards and writes the answer as JSON.
pub(crate) async fn forward(call: &Call<'_>, request: Bytes) -> Result<Outcome, Fault> {
    let session = call.session()?;
    let sent = unary(call, call.method, request.clone(), session.is_subscribed()).await;
    let response = match (sent, call.origin.socket()) {
        // A service may have heard before the edge that the rights of a session changed. It says so
        // before it looks at the request, which may be sent again with the new ones.
        (Err(refused), Some(socket)) if refused.code == NOT_AUTHENTICATED => {
            let renewed = renewal::newer(call.edge, socket, session).await.ok_or(refused)?;
            if !renewed.caller.may(call.method.component, call.method.level) {
                return Err(Fault::access_denied(call.method));
            }
            let call = Call { session: Some(renewed), ..*call };
            unary(&call, call.method, request, session.is_subscribed()).await?
        }
        (sent, _) => sent?,
    };
    let result = (call.method.write_result)(&response).map_err(|problem| {
        error!(method = call.method.name, error = %problem, "answer of a service is unreadable");
        Fault::internal(call.method)
    })?;
    Ok(Outcome { result, after: super::After::Nothing })
}

/// Calls `target`, which may be another method than the one that the application called.
pub(crate) async fn unary(
    call: &Call<'_>,
    target: &'static Method,
    request: Bytes,
    is_subscribed: bool,
) -> Result<Bytes, Fault> {
    let fault = |status: &Status| Fault::from_status(call.method, status);
    let pool = call
        .edge
        .services
        .get(target.grpc_service)
        .ok_or_else(|| Fault::unavailable(call.method, target.owner))?;
    let mut request = Request::new(request);
    describe(call, target, &mut request, is_subscribed)?;
    send(pool, target.grpc_path, request).await.map_err(|status| fault(&status))
}

/// Adds the metadata that every service wants.
pub(crate) fn describe<T>(
    call: &Call<'_>,
    target: &'static Method,
    request: &mut Request<T>,
    is_subscribed: bool,
) -> Result<(), Fault> {
    deadline::set(request, Instant::now() + call.edge.config.request_timeout);
    let entries = request.metadata_mut();
    if let Some(session) = &call.session {
        entries.insert(metadata::AUTHORIZATION, session.authorization.clone());
    }
    entries.insert(metadata::METHOD, MetadataValue::from_static(target.name));
    let subscribed = if is_subscribed { "1" } else { "0" };
    entries.insert(metadata::SUBSCRIBED, MetadataValue::from_static(subscribed));
    let transport = match call.origin {
        Origin::Socket(_) => metadata::TRANSPORT_WEBSOCKET,
        Origin::Rest(_) => metadata::TRANSPORT_REST,
    };
    entries.insert(metadata::TRANSPORT, MetadataValue::from_static(transport));
    if let Some(request_id) = call.request_id {
        let value = request_id.parse::<MetadataValue<Ascii>>().map_err(|_| {
            let message = "`request_id` must be printable ASCII";
            Fault::new(call.method, mesh::fault::Code::InvalidArgument, "INVALID_PARAM", message)
                .with_params(&["request_id"])
        })?;
        entries.insert(metadata::REQUEST_ID, value);
    }
    Ok(())
}

async fn send(pool: &Pool, path: &'static str, request: Request<Bytes>) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(pool.clone());
    let path = http::uri::PathAndQuery::from_static(path);
    Ok(client.unary(request, path, Raw).await?.into_inner())
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
