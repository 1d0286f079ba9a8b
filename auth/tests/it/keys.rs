use std::time::Duration;

use mesh::testing::eventually;
use mesh::token::Verifier;
use proto::auth::v1 as pb;
use tokio_util::sync::CancellationToken;

use crate::harness::{Auth, DEMO};

const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the key that signed a token.
fn kid(tokens: &pb::Tokens) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = tokens.access_token.split('.').next().unwrap();
    let header: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The names of the keys that are published, newest first.
async fn published(auth: &Auth) -> Vec<String> {
    let keys = auth.sessions().get_keys(pb::GetKeysRequest {}).await.unwrap().into_inner();
    let keys: serde_json::Value = serde_json::from_str(&keys.jwks).unwrap();
    let kids = keys["keys"].as_array().unwrap().iter();
    kids.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn until_published(auth: &Auth, count: usize) -> Vec<String> {
    eventually(PATIENCE, "the keys", || async {
        let kids = published(auth).await;
        if kids.len() == count { Ok(kids) } else { Err(format!("{kids:?}")) }
    })
    .await
}

#[tokio::test]
async fn a_key_that_is_too_old_is_replaced_and_nobody_is_logged_out() {
    let auth = Auth::start_with("[session]\nkey_lifetime = \"20m\"\n", DEMO).await;
    auth.pass(Duration::from_mins(19)).await;
    let before = auth.login("101").await;
    let elsewhere = Verifier::new(auth.pool(), auth.clock.clone());
    let stop = CancellationToken::new();
    auth.tasks.spawn(elsewhere.clone().run(stop.clone()));
    elsewhere.verify(&before.access_token).await.unwrap();

    auth.pass(Duration::from_mins(1)).await;
    let kids = until_published(&auth, 2).await;
    let meanwhile = auth.login("101").await;
    assert_eq!(kid(&meanwhile), kid(&before), "the new key is published before it signs");
    auth.pass(Duration::from_secs(5)).await;
    let after = auth.login("101").await;

    assert_eq!((kid(&after), kid(&before)), (kids[0].clone(), kids[1].clone()));
    stop.cancel();
    let elsewhere = auth.verifier().await;
    for tokens in [&before, &meanwhile, &after] {
        auth.takes(tokens).await.unwrap();
        elsewhere.verify(&tokens.access_token).await.unwrap();
    }
    let refreshed = auth.refresh(&before.refresh_token).await.unwrap();
    assert_eq!((kid(&refreshed), refreshed.session_id), (kids[0].clone(), before.session_id));
}
