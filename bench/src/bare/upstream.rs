//! What the bare proxy calls: one unary method that answers at once.

use proto::auth::v1::generic_service_server::{GenericService, GenericServiceServer};
use proto::auth::v1::{GetVersionRequest, GetVersionResponse};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

struct Upstream;

#[tonic::async_trait]
impl GenericService for Upstream {
    async fn get_version(
        &self,
        _request: Request<GetVersionRequest>,
    ) -> Result<Response<GetVersionResponse>, Status> {
        Ok(Response::new(GetVersionResponse { version: "1".to_owned() }))
    }
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let (listener, address) = super::listen().await?;
    super::say_ready(&[("listen", address)]);
    tonic::transport::Server::builder()
        .add_service(GenericServiceServer::new(Upstream))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}
