//! A service for the tests of server and client: it tells what it was given.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use proto::call::v1::CallRef;
use proto::callcontrol::v1::call_control_service_client::CallControlServiceClient;
use proto::callcontrol::v1::call_control_service_server::{
    CallControlService, CallControlServiceServer,
};
use proto::callcontrol::v1::{GetCallInfoRequest, GetCallInfoResponse};
use proto::notifier::v1::notifier_service_server::{NotifierService, NotifierServiceServer};
use proto::notifier::v1::{
    ExplainRequest, ExplainResponse, LiveRequest, LiveResponse, ReplayRequest, ReplayResponse,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::GrpcServer;
use crate::client::Pool;
use crate::net::{Listener, Network, Target};
use crate::{caller, deadline, trace};

/// Answers `CallControl/get_call_info` and `Replay` as the call id says.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) name: &'static str,
}

/// Asks the probe to do as `order` says.
pub(crate) fn ask(order: &str) -> Request<GetCallInfoRequest> {
    let call = CallRef { id: order.to_owned(), tag: None };
    Request::new(GetCallInfoRequest { call: Some(call) })
}

/// One entry of what the probe told.
pub(crate) fn told<T>(response: &Response<T>, name: &str) -> String {
    crate::metadata::text(response.metadata(), name).unwrap_or_default().to_owned()
}

#[tonic::async_trait]
impl CallControlService for Probe {
    async fn get_call_info(
        &self,
        request: Request<GetCallInfoRequest>,
    ) -> Result<Response<GetCallInfoResponse>, Status> {
        let left = deadline::of(&request) - Instant::now();
        let inherited = deadline::current().map(|it| it - Instant::now()).unwrap_or_default();
        let caller = caller::of(&request).map(|it| it.user.clone()).unwrap_or_default();
        let order = request.into_inner().call.unwrap_or_default().id;
        match order.as_str() {
            "panic" => panic!("told to"),
            "never" => std::future::pending().await,
            order => {
                if let Some(millis) = order.strip_prefix("wait:") {
                    sleep(Duration::from_millis(millis.parse().unwrap())).await;
                }
            }
        }
        let mut response = Response::new(GetCallInfoResponse::default());
        let mut tell = |name: &'static str, value: String| {
            response.metadata_mut().insert(name, value.parse().unwrap());
        };
        tell("x-name", self.name.to_owned());
        tell("x-left-ms", left.as_millis().to_string());
        tell("x-inherited-ms", inherited.as_millis().to_string());
        tell("x-caller", caller);
        tell("x-trace", trace::current_trace_id());
        Ok(response)
    }
}

#[tonic::async_trait]
impl NotifierService for Probe {
    type LiveStream = BoxStream<'static, Result<LiveResponse, Status>>;
    type ReplayStream = BoxStream<'static, Result<ReplayResponse, Status>>;

    async fn live(
        &self,
        _request: Request<Streaming<LiveRequest>>,
    ) -> Result<Response<Self::LiveStream>, Status> {
        panic!("told to")
    }

    /// Sends two messages and then nothing more; panics in place of the second with a token.
    async fn replay(
        &self,
        request: Request<ReplayRequest>,
    ) -> Result<Response<Self::ReplayStream>, Status> {
        let panics = !request.into_inner().token.is_empty();
        let messages = stream::iter(0..2).map(move |number| {
            assert!(!(panics && number == 1), "told to");
            Ok(ReplayResponse::default())
        });
        Ok(Response::new(messages.chain(stream::pending()).boxed()))
    }

    async fn explain(
        &self,
        _request: Request<ExplainRequest>,
    ) -> Result<Response<ExplainResponse>, Status> {
        Err(Status::unimplemented("no test asks"))
    }
}

impl Probe {
    pub(crate) fn server(name: &'static str) -> GrpcServer {
        let probe = Self { name };
        let routes = Routes::new(CallControlServiceServer::new(probe.clone()))
            .add_service(NotifierServiceServer::new(probe));
        GrpcServer::new(name).descriptor(proto::FILE_DESCRIPTOR_SET).routes(routes)
    }
}

/// A server that runs until dropped or stopped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) target: Target,
    pub(crate) stop: CancellationToken,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) fn start(server: GrpcServer, listener: Listener) -> Self {
        let (target, stop) = (listener.local_target(), CancellationToken::new());
        let serving = TaskTracker::new().spawn(server.serve(listener, stop.clone()));
        Self { target, stop, serving }
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(self) {
        self.serving.abort();
        self.serving.await.unwrap_err();
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// A pool of these instances.
pub(crate) fn pool(network: &Network, targets: &[&Target]) -> Pool {
    let targets = targets.iter().map(|target| (*target).clone()).collect();
    Pool::new("probe", targets, network.clone(), TaskTracker::new(), CancellationToken::new())
}

/// A client of these instances.
pub(crate) fn client(network: &Network, targets: &[&Target]) -> CallControlServiceClient<Pool> {
    CallControlServiceClient::new(pool(network, targets))
}
