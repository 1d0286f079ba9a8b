use crate::harness::{Auth, DEMO};

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        format!("[database]\nurl = \"sqlite://{}/data/auth.db\"\n", folder.path().display());
    let before = Auth::start_with(&settings, DEMO).await;
    let tokens = before.login("101").await;
    before.stop().await;

    // Another seed does nothing to a directory that is there.
    let after = Auth::start_with(&settings, &DEMO.replace("\"Alice\"", "\"Alicia\"")).await;

    after.takes(&tokens).await.unwrap();
    after.refresh(&tokens.refresh_token).await.unwrap();
    let own = crate::harness::of(&tokens, proto::auth::v1::GetAccountInfoRequest::default());
    let info = after.accounts().get_account_info(own).await.unwrap().into_inner();
    assert_eq!(info.account_info.unwrap().name, "Alice");
}
