//! `GET /recordings/{id}`: the file of a recording, fetched part by part as the client takes it, so
//! that no file is ever held whole.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use mesh::{deadline, metadata};
use proto::api;
use proto::callcontrol::v1::call_control_service_client::CallControlServiceClient;
use proto::callcontrol::v1::{ReadRecordingRequest, ReadRecordingResponse};
use serde_json::Map;
use tokio::time::Instant;
use tonic::metadata::MetadataValue;

use super::reply::{self, Reply};
use super::rest;
use crate::edge::Edge;
use crate::entrance::Entrance;
use crate::rpc::{Fault, Origin, check};
use crate::session::Session;

/// A file on its way.
pub(super) type File = UnsyncBoxBody<Bytes, io::Error>;

/// Whoever may list recordings may have them.
const METHOD: &str = "CallControl/get_recording_list";

/// Longest id that there can be.
const LONGEST: usize = 128;

/// Answers `GET /recordings/{id}` and `HEAD`.
pub(super) async fn answer(
    edge: &Arc<Edge>,
    entrance: Entrance,
    id: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response<File>, Reply> {
    let asked = api::method(METHOD).ok_or_else(reply::not_found)?;
    let given = rest::given(edge, &entrance, asked, headers, &Map::new()).await;
    let session = check::entitled(edge, &Origin::Rest(entrance), given, asked).await;
    let session = session.map_err(|fault| refused(&fault))?;
    if id.len() > LONGEST {
        return Err(reply::not_found());
    }
    let reader = Reader { edge: Arc::clone(edge), session, method: asked, id: id.to_owned() };
    let first = reader.read(0).await.map_err(|fault| refused(&fault))?;
    let size = u64::try_from(first.size).unwrap_or(0);
    let body = if method == Method::HEAD {
        http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
    } else {
        reader.file(first, size)
    };
    let mut reply = Response::new(body);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{id}.wav\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(reply)
}

/// Unlike the REST twin, a file is refused with the status that says why.
fn refused(fault: &Fault) -> Reply {
    let status = match fault.code {
        -32001 => StatusCode::UNAUTHORIZED,
        -32003 => StatusCode::FORBIDDEN,
        -32004 => StatusCode::NOT_FOUND,
        -32029 => StatusCode::TOO_MANY_REQUESTS,
        -32050 => StatusCode::SERVICE_UNAVAILABLE,
        -32051 => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    reply::fault(status, &fault.faultcode, &fault.message)
}

/// Reads one recording for one session.
struct Reader {
    edge: Arc<Edge>,
    session: Arc<Session>,
    method: &'static api::Method,
    id: String,
}

impl Reader {
    async fn read(&self, offset: u64) -> Result<ReadRecordingResponse, Fault> {
        let pool = self.edge.services.get(self.method.grpc_service);
        let pool = pool.ok_or_else(|| Fault::unavailable(self.method, self.method.owner))?;
        let mut request = tonic::Request::new(ReadRecordingRequest {
            i_recording: self.id.clone(),
            offset: i64::try_from(offset).unwrap_or(i64::MAX),
        });
        deadline::set(&mut request, Instant::now() + self.edge.config.request_timeout);
        let entries = request.metadata_mut();
        entries.insert(AUTHORIZATION.as_str(), self.session.credential.authorization());
        entries.insert(metadata::METHOD, MetadataValue::from_static(self.method.name));
        let mut client = CallControlServiceClient::new(pool.clone());
        let answer = client.read_recording(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Fault::from_status(self.method, &status))
    }

    /// The whole file, beginning with a part that is there already.
    fn file(self, first: ReadRecordingResponse, size: u64) -> File {
        let parts = stream::try_unfold(
            (self, Some(first.data), 0_u64),
            move |(reader, ready, offset)| async move {
                let data = match ready {
                    Some(data) => data,
                    None if offset >= size => return Ok(None),
                    None => reader.read(offset).await.map_err(|fault| broken(&fault))?.data,
                };
                if data.is_empty() && offset < size {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let next = offset + u64::try_from(data.len()).unwrap_or(u64::MAX);
                let frame = Frame::data(data);
                Ok::<_, io::Error>(Some((frame, (reader, None, next))))
            },
        );
        StreamBody::new(parts).boxed_unsync()
    }
}

fn broken(fault: &Fault) -> io::Error {
    io::Error::other(fault.message.clone())
}
