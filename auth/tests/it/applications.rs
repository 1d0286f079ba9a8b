use proto::auth::v1 as pb;
use tonic::{Code, Status};

use crate::harness::{Auth, DEMO, of, refusal};

/// The demo directory, whose visa center may manage its applications and has a number to spare.
async fn start() -> Auth {
    let directory = DEMO
        .replace(
            "name = \"call control\"\ncall_control = \"modify\"",
            "name = \"call control\"\ncall_control = \"modify\"\nivr = \"modify\"",
        )
        .replace("login = \"visacenter\"", "login = \"visacenter\"\nnumbers = [\"1733355701\"]");
    Auth::start_with("", &directory).await
}

async fn add(
    auth: &Auth,
    login: &str,
    change: impl FnOnce(&mut pb::AddIvrApplicationRequest),
) -> Result<i64, Status> {
    let mut request = pb::AddIvrApplicationRequest {
        name: "visa-menu".to_owned(),
        r#type: "User Application".to_owned(),
        i_account: 8,
        ..Default::default()
    };
    change(&mut request);
    let tokens = auth.login(login).await;
    let answer = auth.applications().add_ivr_application(of(&tokens, request)).await?;
    Ok(answer.into_inner().i_ivr_application)
}

async fn lead(auth: &Auth, login: &str, to: i64, number: &str) -> Result<(), Status> {
    let request = pb::AddAccessNumberRequest { i_ivr_application: to, number: number.to_owned() };
    let tokens = auth.login(login).await;
    let answer = auth.applications().add_access_number(of(&tokens, request)).await?;
    assert_eq!(answer.into_inner().success, 1);
    Ok(())
}

async fn numbers(
    auth: &Auth,
    login: &str,
    request: pb::GetAccessNumberListRequest,
) -> Result<Vec<String>, Status> {
    let tokens = auth.login(login).await;
    let answer = auth.applications().get_access_number_list(of(&tokens, request)).await?;
    let list = answer.into_inner().access_number_list;
    Ok(list.into_iter().map(|entry| entry.number).collect())
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    refusal(answer).1
}

#[tokio::test]
async fn an_application_is_made_listed_and_reached() {
    let auth = start().await;

    let made = add(&auth, "admin", |_| ()).await.unwrap();
    lead(&auth, "admin", made, "+12065550190").await.unwrap();
    lead(&auth, "admin", made, "12065550190").await.unwrap();

    let tokens = auth.login("telco").await;
    let request = pb::GetIvrApplicationListRequest { get_total: true, ..Default::default() };
    let listed = auth.applications().get_ivr_application_list(of(&tokens, request)).await;
    let listed = listed.unwrap().into_inner();
    assert_eq!(listed.total, Some(2));
    assert_eq!(
        listed.ivr_application_list[0],
        pb::IvrApplication {
            i_ivr_application: made,
            name: "visa-menu".to_owned(),
            r#type: "User Application".to_owned(),
            i_account: 8,
            account_id: "301".to_owned(),
            i_customer: 3,
            on_app_gone: pb::OnAppGone::Fallback.into(),
        }
    );
    assert_eq!(listed.ivr_application_list[1].name, "visa-status");
    let all = pb::GetAccessNumberListRequest::default();
    assert_eq!(numbers(&auth, "301", all).await.unwrap(), ["12065550190", "1733355700"]);
}

#[tokio::test]
async fn an_application_needs_an_owner_in_scope_whose_option_is_on() {
    let auth = start().await;

    let other = |i_account| add(&auth, "telco", move |request| request.i_account = i_account);
    assert_eq!(refusal(other(99).await), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    assert_eq!(refusal(other(1).await), (Code::PermissionDenied, "SERVICE_DISABLED".to_owned()));
    let of_type = add(&auth, "admin", |request| request.r#type = "Voice mail".to_owned()).await;
    assert_eq!(reason(of_type), "INVALID_PARAM");
    let taken = add(&auth, "admin", |request| request.name = "visa-status".to_owned()).await;
    assert_eq!(reason(taken), "INVALID_PARAM");
    assert_eq!(refusal(add(&auth, "visacenter", |_| ()).await).0, Code::PermissionDenied);
    let switched_off = DEMO.replace("user_application = true", "user_application = false");
    let auth = Auth::start_with("", &switched_off).await;
    assert_eq!(reason(add(&auth, "admin", |_| ()).await), "SERVICE_DISABLED");
    assert_eq!(reason(lead(&auth, "admin", 1, "12065550190").await), "SERVICE_DISABLED");
}

#[tokio::test]
async fn the_owner_may_take_what_is_allocated_to_it_and_nothing_else() {
    let auth = start().await;

    for login in ["visacenter", "301"] {
        let outside = lead(&auth, login, 1, "12065550190").await;
        assert_eq!(reason(outside), "ACCESS_NUMBER_NOT_FOUND", "{login}");
        let foreign = lead(&auth, login, 1, "101").await;
        assert_eq!(reason(foreign), "ACCESS_NUMBER_NOT_FOUND", "{login}");
        let in_use = lead(&auth, login, 1, "301").await;
        assert_eq!(reason(in_use), "ACCESS_NUMBER_TAKEN", "{login}");
        assert_eq!(reason(lead(&auth, login, 1, "no number").await), "INVALID_PARAM");
        lead(&auth, login, 1, "1733355701").await.unwrap();
    }

    assert_eq!(reason(lead(&auth, "easymobile", 1, "12065550190").await), "ACCESS_DENIED");
    assert_eq!(reason(lead(&auth, "admin", 99, "1").await), "IVR_APPLICATION_NOT_FOUND");
    assert_eq!(reason(lead(&auth, "admin", 1, "340").await), "ACCESS_NUMBER_TAKEN");
}

#[tokio::test]
async fn everybody_lists_the_access_numbers_of_its_scope() {
    let auth = start().await;
    let all = pb::GetAccessNumberListRequest::default;

    for login in ["admin", "telco", "visacenter", "301"] {
        assert_eq!(numbers(&auth, login, all()).await.unwrap(), ["1733355700"], "{login}");
    }
    for login in ["easymobile", "101"] {
        assert!(numbers(&auth, login, all()).await.unwrap().is_empty(), "{login}");
        let of = pb::GetAccessNumberListRequest { i_ivr_application: Some(1), ..all() };
        assert_eq!(reason(numbers(&auth, login, of).await), "IVR_APPLICATION_NOT_FOUND");
        let of = pb::GetAccessNumberListRequest { i_account: Some(8), ..all() };
        assert_eq!(reason(numbers(&auth, login, of).await), "ACCOUNT_NOT_FOUND");
    }
    let of = pb::GetAccessNumberListRequest { i_customer: Some(1), ..all() };
    assert!(numbers(&auth, "admin", of).await.unwrap().is_empty());
}
