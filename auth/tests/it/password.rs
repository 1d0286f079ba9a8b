use std::time::Duration;

use proto::auth::v1 as pb;
use proto::options::v1::Realm;
use tonic::{Code, Status};

use crate::harness::{Auth, DEMO, HOME, PASSWORD, of, refusal};

async fn change(auth: &Auth, tokens: &pb::Tokens, old: &str, new: &str) -> Result<(), Status> {
    let request = request(None, old, new);
    auth.sessions().change_password(of(tokens, request)).await.map(|_answer| ())
}

/// Without a session.
async fn change_of(auth: &Auth, login: &str, old: &str, new: &str) -> Result<(), Status> {
    auth.sessions().change_password(request(Some(login), old, new)).await.map(|_answer| ())
}

fn request(login: Option<&str>, old: &str, new: &str) -> pb::ChangePasswordRequest {
    pb::ChangePasswordRequest {
        old_password: old.to_owned(),
        new_password: new.to_owned(),
        login: login.map(str::to_owned),
        realm: Realm::Unspecified.into(),
        address: HOME.to_owned(),
    }
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_of_the_same_user() {
    let auth = Auth::start().await;
    let (own, other, bob) =
        (auth.login("101").await, auth.login("101").await, auth.login("102").await);

    change(&auth, &own, PASSWORD, "a longer one").await.unwrap();

    for tokens in [&own, &other] {
        let ended = async || auth.takes(tokens).await.err().ok_or_else(|| "still good".to_owned());
        mesh::testing::eventually(Duration::from_secs(1), "the session ends", ended).await;
        assert_eq!(refusal(auth.refresh(&tokens.refresh_token).await).1, "REFRESH_FAILED");
    }
    auth.takes(&bob).await.unwrap();
    assert_eq!(refusal(auth.try_login("101", PASSWORD, Realm::Account).await).1, "AUTH_FAILED");
    auth.try_login("101", "a longer one", Realm::Account).await.unwrap();
}

#[tokio::test]
async fn a_password_must_be_known_and_the_new_one_good() {
    let auth = Auth::start().await;
    let tokens = auth.login("easymobile").await;

    for (old, new, code, reason) in [
        ("wrong", "a longer one", Code::Unauthenticated, "OLD_PASSWORD_WRONG"),
        (PASSWORD, "short", Code::InvalidArgument, "PASSWORD_REFUSED"),
        (PASSWORD, PASSWORD, Code::InvalidArgument, "PASSWORD_REFUSED"),
        (PASSWORD, "EasyMobile", Code::InvalidArgument, "PASSWORD_REFUSED"),
    ] {
        let answer = change(&auth, &tokens, old, new).await;
        assert_eq!(refusal(answer), (code, reason.to_owned()), "{new}");
    }
}

#[tokio::test]
async fn guessing_the_old_password_locks_out() {
    let auth = Auth::start().await;
    let tokens = auth.login("101").await;
    for _ in 0..5 {
        refusal(change(&auth, &tokens, "wrong", "a longer one").await);
    }

    assert_eq!(refusal(change(&auth, &tokens, PASSWORD, "a longer one").await).1, "LOCKED");
}

#[tokio::test]
async fn who_must_change_the_password_can_without_a_session() {
    let text = DEMO.replace("id = \"101\"", "id = \"101\"\nmust_change_password = true");
    let auth = Auth::start_with("", &text).await;
    let login = async |password| auth.try_login("101", password, Realm::Account).await;
    assert_eq!(refusal(login(PASSWORD).await).1, "MUST_CHANGE_PASSWORD");

    for (name, old, new, reason) in [
        ("101", "wrong", "a longer one", "OLD_PASSWORD_WRONG"),
        ("nobody", PASSWORD, "a longer one", "OLD_PASSWORD_WRONG"),
        ("101", PASSWORD, PASSWORD, "PASSWORD_REFUSED"),
        ("101", PASSWORD, "short", "PASSWORD_REFUSED"),
    ] {
        assert_eq!(refusal(change_of(&auth, name, old, new).await).1, reason, "{name} {new}");
    }
    change_of(&auth, "101", PASSWORD, "a longer one").await.unwrap();

    assert_eq!(refusal(login(PASSWORD).await).1, "AUTH_FAILED");
    login("a longer one").await.unwrap();
}

#[tokio::test]
async fn a_password_changed_without_a_session_ends_all() {
    let auth = Auth::start().await;
    let (own, bob) = (auth.login("101").await, auth.login("102").await);

    change_of(&auth, "101", PASSWORD, "a longer one").await.unwrap();

    let ended = async || auth.takes(&own).await.err().ok_or_else(|| "still good".to_owned());
    mesh::testing::eventually(Duration::from_secs(1), "the session ends", ended).await;
    auth.takes(&bob).await.unwrap();
    assert_eq!(refusal(auth.refresh(&own.refresh_token).await).1, "REFRESH_FAILED");
}

#[tokio::test]
async fn guesses_without_a_session_count_as_failed_logins() {
    let auth = Auth::start().await;
    for _ in 0..5 {
        refusal(change_of(&auth, "101", "wrong", "a longer one").await);
    }

    assert_eq!(refusal(change_of(&auth, "101", PASSWORD, "a longer one").await).1, "LOCKED");
    assert_eq!(refusal(auth.try_login("101", PASSWORD, Realm::Account).await).1, "LOCKED");
}
