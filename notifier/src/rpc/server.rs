//! `NotifierService` as a tower service. It is written by hand because its answers
//! are those of [`wire`] and not the generated ones.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use proto::notifier::v1 as contract;
use tonic::codegen::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;

use super::Shared;
use super::explain;
use super::live::{self, LiveStream};
use super::replay::{self, ReplayStream};
use crate::wire;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct NotifierServer(Arc<Shared>);

impl NotifierServer {
    /// Serves with what `shared` holds.
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl NamedService for NotifierServer {
    const NAME: &'static str = "cordboard.notifier.v1.NotifierService";
}

impl<B> Service<http::Request<B>> for NotifierServer
where
    B: Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        match request.uri().path() {
            "/cordboard.notifier.v1.NotifierService/Live" => async move {
                let mut grpc =
                    Grpc::new(ProstCodec::<wire::LiveResponse, contract::LiveRequest>::default());
                Ok(grpc.streaming(Live(shared), request).await)
            }
            .boxed(),
            "/cordboard.notifier.v1.NotifierService/Replay" => async move {
                let mut grpc = Grpc::new(
                    ProstCodec::<wire::ReplayResponse, contract::ReplayRequest>::default(),
                );
                Ok(grpc.server_streaming(Replay(shared), request).await)
            }
            .boxed(),
            "/cordboard.notifier.v1.NotifierService/Explain" => async move {
                let mut grpc = Grpc::new(ProstCodec::<
                    contract::ExplainResponse,
                    contract::ExplainRequest,
                >::default());
                Ok(grpc.unary(Explain(shared), request).await)
            }
            .boxed(),
            _ => async { Ok(Status::unimplemented("").into_http()) }.boxed(),
        }
    }
}

struct Live(Arc<Shared>);

impl StreamingService<contract::LiveRequest> for Live {
    type Response = wire::LiveResponse;
    type ResponseStream = LiveStream;
    type Future = BoxFuture<'static, Result<Response<LiveStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<contract::LiveRequest>>) -> Self::Future {
        let stream = live::open(&self.0, request.into_inner());
        async { Ok(Response::new(stream)) }.boxed()
    }
}

struct Replay(Arc<Shared>);

impl ServerStreamingService<contract::ReplayRequest> for Replay {
    type Response = wire::ReplayResponse;
    type ResponseStream = ReplayStream;
    type Future = BoxFuture<'static, Result<Response<ReplayStream>, Status>>;

    fn call(&mut self, request: Request<contract::ReplayRequest>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        async move { Ok(Response::new(replay::open(&shared, request.into_inner()).await?)) }.boxed()
    }
}

struct Explain(Arc<Shared>);

impl UnaryService<contract::ExplainRequest> for Explain {
    type Response = contract::ExplainResponse;
    type Future = BoxFuture<'static, Result<Response<contract::ExplainResponse>, Status>>;

    fn call(&mut self, request: Request<contract::ExplainRequest>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        async move { Ok(Response::new(explain::answer(&shared, request.into_inner()).await?)) }
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use proto::notifier::v1::notifier_service_server::SERVICE_NAME;

    use super::*;

    #[test]
    fn the_service_bears_the_contract_s_name() {
        assert_eq!(NotifierServer::NAME, SERVICE_NAME);
    }
}
