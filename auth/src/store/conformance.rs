//! What every form of the directory must do, as one generic suite.
//!
//! Each function takes a directory that is empty and fails (panics) when it does not behave as
//! the port promises.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test suite: to panic is how it says that something is wrong"
)]

mod accounting;
mod applications;
mod operators;

use std::time::Duration;

use mesh::caller::Scope;
use mesh::clock::Timestamp;

use crate::domain::access::{Component, Level, Realm};
use crate::domain::directory::{
    AccountKey, ApplyError, CustomerKey, Directory, Page, StoreError, Within,
};
use crate::domain::id::{IAccount, ICQueue, ICustomer};
use crate::domain::party::Entry;
use crate::domain::plan::Plan;
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::domain::session::{
    Exchange, Exchanged, NewSession, Revocation, Revoked, SessionId, StoredKey,
};
use crate::domain::snapshot::Snapshot;
use crate::import;

/// Runs the whole suite; `empty` gives an empty directory each time.
pub async fn run<D, F>(mut empty: impl FnMut() -> F)
where
    D: Directory,
    F: Future<Output = D>,
{
    Box::pin(imports_and_finds(&empty().await)).await;
    Box::pin(an_import_that_does_not_fit_changes_nothing(&empty().await)).await;
    Box::pin(an_import_again_updates(&empty().await)).await;
    Box::pin(an_import_revokes_what_it_narrows(&empty().await)).await;
    Box::pin(refresh_tokens_rotate(&empty().await)).await;
    Box::pin(sessions_end(&empty().await)).await;
    Box::pin(keys_and_secrets_are_agreed_on(&empty().await)).await;
    Box::pin(what_is_over_is_purged(&empty().await)).await;
    Box::pin(a_snapshot_is_the_plan_that_made_it(&empty().await, &empty().await)).await;
    Box::pin(operators::change_single_things(&empty().await)).await;
    Box::pin(applications::are_made_and_listed(&empty().await)).await;
    Box::pin(applications::numbers_lead_to_one_thing(&empty().await)).await;
    Box::pin(accounting::run(&mut empty)).await;
}

/// A PHC string of nobody's password.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$lGxY0BjSxZrctx4zDgVQ8g$aXR8zuZ+LDP1kx2DurGgO2cBG6iiOUuPHulOZK825Lw";
const OTHER_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$PRCQAci/an1nGX880E8D+Q$rfwsX6nwhGHCDtXwPuPsYY6OLcctVRYEARb6YqpJFxg";
const FIRST: Page = Page { limit: 100, offset: 0 };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Two customers under one reseller, with one of everything.
fn file() -> String {
    format!(
        r#"
        [[role]]
        name = "agent"
        call_control = "modify"
        xdrs = "none"
        [[tariff]]
        name = "Standard"
        [[tariff.rate]]
        prefix = "1"
        price_per_minute = "0.012"
        free_seconds = 5
        minimum_seconds = 30
        [[product]]
        name = "Line"
        conferencing = true
        [[product.rating]]
        tariff = "Standard"
        [[admin]]
        login = "root"
        password_hash = "{HASH}"
        super_user = true
        [[reseller]]
        name = "Telco"
        login = "telco"
        password_hash = "{HASH}"
        [[customer]]
        name = "One"
        reseller = "Telco"
        login = "one"
        password_hash = "{HASH}"
        credit_limit = "10"
        numbers = ["5550001"]
        [[customer.account]]
        id = "101"
        name = "Alice"
        password_hash = "{HASH}"
        role = "agent"
        product = "Line"
        credit_limit = "10"
        numbers = ["+12065550101"]
        [[customer.account]]
        id = "102"
        name = "Bob"
        product = "Line"
        conferencing = false
        user_application = true
        credit_limit = "5"
        balance = "5"
        [[customer.hunt_group]]
        id = "340"
        name = "Support"
        queue = "Support queue"
        agents = ["102", "101"]
        [[customer.ivr_application]]
        name = "status"
        account = "102"
        access_numbers = ["1733355700"]
        [[customer]]
        name = "Two"
        login = "two"
        password_hash = "{HASH}"
        credit_limit = "0"
        [[customer.account]]
        id = "201"
        name = "Zoe"
        login = "101"
        password_hash = "{HASH}"
        product = "Line"
        credit_limit = "10"
        "#
    )
}

