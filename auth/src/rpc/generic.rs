//! `GenericService`: the installation itself.

use proto::auth::v1 as pb;
use proto::auth::v1::generic_service_server::GenericService;
use tonic::{Request, Response, Status};

/// Serves `GenericService`.
#[derive(Debug)]
pub(crate) struct GenericRpc;

#[tonic::async_trait]
impl GenericService for GenericRpc {
    async fn get_version(
        &self,
        _: Request<pb::GetVersionRequest>,
    ) -> Result<Response<pb::GetVersionResponse>, Status> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Response::new(pb::GetVersionResponse { version }))
    }
}
