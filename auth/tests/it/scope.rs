use proto::auth::v1 as pb;
use proto::auth::v1::check_scope_request::Of;
use proto::options::v1::Realm;
use tonic::{Code, Status};

use crate::harness::{Auth, PASSWORD, of, refusal};

#[tokio::test]
async fn a_scope_includes_what_lies_below_and_nothing_else() {
    let auth = Auth::start().await;
    let number = |number: &str| Of::AccessNumber(number.to_owned());
    let objects = [
        Of::ICustomer(1),
        Of::ICustomer(2),
        Of::IAccount(1),
        Of::IAccount(6),
        number("1733355700"),
        Of::ICQueue(1),
        Of::ICustomer(99),
        Of::IAccount(99),
        number("101"),
        Of::ICQueue(99),
    ];
    // The customer that each object belongs to, 0 when it is out of scope.
    let all = [1, 2, 1, 2, 3, 1, 0, 0, 0, 0];

    for (login, expected) in [
        ("admin", all),
        ("telco", all),
        ("easymobile", [1, 0, 1, 0, 0, 1, 0, 0, 0, 0]),
        ("visacenter", [0, 0, 0, 0, 3, 0, 0, 0, 0, 0]),
        ("101", [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        ("102", [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ("301", [0, 0, 0, 0, 3, 0, 0, 0, 0, 0]),
    ] {
        let tokens = auth.login(login).await;
        for (object, i_customer) in objects.iter().zip(expected) {
            let request = of(&tokens, pb::CheckScopeRequest { of: Some(object.clone()) });
            let answer = auth.authorization().check_scope(request).await.unwrap().into_inner();

            let found = (answer.in_scope, answer.i_customer);
            assert_eq!(found, (i_customer != 0, i_customer), "{login} {object:?}");
        }
    }
}

#[tokio::test]
async fn a_scope_is_somebody_s() {
    let auth = Auth::start().await;
    let request = pb::CheckScopeRequest { of: Some(Of::ICustomer(1)) };

    let answer = auth.authorization().check_scope(request).await;

    assert_eq!(refusal(answer).0, Code::Unauthenticated);
}

async fn below(
    auth: &Auth,
    tokens: &pb::Tokens,
    login: &str,
    realm: Realm,
) -> Result<pb::Tokens, Status> {
    let request = pb::OpenSessionBelowRequest { login: login.to_owned(), realm: realm.into() };
    let answer = auth.sessions().open_session_below(of(tokens, request)).await?;
    Ok(answer.into_inner().tokens.unwrap())
}

#[tokio::test]
async fn admins_and_resellers_act_as_those_below_them() {
    let auth = Auth::start().await;
    let (admin, telco) = (auth.login("admin").await, auth.login("telco").await);

    for (opener, login, realm, user) in [
        (&admin, "telco", Realm::Reseller, "reseller:1"),
        (&admin, "101", Realm::Account, "account:1"),
        (&telco, "easymobile", Realm::Customer, "customer:1"),
        (&telco, "301", Realm::Account, "account:8"),
    ] {
        let tokens = below(&auth, opener, login, realm).await.unwrap();
        assert_eq!(auth.caller(&tokens).await.user, user);
        auth.refresh(&tokens.refresh_token).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_acts_as_those_beside_or_above() {
    let text = crate::harness::DEMO.replacen("reseller = \"Telco\"\n", "", 1);
    let auth = Auth::start_with("", &text).await;
    let (telco, customer) = (auth.login("telco").await, auth.login("quicktasty").await);

    for (login, realm) in [
        ("admin", Realm::Admin),
        ("telco", Realm::Reseller),
        ("nobody", Realm::Customer),
        // Sold to by the operator itself.
        ("easymobile", Realm::Customer),
        ("101", Realm::Account),
    ] {
        let answer = below(&auth, &telco, login, realm).await;
        let expected = (Code::NotFound, "LOGIN_NOT_FOUND".to_owned());
        assert_eq!(refusal(answer), expected, "{login}");
    }
    let answer = below(&auth, &customer, "201", Realm::Account).await;
    assert_eq!(refusal(answer), (Code::PermissionDenied, "ACCESS_DENIED".to_owned()));
    auth.try_login("201", PASSWORD, Realm::Account).await.unwrap();
}
