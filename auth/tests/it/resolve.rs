use proto::auth::v1 as pb;
use proto::auth::v1::resolve_number_response::Route;

use crate::harness::{Auth, DEMO};

async fn resolve(
    auth: &Auth,
    i_customer: i64,
    i_account: i64,
    number: &str,
) -> pb::ResolveNumberResponse {
    let request = pb::ResolveNumberRequest { i_customer, i_account, number: number.to_owned() };
    auth.authorization().resolve_number(request).await.unwrap().into_inner()
}

/// A route in a word.
fn word(response: &pb::ResolveNumberResponse) -> String {
    match response.route.as_ref().unwrap() {
        Route::Account(account) => format!("account {}", account.i_account),
        Route::ForeignAccount(account) => format!("foreign {}", account.i_account),
        Route::Pstn(number) => format!("pstn {number}"),
        Route::HuntGroup(group) => format!("group {}", group.i_c_group),
        Route::AccessNumber(number) => format!("application {}", number.i_ivr_application),
        Route::Nowhere(pb::Nowhere {}) => "nowhere".to_owned(),
    }
}

#[tokio::test]
async fn numbers_lead_where_the_demo_directory_says() {
    let auth = Auth::start().await;

    for (i_customer, i_account, number, expected) in [
        (1, 1, "102", "account 2"),
        (1, 1, "101", "account 1"),
        (1, 1, "201", "foreign 6"),
        (2, 6, "101", "foreign 1"),
        (0, 0, "101", "account 1"),
        (0, 0, "+301", "account 8"),
        (1, 1, "340", "group 1"),
        (2, 6, "340", "group 1"),
        (0, 0, "340", "group 1"),
        (1, 1, "1733355700", "application 1"),
        (0, 0, "+1733355700", "application 1"),
        (1, 1, "12065550100", "pstn 12065550100"),
        (1, 1, "+12065550100", "pstn 12065550100"),
        (1, 1, "1234567", "pstn 1234567"),
        (1, 1, "123456", "nowhere"),
        (1, 1, "999", "nowhere"),
        (1, 1, "1234567890123456", "nowhere"),
        (1, 1, "1206555o1oo", "nowhere"),
        (1, 1, "", "nowhere"),
        (0, 0, "12065550100", "nowhere"),
        (0, 0, "999", "nowhere"),
    ] {
        let response = resolve(&auth, i_customer, i_account, number).await;

        assert_eq!(word(&response), expected, "{number} from customer {i_customer}");
        assert!(!response.refused, "{number}");
    }
}

#[tokio::test]
async fn a_hunt_group_comes_with_its_queue_and_agents() {
    let auth = Auth::start().await;

    let response = resolve(&auth, 0, 0, "340").await;

    let Some(Route::HuntGroup(group)) = response.route else { panic!("{response:?}") };
    assert_eq!((group.id.as_str(), group.i_customer, group.i_reseller), ("340", 1, 1));
    assert_eq!((group.i_c_queue, group.queue_name.as_deref()), (Some(1), Some("Support")));
    let agents: Vec<_> = group.agents.iter().map(|agent| agent.account_id.as_str()).collect();
    assert_eq!(agents, ["102", "103"]);
}

#[tokio::test]
async fn an_access_number_comes_with_its_owner() {
    let auth = Auth::start().await;

    let response = resolve(&auth, 0, 0, "1733355700").await;

    let Some(Route::AccessNumber(access)) = response.route else { panic!("{response:?}") };
    let owner = access.owner.unwrap();
    assert_eq!((owner.account_id.as_str(), owner.i_customer, owner.i_reseller), ("301", 3, 1));
    assert!(access.enabled);
    assert_eq!((access.number.as_str(), access.on_app_gone.as_str()), ("1733355700", "fallback"));
}

#[tokio::test]
async fn without_the_option_an_access_number_is_not_enabled() {
    let text = DEMO.replace("user_application = true", "user_application = false");
    let auth = Auth::start_with("", &text).await;

    let response = resolve(&auth, 0, 0, "1733355700").await;

    let Some(Route::AccessNumber(access)) = response.route else { panic!("{response:?}") };
    assert!(!access.enabled);
}

#[tokio::test]
async fn who_has_no_credit_left_or_is_blocked_or_unknown_may_not_call() {
    let text = DEMO.replace("id = \"103\"", "id = \"103\"\nblocked = true");
    let auth = Auth::start_with("", &text).await;

    for (i_account, refused) in [(1, false), (3, true), (4, false), (5, true), (99, true)] {
        let response = resolve(&auth, 1, i_account, "102").await;

        assert_eq!(response.refused, refused, "account {i_account}");
        assert_eq!(word(&response), "account 2");
    }
}

#[tokio::test]
async fn a_customer_without_credit_takes_its_accounts_with_it() {
    let text = DEMO.replace("credit_limit = \"1000.00\"", "credit_limit = \"0\"");
    let auth = Auth::start_with("", &text).await;

    assert!(resolve(&auth, 1, 1, "102").await.refused);
}

#[tokio::test]
async fn an_account_is_found_by_key_id_and_number() {
    use pb::get_account_request::By;
    let with_number = DEMO.replace("id = \"101\"", "id = \"101\"\nnumbers = [\"12065550101\"]");
    let auth = Auth::start_with("", &with_number).await;
    let find = async |by: By| {
        let request = pb::GetAccountRequest { by: Some(by), with_services: true };
        let answer = auth.authorization().get_account(request).await.unwrap().into_inner();
        answer.account.map(|account| account.account_id)
    };

    for by in
        [By::IAccount(1), By::AccountId("101".to_owned()), By::AccountId("+12065550101".to_owned())]
    {
        assert_eq!(find(by).await.as_deref(), Some("101"));
    }
    for by in [By::IAccount(99), By::AccountId("340".to_owned()), By::AccountId("99".to_owned())] {
        assert_eq!(find(by).await, None);
    }
}

#[tokio::test]
async fn an_account_may_connect_two_when_its_product_rates_incoming() {
    use pb::get_account_request::By;
    let auth = Auth::start().await;
    let may = async |account_id: &str| {
        let mut found = Vec::new();
        let by_id = By::AccountId(account_id.to_owned());
        let account = get_account(&auth, by_id).await;
        found.push(account.may_connect_two);
        let by_key = By::IAccount(account.account.unwrap().i_account);
        found.push(get_account(&auth, by_key).await.may_connect_two);
        found
    };

    assert_eq!(may("201").await, [true, true]);
    assert_eq!(may("202").await, [false, false]);
    assert!(!get_account(&auth, By::IAccount(99)).await.may_connect_two);
}

#[tokio::test]
async fn an_account_may_own_a_conference_when_it_has_the_service_and_credit() {
    use pb::get_account_request::By;
    let auth = Auth::start().await;
    let may = async |account_id: &str| {
        let account = get_account(&auth, By::AccountId(account_id.to_owned())).await;
        (account.may_confer, account.has_credit)
    };

    assert_eq!(may("101").await, (true, true));
    assert_eq!(may("104").await, (false, true));
    assert!(!may("105").await.1, "Erin has used up her credit");
}

async fn get_account(auth: &Auth, by: pb::get_account_request::By) -> pb::GetAccountResponse {
    let request = pb::GetAccountRequest { by: Some(by), with_services: true };
    auth.authorization().get_account(request).await.unwrap().into_inner()
}
