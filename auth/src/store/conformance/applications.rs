//! IVR applications and the numbers that lead to them.

use super::{FIRST, at, plan_with};
use crate::domain::application::{Choice, Led, NewApplication};
use crate::domain::directory::{Applications, Directory, Page, Within};
use crate::domain::id::{IAccount, ICustomer, IIvrApplication};
use crate::domain::party::{Entry, OnAppGone};

const STATUS: IIvrApplication = IIvrApplication(1);

async fn names(directory: &impl Directory, of: Applications, page: Page) -> Vec<String> {
    let found = directory.applications(of, page).await.unwrap();
    found.into_iter().map(|application| application.name).collect()
}

fn menu(owner: i64) -> NewApplication {
    NewApplication {
        name: "menu".to_owned(),
        owner: IAccount(owner),
        on_app_gone: OnAppGone::Terminate,
    }
}

pub(super) async fn are_made_and_listed(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();

    let made = directory.add_application(&menu(2)).await.unwrap().unwrap();
    assert_eq!(directory.add_application(&menu(1)).await.unwrap(), None, "the customer has one");
    let other = directory.add_application(&menu(3)).await.unwrap().unwrap();
    assert!(made != STATUS && other != made);

    let all = Applications::default();
    let of_two = Applications {
        within: Within { i_customer: Some(ICustomer(2)), ..Within::default() },
        ..all
    };
    let of_telco =
        Applications { within: Within { i_reseller: Some(1), ..Within::default() }, ..all };
    let of_bob = Applications { i_account: Some(IAccount(2)), ..all };
    let one = Applications { i_ivr_application: Some(made), ..all };
    assert_eq!(names(directory, all, FIRST).await, ["menu", "menu", "status"]);
    assert_eq!(names(directory, of_two, FIRST).await, ["menu"]);
    assert_eq!(names(directory, of_telco, FIRST).await, ["menu", "status"]);
    assert_eq!(names(directory, of_bob, Page { limit: 1, offset: 1 }).await, ["status"]);
    assert_eq!(directory.count_applications(of_telco).await.unwrap(), 2);
    assert_eq!(directory.count_applications(one).await.unwrap(), 1);
    let found = directory.applications(one, FIRST).await.unwrap().remove(0);
    assert_eq!((found.i_ivr_application, found.owner.id.as_str()), (made, "102"));
    assert_eq!((found.is_enabled, found.on_app_gone), (true, OnAppGone::Terminate));
    let numbers = directory.access_numbers(all, FIRST).await.unwrap();
    let numbers: Vec<_> =
        numbers.iter().map(|entry| (entry.number.as_str(), entry.name.as_str())).collect();
    assert_eq!(numbers, [("1733355700", "status")]);
    assert_eq!(directory.count_access_numbers(one).await.unwrap(), 0);
}

pub(super) async fn numbers_lead_to_one_thing(directory: &impl Directory) {
    directory.apply(&plan_with(&[]), at(0)).await.unwrap();
    let foreign = directory.add_application(&menu(3)).await.unwrap().unwrap();
    let lead = async |number: &str, to, among| {
        directory.lead_to_application(number, to, among).await.unwrap()
    };

    assert_eq!(lead("5550001", STATUS, Choice::Allocated).await, Led::There);
    assert_eq!(lead("5550001", STATUS, Choice::Allocated).await, Led::There, "again");
    assert_eq!(lead("5550001", foreign, Choice::Allocated).await, Led::NotAllocated);
    assert_eq!(lead("5550001", foreign, Choice::AnyFree).await, Led::Elsewhere);
    assert_eq!(lead("101", STATUS, Choice::Allocated).await, Led::Elsewhere);
    assert_eq!(lead("5550002", foreign, Choice::Allocated).await, Led::NotAllocated);
    assert_eq!(directory.number("5550002").await.unwrap(), None, "nothing was written");
    assert_eq!(lead("5550002", foreign, Choice::AnyFree).await, Led::There);

    for (number, owner) in [("5550001", "102"), ("5550002", "201")] {
        let Some(Entry::AccessNumber(access)) = directory.number(number).await.unwrap() else {
            panic!("{number}")
        };
        assert_eq!(access.application_owner.id, owner);
    }
    let of = Applications { i_ivr_application: Some(STATUS), ..Applications::default() };
    let numbers = directory.access_numbers(of, FIRST).await.unwrap();
    let numbers: Vec<_> = numbers.iter().map(|entry| entry.number.as_str()).collect();
    assert_eq!(numbers, ["1733355700", "5550001"]);
}
