use std::time::Duration;

use mesh::caller::Scope;
use proto::auth::v1 as pb;
use proto::options::v1::{Component, Level, Realm};
use tonic::Code;

use crate::harness::{Auth, DEMO, PASSWORD, refusal};

#[tokio::test]
async fn everybody_of_the_demo_directory_may_log_in() {
    let auth = Auth::start().await;
    let account = |i_customer, i_account| Scope::Account { i_customer, i_account };

    for (login, scope, user) in [
        ("admin", Scope::Everything, "admin:1"),
        ("telco", Scope::Reseller { i_reseller: 1 }, "reseller:1"),
        ("easymobile", Scope::Customer { i_customer: 1 }, "customer:1"),
        ("quicktasty", Scope::Customer { i_customer: 2 }, "customer:2"),
        ("visacenter", Scope::Customer { i_customer: 3 }, "customer:3"),
        ("101", account(1, 1), "account:1"),
        ("102", account(1, 2), "account:2"),
        ("103", account(1, 3), "account:3"),
        ("104", account(1, 4), "account:4"),
        ("105", account(1, 5), "account:5"),
        ("201", account(2, 6), "account:6"),
        ("202", account(2, 7), "account:7"),
        ("301", account(3, 8), "account:8"),
    ] {
        let tokens = auth.login(login).await;
        let caller = auth.caller(&tokens).await;

        assert_eq!((caller.scope, caller.user.as_str()), (scope, user), "{login}");
        assert_eq!(caller.session_id, tokens.session_id);
        assert_eq!(caller.login, login);
        assert_eq!(tokens.expires_in, 900);
        assert_eq!(caller.expires_at * 1_000_000, tokens.expires_at_us);
    }
}

#[tokio::test]
async fn roles_grant_what_the_demo_directory_says() {
    let auth = Auth::start().await;
    let control = |login: &'static str| {
        let auth = &auth;
        async move {
            let caller = auth.caller(&auth.login(login).await).await;
            let level = |component| {
                [Level::Modify, Level::Read].into_iter().find(|level| caller.may(component, *level))
            };
            (level(Component::CallControl), level(Component::CallSupervision))
        }
    };
    let modify = Some(Level::Modify);

    for login in ["admin", "telco", "easymobile"] {
        assert_eq!(control(login).await, (modify, modify), "{login}");
    }
    for login in ["quicktasty", "visacenter", "101", "102", "103", "105", "201", "301"] {
        assert_eq!(control(login).await, (modify, None), "{login}");
    }
    for login in ["104", "202"] {
        assert_eq!(control(login).await, (None, None), "{login}");
    }
    let dave = auth.caller(&auth.login("104").await).await;
    assert!(dave.may(Component::Accounts, Level::Read));
    assert!(!dave.may(Component::Accounts, Level::Modify));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_login_are_refused_alike() {
    let auth = Auth::start().await;
    let expected = (Code::Unauthenticated, "AUTH_FAILED".to_owned());

    for (login, password, realm) in [
        ("101", "cordbord", Realm::Unspecified),
        ("nobody", PASSWORD, Realm::Unspecified),
        ("101", PASSWORD, Realm::Customer),
        ("101", "", Realm::Account),
    ] {
        assert_eq!(refusal(auth.try_login(login, password, realm).await), expected, "{login}");
    }
    let without_proof = pb::OpenSessionRequest { login: "101".to_owned(), ..Default::default() };
    assert_eq!(
        refusal(auth.sessions().open_session(without_proof).await),
        (Code::InvalidArgument, "MISSING_PARAM".to_owned())
    );
}

#[tokio::test]
async fn five_failures_lock_the_login_at_its_address_for_a_quarter_of_an_hour() {
    let auth = Auth::start().await;
    for _ in 0..5 {
        refusal(auth.try_login("101", "wrong", Realm::Account).await);
    }

    let locked = auth.try_login("101", PASSWORD, Realm::Account).await.unwrap_err();

    assert_eq!(mesh::fault::reason_of(&locked).as_deref(), Some("LOCKED"));
    let rest = mesh::fault::retry_after_of(&locked).unwrap();
    assert!(rest > Duration::from_mins(14) && rest <= Duration::from_mins(15), "{rest:?}");
    auth.login_from("192.0.2.2", "101", PASSWORD, Realm::Account).await.unwrap();
    auth.login("102").await;
    auth.pass(Duration::from_mins(15)).await;
    auth.login("101").await;
}

