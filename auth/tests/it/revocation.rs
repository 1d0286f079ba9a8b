use std::time::Duration;

use proto::auth::v1 as pb;
use proto::auth::v1::revocation::Subject;
use tokio::time::{Instant, timeout};
use tonic::{Code, Streaming};

use crate::harness::{Auth, of, refusal};

type News = Streaming<pb::WatchRevocationsResponse>;

async fn watch(auth: &Auth, after: i64) -> News {
    let request = pb::WatchRevocationsRequest { after };
    auth.sessions().watch_revocations(request).await.unwrap().into_inner()
}

async fn next(news: &mut News) -> pb::WatchRevocationsResponse {
    timeout(Duration::from_secs(3), news.message()).await.unwrap().unwrap().unwrap()
}

async fn next_revocation(news: &mut News) -> (i64, pb::Revocation) {
    loop {
        let message = next(news).await;
        if let Some(revocation) = message.revocation {
            return (message.position, revocation);
        }
    }
}

#[tokio::test]
async fn ending_a_session_is_told_within_a_second() {
    let auth = Auth::start().await;
    let tokens = auth.login("101").await;
    let mut news = watch(&auth, 0).await;
    assert_eq!(next(&mut news).await.revocation, None, "a sign of life comes at once");

    let ended_at = Instant::now();
    auth.sessions().end_session(of(&tokens, pb::EndSessionRequest {})).await.unwrap();
    let (position, revocation) = next_revocation(&mut news).await;

    assert!(ended_at.elapsed() < Duration::from_secs(1));
    assert_eq!(position, 1);
    assert!(revocation.ends);
    assert_eq!(revocation.subject, Some(Subject::SessionId(tokens.session_id.clone())));
    assert_eq!(
        refusal(auth.takes(&tokens).await),
        (Code::Unauthenticated, "AUTH_FAILED".to_owned())
    );
}

#[tokio::test]
async fn a_watcher_that_comes_later_hears_what_still_matters_and_one_that_resumes_the_rest() {
    let auth = Auth::start().await;
    for _ in 0..2 {
        let tokens = auth.login("101").await;
        auth.sessions().end_session(of(&tokens, pb::EndSessionRequest {})).await.unwrap();
    }

    let mut all = watch(&auth, 0).await;
    assert_eq!(next_revocation(&mut all).await.0, 1);
    assert_eq!(next_revocation(&mut all).await.0, 2);
    let mut rest = watch(&auth, 1).await;
    assert_eq!(next_revocation(&mut rest).await.0, 2);

    auth.pass(Duration::from_hours(3)).await;
    let tokens = auth.login("101").await;
    auth.sessions().end_session(of(&tokens, pb::EndSessionRequest {})).await.unwrap();
    assert_eq!(next_revocation(&mut watch(&auth, 2).await).await.0, 3);
    let mut late = watch(&auth, 0).await;
    assert_eq!(next_revocation(&mut late).await.0, 3, "old ones no longer matter");
}

#[tokio::test]
async fn a_quiet_stream_has_a_sign_of_life_each_second() {
    let auth = Auth::start().await;
    let mut news = watch(&auth, 0).await;
    next(&mut news).await;

    let begun = Instant::now();
    next(&mut news).await;
    next(&mut news).await;

    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1500) && took < Duration::from_millis(2900), "{took:?}");
}

#[tokio::test]
async fn a_verifier_elsewhere_learns_of_an_end() {
    let auth = Auth::start().await;
    let verifier = mesh::token::Verifier::new(auth.pool(), auth.clock.clone());
    let readiness = mesh::health::Readiness::new();
    auth.tasks
        .spawn(verifier.clone().run_with_health(readiness.component("tokens"), auth.stop.clone()));
    let tokens = auth.login("101").await;
    readiness.until_ready().await;
    verifier.verify(&tokens.access_token).await.unwrap();

    auth.sessions().end_session(of(&tokens, pb::EndSessionRequest {})).await.unwrap();

    let refused = async || match verifier.verify(&tokens.access_token).await {
        Err(mesh::token::TokenError::Revoked) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    mesh::testing::eventually(Duration::from_secs(1), "the token is refused", refused).await;
}

#[tokio::test]
async fn ending_a_session_needs_one() {
    let auth = Auth::start().await;

    let answer = auth.sessions().end_session(pb::EndSessionRequest {}).await;

    assert_eq!(refusal(answer), (Code::Unauthenticated, "ENVELOPE_MISSED".to_owned()));
}