/// As [`file`], but with a login of its own for account 201.
fn plan_with(changes: &[(&str, &str)]) -> Plan {
    let text = changes.iter().fold(file().replace("login = \"101\"\n", ""), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    import::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

async fn imports_and_finds(directory: &impl Directory) {
    assert!(directory.is_empty().await.unwrap());
    let applied = directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    assert_eq!(applied.updated, 0);
    assert!(!directory.is_empty().await.unwrap());

    let credentials = directory.credentials("101", None).await.unwrap();
    let [alice] = credentials.as_slice() else { panic!("{credentials:?}") };
    assert_eq!(alice.password_hash, Secret::new(HASH));
    let alice = &alice.principal;
    assert_eq!(alice.subject, Subject { realm: Realm::Account, id: 1 });
    assert_eq!(alice.scope, Scope::Account { i_customer: 1, i_account: 1 });
    assert_eq!(alice.role, "agent");
    assert_eq!(alice.permissions.level(Component::CallControl), Level::Modify);
    assert_eq!(alice.permissions.level(Component::Xdrs), Level::None);
    assert_eq!(alice.permissions.level(Component::Accounts), Level::Read);
    assert!(!alice.is_blocked && !alice.is_super_user && alice.epoch == 0);
    assert!(directory.credentials("101", Some(Realm::Customer)).await.unwrap().is_empty());
    assert!(directory.credentials("102", None).await.unwrap().is_empty());
    let root = Subject { realm: Realm::Admin, id: 1 };
    assert!(directory.principal(root).await.unwrap().unwrap().is_super_user);

    for number in ["101", "12065550101"] {
        let Some(Entry::Account(account)) = directory.number(number).await.unwrap() else {
            panic!("{number}")
        };
        assert_eq!((account.i_account.0, account.id.as_str()), (1, "101"));
        assert_eq!(account.owner().i_reseller, 1);
    }
    let Some(Entry::HuntGroup(group)) = directory.number("340").await.unwrap() else { panic!() };
    let members: Vec<_> =
        group.members.iter().map(|member| (member.account.id.as_str(), member.is_active)).collect();
    assert_eq!(members, [("102", true), ("101", true)]);
    assert_eq!(group.queue.as_ref().unwrap().name, "Support queue");
    assert_eq!(directory.hunt_group_of(ICQueue(1)).await.unwrap(), Some(group));
    let Some(Entry::AccessNumber(access)) = directory.number("1733355700").await.unwrap() else {
        panic!()
    };
    assert_eq!((access.application_owner.id.as_str(), access.is_enabled), ("102", true));
    assert!(matches!(directory.number("5550001").await.unwrap(), Some(Entry::Allocated(_))));
    assert_eq!(directory.number("5550002").await.unwrap(), None);

    let standing = async |key| directory.standing(IAccount(key)).await.unwrap();
    assert!(!standing(1).await.unwrap().refuses());
    assert!(standing(2).await.unwrap().refuses(), "own credit used up");
    assert!(standing(3).await.unwrap().refuses(), "the customer has no credit");
    assert_eq!(standing(4).await, None);

    let bob = directory.account(AccountKey::Id("102")).await.unwrap().unwrap();
    assert!(!bob.has_conferencing && bob.has_user_application && bob.login.is_none());
    assert_eq!(bob.product.as_deref(), Some("Line"));
    let one = directory.customer(CustomerKey::Login("one")).await.unwrap().unwrap();
    assert_eq!(directory.customer(CustomerKey::Name("One")).await.unwrap().as_ref(), Some(&one));
    assert_eq!(one.i_customer, ICustomer(1));

    let telco = Within { i_reseller: Some(1), ..Within::default() };
    let two = Within { i_customer: Some(ICustomer(2)), ..Within::default() };
    assert_eq!(ids(directory, Within::default(), FIRST).await, ["101", "102", "201"]);
    assert_eq!(ids(directory, telco, FIRST).await, ["101", "102"]);
    assert_eq!(ids(directory, two, FIRST).await, ["201"]);
    assert_eq!(ids(directory, telco, Page { limit: 1, offset: 1 }).await, ["102"]);
    assert_eq!(directory.count_accounts(telco, None).await.unwrap(), 2);
    assert_eq!(directory.count_accounts(telco, Some("201")).await.unwrap(), 0);
    assert_eq!(directory.hunt_groups(telco, FIRST).await.unwrap().len(), 1);
    assert_eq!(directory.count_hunt_groups(two).await.unwrap(), 0);
}

async fn ids(directory: &impl Directory, within: Within, page: Page) -> Vec<String> {
    let accounts = directory.accounts(within, None, page).await.unwrap();
    accounts.into_iter().map(|details| details.account.id).collect()
}

async fn an_import_that_does_not_fit_changes_nothing(directory: &impl Directory) {
    let plan = plan_with(&[
        ("role = \"agent\"", "role = \"manager\""),
        ("reseller = \"Telco\"", "reseller = \"Nobody\""),
        ("agents = [\"102\", \"101\"]", "agents = [\"102\", \"201\"]"),
    ]);

    let Err(ApplyError::Refused(problems)) = directory.apply(&plan, at(0)).await else { panic!() };

    let told: Vec<_> = problems
        .iter()
        .map(|problem| (problem.place.key.as_str(), problem.what.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("customer[0].reseller", "there is no reseller `Nobody`"),
            ("customer[0].account[0].role", "there is no role `manager`"),
            ("customer[0].hunt_group[0].agents[1]", "there is no account of this customer `201`"),
        ]
    );
    assert!(directory.is_empty().await.unwrap());
    assert_eq!(directory.number("101").await.unwrap(), None);
}

async fn an_import_again_updates(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();

    let applied = directory
        .apply(
            &plan_with(&[
                ("name = \"Alice\"", "name = \"Alicia\""),
                ("balance = \"5\"", "balance = \"0\""),
                ("numbers = [\"+12065550101\"]", "numbers = [\"12065550199\"]"),
                ("agents = [\"102\", \"101\"]", "agents = [\"101\"]"),
            ]),
            at(1),
        )
        .await
        .unwrap();

    assert_eq!(applied.created, 0);
    let alice = directory.account(AccountKey::IAccount(IAccount(1))).await.unwrap().unwrap();
    assert_eq!(alice.account.name, "Alicia");
    assert!(matches!(directory.number("12065550199").await.unwrap(), Some(Entry::Account(_))));
    assert!(matches!(directory.number("12065550101").await.unwrap(), Some(Entry::Allocated(_))));
    let Some(Entry::HuntGroup(group)) = directory.number("340").await.unwrap() else { panic!() };
    assert_eq!((group.members.len(), group.queue.unwrap().i_c_queue), (1, ICQueue(1)));
    // Accounting keeps the balance; an import sets it only once.
    assert!(!directory.standing(IAccount(2)).await.unwrap().unwrap().has_credit);
    // Nothing changed for any session.
    assert_eq!(directory.revocation_position().await.unwrap(), 0);
}

async fn an_import_revokes_what_it_narrows(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    let user = |realm, id| Revoked::User(Subject { realm, id });

    let apply = async |changes: &[(&str, &str)], now| {
        let before = directory.revocation_position().await.unwrap();
        directory.apply(&plan_with(changes), now).await.unwrap();
        let made = directory.revocations(before, at(0)).await.unwrap();
        made.into_iter().map(|made| (made.revoked, made.ends)).collect::<Vec<_>>()
    };

    let narrowed = ("xdrs = \"none\"", "xdrs = \"read\"");
    assert_eq!(
        apply(&[narrowed], at(1)).await,
        [(Revoked::Role("agent".to_owned()), false)],
        "a role that grants something else"
    );
    let without_role = ("role = \"agent\"\n", "\n");
    assert_eq!(
        apply(&[narrowed, without_role], at(2)).await,
        [(user(Realm::Account, 1), false)],
        "another role"
    );
    let password = (HASH, OTHER_HASH);
    assert_eq!(apply(&[narrowed, without_role, password], at(3)).await.len(), 6, "passwords");
    let blocked = ("name = \"One\"", "name = \"One\"\nblocked = true");
    assert_eq!(
        apply(&[narrowed, without_role, password, blocked], at(4)).await,
        [(user(Realm::Account, 1), true), (user(Realm::Customer, 1), true)],
        "a customer that is blocked"
    );
    let alice = Subject { realm: Realm::Account, id: 1 };
    let alice = directory.principal(alice).await.unwrap().unwrap();
    assert!(alice.is_blocked);
    assert_eq!(alice.epoch, directory.revocation_position().await.unwrap());
    assert!(directory.standing(IAccount(1)).await.unwrap().unwrap().is_blocked);
}

fn session(id: &str, token: &str) -> NewSession {
    NewSession {
        id: SessionId(id.to_owned()),
        subject: Subject { realm: Realm::Account, id: 1 },
        opened_by: None,
        proven_by: None,
        refresh_token_hash: Secret::new(token),
        opened_at: at(0),
        expires_at: at(100),
    }
}

async fn exchange(
    directory: &impl Directory,
    token: &str,
    successor: &str,
    now: i64,
) -> Result<Exchanged, StoreError> {
    directory
        .exchange(&Exchange {
            presented_hash: Secret::new(token),
            successor_hash: Secret::new(successor),
            at: at(now),
            tolerance: Duration::from_secs(10),
            expires_at: at(now + 100),
        })
        .await
}

async fn refresh_tokens_rotate(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    assert!(directory.open_session(&session("s", "first")).await.unwrap());

    let Exchanged::Rotated(grant) = exchange(directory, "first", "second", 10).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((grant.at, grant.session_id.0.as_str()), (at(10), "s"));
    let Exchanged::Repeated(again) = exchange(directory, "first", "second", 20).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(again, grant);
    // Each exchange prolongs: the first token alone would be over by now.
    assert!(matches!(
        exchange(directory, "second", "third", 105).await.unwrap(),
        Exchanged::Rotated(_)
    ));
    assert_eq!(exchange(directory, "unknown", "x", 106).await.unwrap(), Exchanged::Refused);

    let reused = exchange(directory, "second", "third", 116).await.unwrap();
    assert_eq!(reused, Exchanged::Reused(SessionId("s".to_owned())));
    assert_eq!(exchange(directory, "third", "fourth", 117).await.unwrap(), Exchanged::Refused);
    assert_eq!(
        directory.revocations(0, at(0)).await.unwrap(),
        [Revocation {
            position: 1,
            revoked: Revoked::Session(SessionId("s".to_owned())),
            ends: true,
            at: at(116),
        }]
    );

    assert!(directory.open_session(&session("t", "old")).await.unwrap());
    assert_eq!(exchange(directory, "old", "new", 100).await.unwrap(), Exchanged::Refused);
}

async fn sessions_end(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    let subject = Subject { realm: Realm::Account, id: 1 };
    for id in ["a", "b", "c"] {
        assert!(directory.open_session(&session(id, id)).await.unwrap());
    }
    let ended = async || {
        let made = directory.revocations(0, at(0)).await.unwrap();
        made.into_iter().map(|made| made.revoked).collect::<Vec<_>>()
    };
    let id = |id: &str| SessionId(id.to_owned());

    directory.end_session(&id("a"), at(1)).await.unwrap();
    directory.end_session(&id("a"), at(2)).await.unwrap();
    directory.end_session(&id("unknown"), at(2)).await.unwrap();
    assert_eq!(ended().await, [Revoked::Session(id("a"))]);
    assert_eq!(directory.session(&id("a")).await.unwrap(), None);
    assert_eq!(directory.session(&id("b")).await.unwrap().unwrap().subject, subject);
    assert_eq!(directory.session(&id("unknown")).await.unwrap(), None);
    assert_eq!(exchange(directory, "a", "a2", 3).await.unwrap(), Exchanged::Refused);

    directory.set_password(subject, &Secret::new(OTHER_HASH), at(4)).await.unwrap();
    assert_eq!(ended().await, [Revoked::Session(id("a")), Revoked::User(subject)]);
    assert_eq!(exchange(directory, "b", "b2", 5).await.unwrap(), Exchanged::Refused);
    let alice = directory.credential(subject).await.unwrap().unwrap();
    assert_eq!(alice.password_hash, Secret::new(OTHER_HASH));
    let proven = |hash| NewSession { proven_by: Some(Secret::new(hash)), ..session("d", "d") };
    assert!(!directory.open_session(&proven(HASH)).await.unwrap(), "it was changed meanwhile");
    assert_eq!(exchange(directory, "d", "d2", 5).await.unwrap(), Exchanged::Refused);
    assert!(directory.open_session(&proven(OTHER_HASH)).await.unwrap());
    assert_eq!(directory.revocations(1, at(0)).await.unwrap().len(), 1);
    assert_eq!(directory.revocations(0, at(4)).await.unwrap().len(), 1);
}

async fn keys_and_secrets_are_agreed_on(directory: &impl Directory) {
    let key = |kid: &str, seconds| StoredKey {
        kid: kid.to_owned(),
        pkcs8: Secret::new(kid),
        created_at: at(seconds),
    };
    assert!(directory.keys().await.unwrap().is_empty());

    assert_eq!(directory.adopt_key(&key("first", 1), None).await.unwrap(), [key("first", 1)]);
    assert_eq!(directory.adopt_key(&key("second", 2), None).await.unwrap(), [key("first", 1)]);

    assert_eq!(directory.keys().await.unwrap(), [key("first", 1)]);
    let both = [key("second", 2), key("first", 1)];
    assert_eq!(directory.adopt_key(&key("second", 2), Some(at(1))).await.unwrap(), both);
    assert_eq!(directory.adopt_key(&key("third", 3), Some(at(1))).await.unwrap(), both);
    directory.forget_keys(at(2)).await.unwrap();
    assert_eq!(directory.keys().await.unwrap(), both);
    directory.forget_keys(at(3)).await.unwrap();
    assert_eq!(directory.keys().await.unwrap(), [key("second", 2)]);
    directory.forget_keys(at(99)).await.unwrap();
    assert_eq!(directory.keys().await.unwrap().len(), 1, "nothing followed it");
    for proposed in ["one", "two"] {
        let kept = directory.secret("name", &Secret::new(proposed)).await.unwrap();
        assert_eq!(kept, Secret::new("one"));
    }
}

async fn what_is_over_is_purged(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    for id in ["ended", "over", "alive"] {
        assert!(directory.open_session(&session(id, id)).await.unwrap());
    }
    directory.end_session(&SessionId("ended".to_owned()), at(1)).await.unwrap();
    exchange(directory, "alive", "alive2", 90).await.unwrap();

    directory.purge(at(150), at(50)).await.unwrap();

    assert!(directory.revocations(0, at(0)).await.unwrap().is_empty());
    assert_eq!(directory.revocation_position().await.unwrap(), 1, "positions never go back");
    assert!(matches!(
        exchange(directory, "alive2", "alive3", 151).await.unwrap(),
        Exchanged::Rotated(_)
    ));
    // Its id is free again, so nothing of it is left.
    assert!(directory.open_session(&session("over", "over")).await.unwrap());
    assert!(directory.open_session(&session("ended", "ended")).await.unwrap());
}

async fn a_snapshot_is_the_plan_that_made_it(first: &impl Directory, second: &impl Directory) {
    assert_eq!(first.snapshot().await.unwrap(), Snapshot::default());
    let away =
        ("agents = [\"102\", \"101\"]", "agents = [\"102\", \"101\"]\ninactive_agents = [\"101\"]");
    first.apply(&plan_with(&[away]), at(0)).await.unwrap();

    let snapshot = first.snapshot().await.unwrap();

    let [one, two] = snapshot.plan.customers.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!((one.accounts.len(), one.numbers.len(), two.accounts.len()), (2, 1, 1));
    assert_eq!(one.hunt_groups.first().unwrap().inactive.first().unwrap().text, "101");
    assert_eq!(snapshot.keys.get(IAccount::KIND, "201"), Some(3));
    assert_eq!(snapshot.keys.get(IAccount::KIND, "202"), None);
    second.apply(&snapshot.plan, at(0)).await.unwrap();
    assert_eq!(second.snapshot().await.unwrap(), snapshot);
}
