//! The service as it is served.

use mesh::caller::Scope;
use mesh::client::Pool;
use mesh::health::Readiness;
use mesh::net::{Network, Target};
use mesh::testing::token::{ISSUER_OF_TESTS, claims};
use mesh::token::Verifier;
use mesh::{Clock, fault, metadata};
use proto::conference::v1::GetOnSpotConferenceListRequest;
use proto::conference::v1::on_spot_conference_service_client::OnSpotConferenceServiceClient;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request};

#[tokio::test]
async fn a_method_that_nobody_answers_yet_says_so() {
    let (network, tasks, stop) = (Network::default(), TaskTracker::new(), CancellationToken::new());
    let deps = conference::Deps {
        verifier: Verifier::with_keys(&ISSUER_OF_TESTS.jwks()),
        readiness: Readiness::new(),
    };
    let listener = network.listen_memory("conference");
    let serving = conference::serve(conference::Config::default(), deps, listener, stop.clone());
    let serving = tasks.spawn(serving);
    let target = vec![Target::Memory("conference".to_owned())];
    let pool = Pool::new("conference", target, network, tasks.clone(), stop.clone());
    let scope = Scope::Customer { i_customer: 1 };
    let token = ISSUER_OF_TESTS.sign(&claims(scope, &["call_control:read"], Clock::system().now()));
    let mut request = Request::new(GetOnSpotConferenceListRequest::default());
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert(metadata::AUTHORIZATION, bearer);

    let mut client = OnSpotConferenceServiceClient::new(pool);
    let status = client.get_on_spot_conference_list(request).await.unwrap_err();

    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(fault::reason_of(&status).as_deref(), Some("NOT_IMPLEMENTED"));
    stop.cancel();
    serving.await.unwrap().unwrap();
}
