//! What operators change, one thing at a time.

use super::{OTHER_HASH, at, plan_with};
use crate::domain::access::{Component, Level, Realm};
use crate::domain::directory::Directory;
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::domain::session::Revoked;

pub(super) async fn change_single_things(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    let alice = Subject { realm: Realm::Account, id: 1 };
    let telco = Subject { realm: Realm::Reseller, id: 1 };
    let root = Subject { realm: Realm::Admin, id: 1 };
    let principal = async || directory.principal(alice).await.unwrap().unwrap();
    let made = async |after: i64| {
        let made = directory.revocations(after, at(0)).await.unwrap();
        made.into_iter().map(|made| (made.revoked, made.ends)).collect::<Vec<_>>()
    };

    assert!(directory.set_blocked(alice, true, at(1)).await.unwrap());
    assert!(!directory.set_blocked(alice, true, at(1)).await.unwrap(), "it is blocked already");
    assert!(principal().await.is_blocked);
    assert!(directory.set_blocked(alice, false, at(1)).await.unwrap());
    assert!(!principal().await.is_blocked);
    assert_eq!(made(0).await, [(Revoked::User(alice), true)]);
    assert!(directory.set_blocked(root, true, at(1)).await.unwrap());
    assert!(directory.set_blocked(telco, true, at(1)).await.unwrap());
    assert_eq!(made(2).await.len(), 3, "reseller, customer and account");
    assert!(directory.set_blocked(telco, false, at(1)).await.unwrap());
    let nobody = Subject { realm: Realm::Customer, id: 99 };
    assert!(!directory.set_blocked(nobody, true, at(1)).await.unwrap());

    directory.set_password(alice, &Secret::new(OTHER_HASH), at(2)).await.unwrap();
    let credential = directory.credential(alice).await.unwrap().unwrap();
    assert_eq!(credential.password_hash, Secret::new(OTHER_HASH));
    assert_eq!(made(5).await, [(Revoked::User(alice), true)]);

    assert!(directory.set_role(alice, None, at(3)).await.unwrap());
    assert!(!directory.set_role(alice, None, at(3)).await.unwrap());
    assert_eq!(principal().await.permissions.level(Component::CallControl), Level::None);
    assert!(directory.set_role(alice, Some("agent"), at(3)).await.unwrap());
    assert_eq!(made(6).await, [(Revoked::User(alice), false), (Revoked::User(alice), false)]);

    let grants = [(Component::CallControl, Some(Level::Read)), (Component::Xdrs, None)];
    assert!(directory.grant("agent", &grants, at(4)).await.unwrap());
    assert!(!directory.grant("agent", &grants, at(4)).await.unwrap());
    assert_eq!(principal().await.permissions.level(Component::CallControl), Level::Read);
    assert_eq!(principal().await.permissions.level(Component::Xdrs), Level::Read);
    assert!(directory.grant("wallboard", &grants, at(4)).await.unwrap());
    assert_eq!(made(8).await, [(Revoked::Role("agent".to_owned()), false)]);
}