#[tokio::test]
async fn an_address_from_which_many_logins_fail_is_locked() {
    let auth = Auth::start_with("[lockout]\naddress_failures = 6\n", DEMO).await;
    for number in 0..6 {
        refusal(auth.try_login(&format!("nobody{number}"), "wrong", Realm::Account).await);
    }

    let answer = auth.try_login("101", PASSWORD, Realm::Account).await;

    assert_eq!(refusal(answer), (Code::ResourceExhausted, "LOCKED".to_owned()));
    auth.login_from("192.0.2.2", "101", PASSWORD, Realm::Account).await.unwrap();
}

#[tokio::test]
async fn a_login_of_several_realms_needs_the_realm() {
    let both = DEMO.replace("login = \"quicktasty\"", "login = \"101\"");
    let auth = Auth::start_with("", &both).await;

    let answer = auth.try_login("101", PASSWORD, Realm::Unspecified).await;

    assert_eq!(refusal(answer), (Code::InvalidArgument, "REALM_REQUIRED".to_owned()));
    for realm in [Realm::Account, Realm::Customer] {
        let tokens = auth.try_login("101", PASSWORD, realm).await.unwrap();
        assert_eq!(auth.caller(&tokens).await.scope.realm(), realm);
    }
}

#[tokio::test]
async fn an_api_token_stands_in_for_the_password() {
    let secret = auth::tokens::digest(&auth::domain::secret::Secret::new("token of alice"));
    let entry = format!("id = \"101\"\napi_token_sha256 = \"{}\"", secret.expose());
    let auth = Auth::start_with("", &DEMO.replace("id = \"101\"", &entry)).await;
    let login = async |token: &str| {
        let request = pb::OpenSessionRequest {
            login: "101".to_owned(),
            token: Some(token.to_owned()),
            ..Default::default()
        };
        auth.sessions().open_session(request).await
    };

    let tokens = login("token of alice").await.unwrap().into_inner().tokens.unwrap();
    assert_eq!(auth.caller(&tokens).await.user, "account:1");
    assert_eq!(refusal(login("token of bob").await).1, "AUTH_FAILED");
}

#[tokio::test]
async fn who_must_change_the_password_is_told_so() {
    let text = DEMO.replace("id = \"101\"", "id = \"101\"\nmust_change_password = true");
    let auth = Auth::start_with("", &text).await;

    let right = auth.try_login("101", PASSWORD, Realm::Account).await;
    let wrong = auth.try_login("101", "wrong", Realm::Account).await;

    assert_eq!(refusal(right), (Code::Unauthenticated, "MUST_CHANGE_PASSWORD".to_owned()));
    assert_eq!(refusal(wrong).1, "AUTH_FAILED");
}

#[tokio::test]
async fn the_blocked_and_those_below_them_cannot_log_in() {
    let text = DEMO.replace("name = \"EasyMobile\"", "name = \"EasyMobile\"\nblocked = true");
    let auth = Auth::start_with("", &text).await;

    for login in ["easymobile", "101"] {
        let answer = auth.try_login(login, PASSWORD, Realm::Unspecified).await;
        assert_eq!(refusal(answer).1, "AUTH_FAILED", "{login}");
    }
    auth.login("201").await;
}

#[tokio::test]
async fn in_production_the_published_passwords_are_refused() {
    let auth = Auth::start_with("refuse_demo_passwords = true", DEMO).await;

    let answer = auth.try_login("admin", PASSWORD, Realm::Admin).await;

    assert_eq!(refusal(answer).1, "AUTH_FAILED");
}

#[tokio::test]
async fn logins_beyond_the_pool_are_refused_at_once() {
    let auth = Auth::start_with("[password]\nthreads = 1\nqueue = 0\n", DEMO).await;

    let answers =
        futures::future::join_all((0..4).map(|_| auth.try_login("101", PASSWORD, Realm::Account)))
            .await;

    let opened = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((1..4).contains(&opened), "{opened}");
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(answer), (Code::ResourceExhausted, "LIMIT_REACHED".to_owned()));
    }
}
