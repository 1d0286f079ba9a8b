use std::time::Duration;

use proto::auth::v1 as pb;
use tonic::Code;

use crate::harness::{Auth, of, refusal};

fn failed() -> (Code, String) {
    (Code::Unauthenticated, "REFRESH_FAILED".to_owned())
}

#[tokio::test]
async fn a_refresh_token_gives_new_tokens_of_the_same_session() {
    let auth = Auth::start().await;
    let first = auth.login("101").await;
    auth.pass(Duration::from_mins(10)).await;

    let second = auth.refresh(&first.refresh_token).await.unwrap();

    assert_eq!(second.session_id, first.session_id);
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(second.expires_at_us - first.expires_at_us, 600_000_000);
    assert_eq!(auth.caller(&second).await.user, "account:1");
    auth.takes(&second).await.unwrap();
}

#[tokio::test]
async fn an_access_token_ends_and_the_refresh_token_goes_on() {
    let auth = Auth::start().await;
    let first = auth.login("101").await;
    auth.pass(Duration::from_mins(16)).await;

    assert_eq!(
        refusal(auth.takes(&first).await),
        (Code::Unauthenticated, "JWT_INVALID".to_owned())
    );

    let second = auth.refresh(&first.refresh_token).await.unwrap();
    auth.takes(&second).await.unwrap();
}

#[tokio::test]
async fn within_ten_seconds_the_same_token_gives_the_same_answer() {
    let auth = Auth::start().await;
    let first = auth.login("101").await;

    let (one, two) =
        tokio::join!(auth.refresh(&first.refresh_token), auth.refresh(&first.refresh_token));
    auth.pass(Duration::from_secs(9)).await;
    let late = auth.refresh(&first.refresh_token).await.unwrap();

    let (one, two) = (one.unwrap(), two.unwrap());
    for again in [&two, &late] {
        assert_eq!(again.access_token, one.access_token);
        assert_eq!(again.refresh_token, one.refresh_token);
        assert_eq!(again.expires_at_us, one.expires_at_us);
    }
    auth.refresh(&one.refresh_token).await.unwrap();
}

#[tokio::test]
async fn a_reused_token_ends_the_session() {
    let auth = Auth::start().await;
    let first = auth.login("101").await;
    let second = auth.refresh(&first.refresh_token).await.unwrap();
    let other = auth.login("101").await;
    auth.pass(Duration::from_secs(11)).await;

    assert_eq!(refusal(auth.refresh(&first.refresh_token).await), failed());

    assert_eq!(refusal(auth.refresh(&second.refresh_token).await), failed());
    let ended = async || auth.takes(&second).await.err().ok_or_else(|| "still good".to_owned());
    mesh::testing::eventually(Duration::from_secs(1), "the access token is revoked", ended).await;
    auth.takes(&other).await.unwrap();
}

#[tokio::test]
async fn a_token_that_was_never_given_is_refused() {
    let auth = Auth::start().await;

    for token in ["", "x", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(refusal(auth.refresh(token).await), failed());
    }
}

#[tokio::test]
async fn a_refresh_token_lasts_thirty_days_from_its_issue() {
    let auth = Auth::start().await;
    let day = Duration::from_hours(24);
    let first = auth.login("101").await;
    auth.pass(29 * day).await;
    let second = auth.refresh(&first.refresh_token).await.unwrap();
    auth.pass(29 * day).await;
    let third = auth.refresh(&second.refresh_token).await.unwrap();
    auth.pass(31 * day).await;

    assert_eq!(refusal(auth.refresh(&third.refresh_token).await), failed());
}

#[tokio::test]
async fn an_ended_session_cannot_be_prolonged() {
    let auth = Auth::start().await;
    let tokens = auth.login("101").await;
    auth.sessions().end_session(of(&tokens, pb::EndSessionRequest {})).await.unwrap();

    assert_eq!(refusal(auth.refresh(&tokens.refresh_token).await), failed());
}
