use super::*;
use crate::config::Database;
use crate::domain::session::{Revocation, Revoked};
use crate::store::database::SqlDirectory;
use crate::{export, import};

const DEMO: &str = include_str!("../../../cordboard/demo.toml");

async fn with(text: &str) -> SqlDirectory {
    let directory =
        SqlDirectory::open(&Database::at("sqlite::memory:"), Timestamp::default()).await.unwrap();
    let plan = import::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    directory.apply(&plan, Timestamp::default()).await.unwrap();
    directory
}

async fn revocations(directory: &SqlDirectory) -> Vec<(Revoked, bool)> {
    let made = directory.revocations(0, Timestamp::default()).await.unwrap();
    made.into_iter().map(|Revocation { revoked, ends, .. }| (revoked, ends)).collect()
}

fn user(text: &str) -> Revoked {
    Revoked::User(text.parse().unwrap())
}

#[tokio::test]
async fn every_column_of_a_list_is_a_field_of_its_records() {
    let directory = with(DEMO).await;
    for (kind, count) in [
        (Kind::Customer, 3),
        (Kind::Account, 8),
        (Kind::User, 13),
        (Kind::Role, 3),
        (Kind::Number, 10),
        (Kind::HuntGroup, 1),
        (Kind::Application, 1),
    ] {
        let records = list(&directory, kind).await.unwrap();
        assert_eq!(records.len(), count, "{kind}");
        for record in records {
            for column in kind.columns() {
                assert!(record.field(column).is_some(), "{kind} has no {column}");
            }
            assert_eq!(show(&directory, kind, &record.unique).await.unwrap(), record);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is_like_it() {
    let directory = with(DEMO).await;
    let refused = async |kind, id| show(&directory, kind, id).await.unwrap_err().to_string();

    assert_eq!(
        refused(Kind::Customer, "EasyMobil").await,
        "there is no customer `EasyMobil`; did you mean `EasyMobile`, `easymobile`?"
    );
    assert_eq!(
        refused(Kind::Account, "999").await,
        "there is no account `999`; `cordboard admin accounts list` lists them"
    );
    assert_eq!(
        refused(Kind::Role, "oprator").await,
        "there is no role `oprator`; did you mean `operator`?"
    );
    assert!(
        refused(Kind::Account, "110").await.contains("did you mean `101`"),
        "two keys mixed up"
    );
}

#[tokio::test]
async fn a_login_of_several_realms_is_asked_for_again() {
    let text = DEMO.replace("login = \"telco\"", "login = \"101\"");
    let directory = with(&text).await;

    let refused = show(&directory, Kind::User, "101").await.unwrap_err().to_string();

    assert_eq!(refused, "`101` may be each of `reseller:1`, `account:1`; give one of these");
    assert_eq!(show(&directory, Kind::User, "reseller:1").await.unwrap().names, ["101"]);
}

#[tokio::test]
async fn a_block_ends_the_tokens_of_everybody_below_once() {
    let directory = with(DEMO).await;
    let at = Timestamp::default();

    assert!(set_blocked(&directory, Kind::Customer, "quicktasty", true, at).await.unwrap());
    assert!(!set_blocked(&directory, Kind::Customer, "Quick & Tasty", true, at).await.unwrap());

    assert_eq!(
        revocations(&directory).await,
        [(user("account:6"), true), (user("account:7"), true), (user("customer:2"), true)]
    );
    let kitchen = show(&directory, Kind::Account, "202").await.unwrap();
    assert_eq!(kitchen.field("state").unwrap(), "customer blocked");
    assert!(set_blocked(&directory, Kind::Customer, "2", false, at).await.unwrap());
    let kitchen = show(&directory, Kind::User, "202").await.unwrap();
    assert_eq!(kitchen.field("state").unwrap(), "active");
    assert_eq!(revocations(&directory).await.len(), 3);
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_and_is_nobody_elses() {
    let directory = with(DEMO).await;
    let at = Timestamp::default();
    let password = Secret::new("correct horse");

    set_password(&directory, "101", &password, at).await.unwrap();

    let found = directory.credentials("101", None).await.unwrap().remove(0);
    assert!(!found.principal.is_demo && !found.principal.must_change_password);
    let pool = password::Pool::new(1, 1).unwrap();
    assert!(pool.verify(&password, Some(&found.password_hash)).await.unwrap());
    assert_eq!(revocations(&directory).await, [(user("account:1"), true)]);
    for (password, what) in [("short", "8 to 256"), ("easymobile", "differ from the login")] {
        let refused = set_password(&directory, "easymobile", &Secret::new(password), at).await;
        assert!(refused.unwrap_err().to_string().contains(what), "{password}");
    }
}

#[tokio::test]
async fn another_role_and_other_rights_narrow_tokens() {
    let directory = with(DEMO).await;
    let at = Timestamp::default();

    assert!(set_role(&directory, "101", "default", at).await.unwrap());
    assert!(!set_role(&directory, "101", "default", at).await.unwrap());
    let none = [(Component::CallControl, Some(Level::None)), (Component::Ivr, None)];
    assert!(grant(&directory, "call control", &none, false, at).await.unwrap());
    assert!(!grant(&directory, "call control", &none, false, at).await.unwrap());
    let role = Revoked::Role("call control".to_owned());
    assert_eq!(revocations(&directory).await, [(user("account:1"), false), (role, false)]);

    assert!(grant(&directory, "wallboard", &none, false, at).await.is_err());
    assert!(grant(&directory, "wallboard", &none, true, at).await.unwrap());
    assert!(set_role(&directory, "101", "wallboard", at).await.unwrap());
    let refused = grant(&directory, "default", &none, true, at).await.unwrap_err();
    assert!(matches!(refused, AdminError::DefaultRole));
}

#[tokio::test]
async fn an_export_that_is_imported_is_the_same_directory() {
    let first = with(DEMO).await;
    let at = Timestamp::default();
    set_blocked(&first, Kind::Account, "103", true, at).await.unwrap();
    set_password(&first, "102", &Secret::new("correct horse"), at).await.unwrap();
    let more = r#"
        [[customer]]
        name = "Visa \"Center\" Süd"
        credit_limit = "0.000001"
        currency = "EUR"
        balance = "-3"
        numbers = ["5550001", "*98"]
        [[customer.account]]
        id = "a.b"
        name = "Ñandú \\ tab"
        product = "Office line"
        user_application = true
        credit_limit = "1"
        numbers = ["+12065550101"]
        api_token_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        password_hash = "$argon2id$v=19$m=19456,t=2,p=1$lGxY0BjSxZrctx4zDgVQ8g$aXR8zuZ+LDP1kx2DurGgO2cBG6iiOUuPHulOZK825Lw"
        must_change_password = true
        [[customer.hunt_group]]
        id = "341"
        name = "Empty"
        [[customer.hunt_group]]
        id = "342"
        name = "Half"
        agents = ["a.b"]
        inactive_agents = ["a.b"]
    "#;
    first.apply(&import::parse(more).unwrap(), at).await.unwrap();
    let exported = first.snapshot().await.unwrap();
    let text = export::write(&exported.plan).unwrap();

    let second = with(&text).await;

    assert_eq!(second.snapshot().await.unwrap(), exported, "{text}");
    assert!(text.contains("demo = true") && text.contains("inactive_agents = [\"a.b\"]"), "{text}");
    // Into the same directory it changes nothing, and no token ends.
    let before = revocations(&first).await;
    first.apply(&import::parse(&text).unwrap(), at).await.unwrap();
    assert_eq!(first.snapshot().await.unwrap(), exported);
    assert_eq!(revocations(&first).await, before);
}

#[tokio::test]
async fn the_export_of_nothing_is_good() {
    let text = export::write(&crate::domain::plan::Plan::default()).unwrap();

    assert_eq!(text, "");
    with(&text).await;
}
