//! On-spot conferences: the service behind `OnSpotConference/*`.
//!
//! It will authorise against the owner's service configuration and route to the engine of the
//! customer's home. No method is implemented yet: each answers `NOT_IMPLEMENTED`, after the
//! checks of token, realm and role that every method has.

mod config;
mod error;
mod rpc;

use mesh::health::Readiness;
use mesh::net::Listener;
use mesh::server::GrpcServer;
use mesh::token::Verifier;
use proto::conference::v1::on_spot_conference_service_server::OnSpotConferenceServiceServer;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::Config;

/// What the service uses.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Verifies access tokens; whoever made it runs it.
    pub verifier: Verifier,
    /// What the process says of itself.
    pub readiness: Readiness,
}

/// Serves until `stop`, then finishes what is under way.
///
/// # Errors
/// When the server cannot start.
pub async fn serve(
    config: Config,
    deps: Deps,
    listener: Listener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    GrpcServer::new("conference")
        .verifier(deps.verifier)
        .descriptor(proto::FILE_DESCRIPTOR_SET)
        .readiness(deps.readiness)
        .drain_timeout(config.drain_timeout)
        .routes(Routes::new(OnSpotConferenceServiceServer::new(rpc::Rpc)))
        .serve(listener, stop)
        .await
}
