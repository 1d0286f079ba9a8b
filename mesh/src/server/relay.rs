//! The relay stream: many requests in one RPC, each handled as one that came by itself.
//!
//! A request goes through the same stack as any other, so its token, its deadline, the limits, its
//! span and its metrics are what they always are. This module only carries it there and its answer
//! back.

mod answer;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use http::HeaderValue;
use parking_lot::Mutex;
use proto::relay::v1::relay_service_server::{RelayService, RelayServiceServer};
use proto::relay::v1::{Answer, Call, Credential, RelayRequest, RelayResponse};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};
use tower::Service as _;

use super::connection::Ending;
use super::stack::Stack;
use crate::deadline::{self, Deadline};
use crate::{metadata, methods, trace};

/// The RPC that carries the requests.
pub(super) const PATH: &str = "/cordboard.relay.v1.RelayService/Relay";

/// Credentials kept for one stream; more than any client of ours gives before it starts anew.
const CREDENTIALS: usize = 65_536;

/// Answers that wait to be sent. Who handles a request waits for a place.
const ANSWERS: usize = 1_024;

/// Bytes after which a message takes no further answer.
const BYTES: usize = 64 * 1024;

/// Longest message of requests.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Answers the RPC that carries the requests.
pub(super) async fn serve(stack: Arc<Stack>, request: http::Request<Body>) -> http::Response<Body> {
    let mut service = RelayServiceServer::new(Relay(stack)).max_decoding_message_size(MAX_BYTES);
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

struct Relay(Arc<Stack>);

#[tonic::async_trait]
impl RelayService for Relay {
    type RelayStream = BoxStream<'static, Result<RelayResponse, Status>>;

    async fn relay(
        &self,
        request: Request<Streaming<RelayRequest>>,
    ) -> Result<Response<Self::RelayStream>, Status> {
        let ending = request.extensions().get::<Ending>().map(|ending| ending.0.clone());
        let (answers, ready) = mpsc::channel(ANSWERS);
        let gone = CancellationToken::new();
        let reader = Reader {
            stack: Arc::clone(&self.0),
            credentials: HashMap::new(),
            permits: Arc::new(Semaphore::new(self.0.concurrency)),
            under_way: Arc::default(),
            answers,
            gone: gone.clone(),
        };
        self.0.tasks.spawn(reader.run(request.into_inner()));
        let ending = ending.unwrap_or_default();
        let answered = Answered { ready, ending, was_told: false, _gone: gone.drop_guard() };
        Ok(Response::new(stream::unfold(answered, Answered::next).boxed()))
    }
}

/// The answers of one stream. When it is dropped before its end, the peer is gone.
struct Answered {
    ready: mpsc::Receiver<Answer>,
    /// Cancelled when the connection is about to end.
    ending: CancellationToken,
    /// The peer was told of the end.
    was_told: bool,
    _gone: DropGuard,
}

impl Answered {
    /// Those that are ready, in one message up to a size.
    async fn next(mut self) -> Option<(Result<RelayResponse, Status>, Self)> {
        let first = tokio::select! {
            first = self.ready.recv() => Some(first?),
            () = self.ending.cancelled(), if !self.was_told => None,
        };
        let Some(first) = first else {
            self.was_told = true;
            return Some((Ok(RelayResponse { is_ending: true, ..Default::default() }), self));
        };
        let mut bytes = first.message.len();
        let mut answers = vec![first];
        while bytes < BYTES
            && let Ok(answer) = self.ready.try_recv()
        {
            bytes += answer.message.len();
            answers.push(answer);
        }
        Some((Ok(RelayResponse { answers, is_ending: false }), self))
    }
}

/// Calls under way, by number, with what gives them up.
type UnderWay = Arc<Mutex<HashMap<u64, CancellationToken>>>;

/// Reads the requests of one stream.
struct Reader {
    stack: Arc<Stack>,
    credentials: HashMap<u64, HeaderValue>,
    /// Requests handled at the same time. Without one nothing more is read.
    permits: Arc<Semaphore>,
    under_way: UnderWay,
    answers: mpsc::Sender<Answer>,
    /// The peer is gone: everything is given up.
    gone: CancellationToken,
}

impl Reader {
    /// Reads until the peer has no more requests or is gone.
    async fn run(mut self, mut requests: Streaming<RelayRequest>) {
        let gone = self.gone.clone();
        let is_whole = gone.run_until_cancelled(async {
            loop {
                match requests.message().await {
                    Ok(Some(message)) => self.take(message).await,
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            }
        });
        // Those under way are still answered when the peer has only nothing more to ask.
        if is_whole.await != Some(true) {
            gone.cancel();
        }
    }

    async fn take(&mut self, message: RelayRequest) {
        let RelayRequest { forgets, credentials, cancelled, calls } = message;
        if forgets {
            self.credentials.clear();
        }
        for credential in credentials {
            self.keep(credential);
        }
        for number in cancelled {
            if let Some(given_up) = self.under_way.lock().remove(&number) {
                given_up.cancel();
            }
        }
        for call in calls {
            // Never closed.
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
            self.begin(call, permit);
        }
    }

    /// Keeps what a number stands for. One that no header can carry stands for nothing.
    fn keep(&mut self, Credential { number, authorization }: Credential) {
        if self.credentials.len() >= CREDENTIALS {
            return;
        }
        if let Ok(mut value) = HeaderValue::try_from(authorization) {
            value.set_sensitive(true);
            self.credentials.insert(number, value);
        }
    }

    /// Handles one request in a task of its own.
    fn begin(&self, call: Call, permit: OwnedSemaphorePermit) {
        let number = call.number;
        let given_up = self.gone.child_token();
        self.under_way.lock().insert(number, given_up.clone());
        let authorization = self.credentials.get(&call.credential).cloned();
        let (stack, answers) = (Arc::clone(&self.stack), self.answers.clone());
        let noted = Noted { under_way: Arc::clone(&self.under_way), number };
        self.stack.tasks.spawn(async move {
            let answering = async {
                let answer = answer_to(stack, call, authorization).await;
                // Fails when the peer is gone.
                answers.send(answer).await.ok();
            };
            given_up.run_until_cancelled(answering).await;
            drop((noted, permit));
        });
    }
}

/// Notes that a call is over when dropped.
struct Noted {
    under_way: UnderWay,
    number: u64,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.number);
    }
}

