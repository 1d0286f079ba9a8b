use proto::auth::v1 as pb;
use tonic::Code;

use crate::harness::{Auth, of, refusal};

fn ids(list: &pb::GetAccountListResponse) -> Vec<&str> {
    list.account_list.iter().map(|account| account.id.as_str()).collect()
}

async fn list(
    auth: &Auth,
    login: &str,
    request: pb::GetAccountListRequest,
) -> Result<pb::GetAccountListResponse, tonic::Status> {
    let tokens = auth.login(login).await;
    let answer = auth.accounts().get_account_list(of(&tokens, request)).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn everybody_lists_the_accounts_of_its_scope() {
    let auth = Auth::start().await;
    let everything = ["101", "102", "103", "104", "105", "201", "202", "301"];
    let easymobile = &everything[..5];

    for (login, expected) in [
        ("admin", &everything[..]),
        ("telco", &everything[..]),
        ("easymobile", easymobile),
        ("104", easymobile),
        ("301", &["301"][..]),
    ] {
        let listed = list(&auth, login, pb::GetAccountListRequest::default()).await.unwrap();
        assert_eq!(ids(&listed), expected, "{login}");
        assert_eq!(listed.total, None);
    }
}

#[tokio::test]
async fn a_list_is_narrowed_paged_and_counted() {
    let auth = Auth::start().await;

    let page =
        pb::GetAccountListRequest { limit: 2, offset: 1, get_total: true, ..Default::default() };
    let listed = list(&auth, "easymobile", page).await.unwrap();
    assert_eq!((ids(&listed), listed.total), (vec!["102", "103"], Some(5)));

    let of_two = pb::GetAccountListRequest { i_customer: Some(2), ..Default::default() };
    assert_eq!(ids(&list(&auth, "telco", of_two).await.unwrap()), ["201", "202"]);
    let by_id = pb::GetAccountListRequest { id: Some("103".to_owned()), ..Default::default() };
    assert_eq!(ids(&list(&auth, "easymobile", by_id).await.unwrap()), ["103"]);
    let foreign = list(&auth, "easymobile", of_two_again()).await;
    assert_eq!(refusal(foreign), (Code::NotFound, "CUSTOMER_NOT_FOUND".to_owned()));
}

fn of_two_again() -> pb::GetAccountListRequest {
    pb::GetAccountListRequest { i_customer: Some(2), ..Default::default() }
}

#[tokio::test]
async fn an_account_sees_of_its_colleagues_who_they_are_and_no_more() {
    let auth = Auth::start().await;

    let listed = list(&auth, "101", pb::GetAccountListRequest::default()).await.unwrap();

    assert_eq!(
        listed.account_list[1],
        pb::AccountInfo {
            i_account: 2,
            id: "102".to_owned(),
            name: "Bob".to_owned(),
            availability: Some("available".to_owned()),
            ..Default::default()
        }
    );
    let listed = list(&auth, "easymobile", pb::GetAccountListRequest::default()).await.unwrap();
    let bob = &listed.account_list[1];
    assert_eq!(bob.i_customer, Some(1));
    assert_eq!(bob.login.as_deref(), Some("102"));
    assert_eq!(bob.product_name.as_deref(), Some("Office line"));
    assert_eq!(bob.blocked, Some(false));
}

#[tokio::test]
async fn without_the_store_nobody_knows_which_phones_are_free() {
    let auth = Auth::start().await;
    auth.ledger.set_reachable(false);

    let listed = list(&auth, "easymobile", pb::GetAccountListRequest::default()).await.unwrap();

    assert!(!listed.account_list.is_empty());
    assert!(listed.account_list.iter().all(|account| account.availability.is_none()));
}

#[tokio::test]
async fn an_account_is_found_in_scope_only() {
    let auth = Auth::start().await;
    let info = async |login: &str, i_account: Option<i64>, id: Option<&str>| {
        let tokens = auth.login(login).await;
        let request = pb::GetAccountInfoRequest { i_account, id: id.map(str::to_owned) };
        let answer = auth.accounts().get_account_info(of(&tokens, request)).await;
        answer.map(|answer| answer.into_inner().account_info.unwrap())
    };

    let own = info("101", None, None).await.unwrap();
    assert_eq!((own.id.as_str(), own.login.as_deref()), ("101", Some("101")));
    let colleague = info("101", None, Some("102")).await.unwrap();
    assert_eq!((colleague.id.as_str(), colleague.login), ("102", None));
    assert_eq!(info("easymobile", Some(3), None).await.unwrap().id, "103");
    for (login, i_account, id) in
        [("easymobile", Some(6), None), ("101", None, Some("201")), ("admin", Some(99), None)]
    {
        let expected = (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned());
        assert_eq!(refusal(info(login, i_account, id).await), expected);
    }
    assert_eq!(refusal(info("admin", None, None).await).1, "MISSING_PARAM");
}

#[tokio::test]
async fn a_customer_is_found_in_scope_only() {
    let auth = Auth::start().await;
    let info = async |login: &str, request: pb::GetCustomerInfoRequest| {
        let tokens = auth.login(login).await;
        let answer = auth.customers().get_customer_info(of(&tokens, request)).await;
        answer.map(|answer| answer.into_inner().customer_info.unwrap())
    };
    let by_key = |key| pb::GetCustomerInfoRequest { i_customer: Some(key), ..Default::default() };

    let own = info("easymobile", pb::GetCustomerInfoRequest::default()).await.unwrap();
    assert_eq!(
        own,
        pb::CustomerInfo {
            i_customer: 1,
            name: "EasyMobile".to_owned(),
            login: "easymobile".to_owned(),
            i_reseller: Some(1),
            currency: "USD".to_owned(),
            blocked: false,
        }
    );
    let by_login =
        pb::GetCustomerInfoRequest { login: Some("easymobile".to_owned()), ..Default::default() };
    assert_eq!(info("telco", by_login).await.unwrap(), own);
    assert_eq!(info("admin", by_key(2)).await.unwrap().name, "Quick & Tasty");
    assert_eq!(
        refusal(info("easymobile", by_key(2)).await),
        (Code::NotFound, "CUSTOMER_NOT_FOUND".to_owned())
    );
    assert_eq!(info("101", pb::GetCustomerInfoRequest::default()).await.unwrap(), own);
    assert_eq!(refusal(info("101", by_key(2)).await).0, Code::NotFound);
}

#[tokio::test]
async fn hunt_groups_come_with_their_extensions() {
    let auth = Auth::start().await;
    let list = async |login: &str| {
        let tokens = auth.login(login).await;
        let request = pb::GetHuntgroupListRequest { get_total: true, ..Default::default() };
        let answer = auth.customers().get_huntgroup_list(of(&tokens, request)).await;
        answer.unwrap().into_inner()
    };

    for login in ["admin", "easymobile", "101"] {
        let listed = list(login).await;
        let [support] = listed.huntgroup_list.as_slice() else { panic!("{listed:?}") };
        assert_eq!((support.i_c_group, support.id.as_str()), (1, "340"));
        assert_eq!(support.assigned_callqueue, Some(pb::AssignedCallqueue { i_c_queue: 1 }));
        let active =
            |id: &str| pb::AssignedExtension { account_id: id.to_owned(), hunt_active: true };
        assert_eq!(support.assigned_extensions, [active("102"), active("103")]);
        assert_eq!(listed.total, Some(1));
    }
    assert_eq!(list("quicktasty").await.huntgroup_list, []);
}

#[tokio::test]
async fn the_directory_is_closed_to_who_has_no_session() {
    let auth = Auth::start().await;

    let listed = auth.accounts().get_account_list(pb::GetAccountListRequest::default()).await;
    let version = auth.generic().get_version(pb::GetVersionRequest {}).await;

    assert_eq!(refusal(listed).0, Code::Unauthenticated);
    assert_eq!(refusal(version).0, Code::Unauthenticated);
}

#[tokio::test]
async fn queues_are_listed_in_their_scope_alone() {
    let auth = Auth::start().await;
    for (login, count) in [("telco", 1), ("easymobile", 1), ("quicktasty", 0)] {
        let tokens = auth.login(login).await;
        let request = pb::GetCallqueueListRequest { get_total: true, ..Default::default() };
        let listed = auth.customers().get_callqueue_list(of(&tokens, request)).await.unwrap();
        let listed = listed.into_inner();
        assert_eq!(listed.total, Some(count), "{login}");
        assert!(listed.callqueue_list.iter().all(|queue| queue.huntgroup_id == "340"));
    }
}

#[tokio::test]
async fn who_takes_part_is_changed_all_at_once_or_not_at_all() {
    let auth = Auth::start().await;
    let tokens = auth.login("telco").await;
    let change = |i_account, subscribe: &[i64], unsubscribe: &[i64]| {
        let request = pb::UpdateHuntgroupsSubscriptionRequest {
            i_account,
            subscribe: subscribe.to_vec(),
            unsubscribe: unsubscribe.to_vec(),
        };
        of(&tokens, request)
    };
    let active = || async {
        let request = of(&tokens, pb::GetHuntgroupListRequest::default());
        let listed = auth.customers().get_huntgroup_list(request).await.unwrap().into_inner();
        let extensions = listed.huntgroup_list.into_iter().flat_map(|it| it.assigned_extensions);
        let active = extensions.filter(|it| it.hunt_active).map(|it| it.account_id);
        active.collect::<Vec<_>>()
    };
    assert_eq!(active().await, ["102", "103"]);

    let half = auth.customers().update_huntgroups_subscription(change(2, &[4711], &[1])).await;
    assert_eq!(refusal(half), (Code::NotFound, "HUNTGROUP_NOT_FOUND".to_owned()));
    let foreign = auth.customers().update_huntgroups_subscription(change(6, &[1], &[])).await;
    assert_eq!(refusal(foreign), (Code::NotFound, "HUNTGROUP_NOT_FOUND".to_owned()));
    let unknown = auth.customers().update_huntgroups_subscription(change(99, &[1], &[])).await;
    assert_eq!(refusal(unknown), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    assert_eq!(active().await, ["102", "103"]);

    auth.customers().update_huntgroups_subscription(change(2, &[], &[1])).await.unwrap();
    auth.customers().update_huntgroups_subscription(change(4, &[1], &[])).await.unwrap();
    assert_eq!(active().await, ["103", "104"]);
    auth.customers().update_huntgroups_subscription(change(2, &[1], &[])).await.unwrap();
    assert_eq!(active().await, ["102", "103", "104"]);
}