async fn answer_to(stack: Arc<Stack>, call: Call, authorization: Option<HeaderValue>) -> Answer {
    let number = call.number;
    match request_of(call, authorization) {
        Ok(request) => {
            let Ok(response) = stack.handle_boxed(request).await;
            answer::of_response(number, response).await
        }
        Err(status) => answer::of_status(number, &status),
    }
}

/// The request as if it had come by itself.
fn request_of(
    call: Call,
    authorization: Option<HeaderValue>,
) -> Result<http::Request<Body>, Status> {
    // What streams has no single answer, and what is no public method is not for the stream.
    let is_known =
        methods::find(&call.path).is_some_and(|rpc| rpc.access.is_some() && !rpc.is_stream);
    if !is_known {
        return Err(Status::unimplemented("the stream carries requests to public methods"));
    }
    let unreadable = |_| Status::invalid_argument("a value that no header can carry");
    let mut request = http::Request::new(answer::framed(&call.message));
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = http::Uri::try_from(call.path)
        .map_err(|_| Status::invalid_argument("the path cannot be read"))?;

    let left = Duration::from_micros(call.timeout_micros).min(deadline::LONGEST);
    request.extensions_mut().insert(Deadline(Instant::now() + left));
    let context = call.trace.and_then(|place| {
        let trace_id = (place.trace_id_high, place.trace_id_low);
        trace::Context::of_parts(trace_id, place.span_id, place.is_sampled)
    });
    if let Some(context) = context {
        request.extensions_mut().insert(context);
    }

    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    if let Some(authorization) = authorization {
        headers.insert(metadata::AUTHORIZATION, authorization);
    }
    headers.insert(metadata::METHOD, HeaderValue::try_from(call.method).map_err(unreadable)?);
    let subscribed = if call.is_subscribed { "1" } else { "0" };
    headers.insert(metadata::SUBSCRIBED, HeaderValue::from_static(subscribed));
    headers.insert(metadata::TRANSPORT, HeaderValue::try_from(call.transport).map_err(unreadable)?);
    if let Some(request_id) = call.request_id {
        headers
            .insert(metadata::REQUEST_ID, HeaderValue::try_from(request_id).map_err(unreadable)?);
    }
    Ok(request)
}
