//! Charges and credit.

use std::time::Duration;

use mesh::ledger::{Epoch, Position};

use super::{FIRST, at};
use crate::domain::accounting::{
    Charge, Direction, Granted, Key, Reached, Reservation, Service, Terms, Written, XdrsWithin,
};
use crate::domain::directory::{Directory, Page, Within};
use crate::domain::id::{IAccount, ICustomer};
use crate::domain::money::Money;
use crate::import;

/// Two customers with credit, and a tariff with free seconds and a minimum.
const FILE: &str = r#"
    [[tariff]]
    name = "Standard"
    currency = "EUR"
    [[tariff.rate]]
    prefix = ""
    price_per_minute = "0.60"
    [[tariff.rate]]
    prefix = "44"
    price_per_minute = "6.00"
    free_seconds = 10
    minimum_seconds = 30
    [[tariff.rate]]
    service = "conferencing"
    price_per_minute = "0.06"
    [[tariff]]
    name = "Incoming"
    currency = "EUR"
    [[tariff.rate]]
    prefix = "1"
    price_per_minute = "1.20"
    [[product]]
    name = "Line"
    [[product.rating]]
    tariff = "Standard"
    [[product.rating]]
    tariff = "Incoming"
    access_code = "INCOMING"
    [[reseller]]
    name = "Telco"
    [[customer]]
    name = "One"
    reseller = "Telco"
    currency = "EUR"
    credit_limit = "1.50"
    [[customer.account]]
    id = "101"
    name = "Alice"
    product = "Line"
    credit_limit = "1.00"
    [[customer.account]]
    id = "102"
    name = "Bob"
    product = "Line"
    credit_limit = "5.00"
    balance = "0.10"
    [[customer]]
    name = "Two"
    currency = "EUR"
    credit_limit = "10.00"
    [[customer.account]]
    id = "201"
    name = "Quick"
    product = "Line"
    credit_limit = "10.00"
"#;

async fn fill(directory: &impl Directory) {
    directory.apply(&import::parse(FILE).unwrap(), at(0)).await.unwrap();
}

fn key(tag: &str, i_account: i64) -> Key {
    Key { tag: tag.to_owned(), i_account: IAccount(i_account), service: Service::Voice }
}

/// A call to a number under the ordinary rating entry, over `seconds` from second `from` on.
fn charge(tag: &str, i_account: i64, cld: &str, from: i64, seconds: u64) -> Charge {
    Charge {
        key: key(tag, i_account),
        call_id: "n.c".to_owned(),
        tracking_id: "t".to_owned(),
        direction: Direction::Outgoing,
        cli: "101".to_owned(),
        cld: cld.to_owned(),
        terms: Terms { access_code: "", number: cld.to_owned() },
        connect_time: at(from),
        disconnect_time: at(from).plus(Duration::from_secs(seconds)),
        duration: Duration::from_secs(seconds),
        disconnect_cause: 487,
        recording: None,
    }
}

fn reached(millis: u64) -> Reached {
    let epoch = Epoch { born_millis: 5, nonce: 7 };
    Reached { partition: 3, epoch, position: Position { millis, sequence: 1 } }
}

fn reservation(tag: &str, i_account: i64, seconds: i64) -> Reservation {
    let terms = Terms { access_code: "", number: "12065550100".to_owned() };
    Reservation { key: key(tag, i_account), terms, seconds, expires_at: at(1_000) }
}

async fn grant(directory: &impl Directory, tag: &str, i_account: i64, seconds: i64) -> i64 {
    match directory.reserve(&reservation(tag, i_account, seconds)).await.unwrap() {
        Some(Granted::Seconds(seconds)) => seconds,
        other => panic!("{other:?}"),
    }
}

async fn has_credit(directory: &impl Directory, i_account: i64) -> bool {
    directory.standing(IAccount(i_account)).await.unwrap().unwrap().has_credit
}

/// Runs this part of the suite.
pub(super) async fn run<D, F>(empty: &mut impl FnMut() -> F)
where
    D: Directory,
    F: Future<Output = D>,
{
    charges_are_rated_written_once_and_owed(&empty().await).await;
    charges_are_listed_by_party_time_and_service(&empty().await).await;
    a_list_and_its_total_are_of_one_moment(&empty().await).await;
    credit_is_held_until_it_is_charged_or_over(&empty().await).await;
    what_costs_nothing_needs_no_credit(&empty().await).await;
    a_charge_costs_what_was_held_for_it(&empty().await).await;
    running_charges_never_oversell(&empty().await).await;
}

async fn charges_are_rated_written_once_and_owed(directory: &impl Directory) {
    fill(directory).await;
    let mut incoming = charge("b", 1, "101", 20, 60);
    incoming.direction = Direction::Incoming;
    incoming.terms = Terms { access_code: "INCOMING", number: "12065550100".to_owned() };
    let mut conferencing = charge("a", 1, "102", 10, 60);
    conferencing.key.service = Service::Conferencing;
    let charges = [
        charge("a", 1, "12065550100", 0, 30),
        incoming,
        conferencing,
        charge("c", 2, "447", 30, 11),
        charge("d", 3, "201", 40, 1),
        charge("e", 99, "201", 40, 1),
    ];

    let written = directory.write_xdrs(&charges, &reached(1)).await.unwrap();
    let again = directory.write_xdrs(&charges, &reached(2)).await.unwrap();

    assert_eq!(written, Written { new: 5, repeated: 0, orphaned: 1 });
    assert_eq!(again, Written { new: 0, repeated: 5, orphaned: 1 });
    let all = directory.xdrs(XdrsWithin::default(), FIRST).await.unwrap();
    let brief: Vec<_> = all
        .iter()
        .map(|xdr| {
            let price = xdr.charged_amount.to_string();
            (xdr.tag.as_str(), xdr.account_id.as_str(), xdr.charged_quantity, price)
        })
        .collect();
    assert_eq!(
        brief,
        [
            ("b", "101", 60, "1.20".to_owned()),
            ("a", "101", 60, "0.06".to_owned()),
            ("d", "201", 1, "0.01".to_owned()),
            ("c", "102", 30, "3.00".to_owned()),
            ("a", "101", 30, "0.30".to_owned()),
        ],
        "newest first"
    );
    assert!(all.iter().all(|xdr| xdr.currency == "EUR" && xdr.disconnect_cause == 487));
    // 1.56 are owed by 101 and 3.10 by 102, of 1.50 that their customer may owe.
    for (i_account, expected) in [(1, false), (2, false), (3, true)] {
        assert_eq!(has_credit(directory, i_account).await, expected, "{i_account}");
    }
    assert_eq!(directory.reached(3).await.unwrap(), Some(reached(2)));
    assert_eq!(directory.reached(4).await.unwrap(), None);
    let keys = [key("a", 1), key("a", 2), key("c", 2)];
    assert_eq!(directory.accounted(&keys).await.unwrap(), [true, false, true]);
}

async fn charges_are_listed_by_party_time_and_service(directory: &impl Directory) {
    fill(directory).await;
    let charges: Vec<_> = (0..5)
        .map(|number| charge(&format!("t{number}"), 1 + number % 3, "1", number * 10, 5))
        .collect();
    directory.write_xdrs(&charges, &reached(1)).await.unwrap();
    let tags = async |within: XdrsWithin, page: Page| {
        let xdrs = directory.xdrs(within, page).await.unwrap();
        xdrs.into_iter().map(|xdr| xdr.tag).collect::<Vec<_>>()
    };
    let all = XdrsWithin::default();
    let of = |within: Within| XdrsWithin { within, ..all };

    assert_eq!(tags(all, FIRST).await, ["t4", "t3", "t2", "t1", "t0"]);
    assert_eq!(tags(all, Page { limit: 2, offset: 1 }).await, ["t3", "t2"]);
    let telco = Within { i_reseller: Some(1), ..Within::default() };
    assert_eq!(tags(of(telco), FIRST).await, ["t4", "t3", "t1", "t0"]);
    let two = Within { i_customer: Some(ICustomer(2)), ..Within::default() };
    assert_eq!(tags(of(two), FIRST).await, ["t2"]);
    let alice = XdrsWithin { i_account: Some(IAccount(1)), ..all };
    assert_eq!(tags(alice, FIRST).await, ["t3", "t0"]);
    let (first, total) = directory.counted_xdrs(alice, Page { limit: 1, offset: 0 }).await.unwrap();
    let listed: Vec<_> = first.iter().map(|xdr| xdr.tag.as_str()).collect();
    assert_eq!((listed.as_slice(), total), (["t3"].as_slice(), 2));
    let time = XdrsWithin { from: Some(at(15)), to: Some(at(35)), ..all };
    assert_eq!(tags(time, FIRST).await, ["t2", "t1"], "the end counts, and `to` is not in it");
    let conferencing = XdrsWithin { service: Some(Service::Conferencing), ..all };
    assert_eq!(directory.counted_xdrs(conferencing, FIRST).await.unwrap(), (Vec::new(), 0));
}

async fn a_list_and_its_total_are_of_one_moment(directory: &impl Directory) {
    fill(directory).await;
    let writing = async {
        for number in 0..50 {
            let one = charge(&format!("t{number}"), 1, "1", number, 5);
            directory.write_xdrs(&[one], &reached(1)).await.unwrap();
        }
    };
    let listing = async {
        loop {
            let (xdrs, total) = directory.counted_xdrs(XdrsWithin::default(), FIRST).await.unwrap();
            assert_eq!(i64::try_from(xdrs.len()).unwrap(), total);
            if total == 50 {
                break;
            }
        }
    };

    tokio::join!(writing, listing);
}

async fn credit_is_held_until_it_is_charged_or_over(directory: &impl Directory) {
    fill(directory).await;

    // A minute costs 0.60: the limit of 1.00 is 100 seconds.
    assert_eq!(grant(directory, "a", 1, 30).await, 30);
    assert_eq!(grant(directory, "a", 1, 30).await, 30, "asked again");
    assert_eq!(grant(directory, "a", 1, 60).await, 60, "renewed");
    assert_eq!(grant(directory, "b", 1, 30).await, 30);
    assert_eq!(grant(directory, "c", 1, 30).await, 10, "what is left");
    assert!(!has_credit(directory, 1).await, "all is held");
    assert_eq!(grant(directory, "a", 1, 90).await, 60, "nothing is left");
    // Of the customer's 1.50, 1.00 are held and 0.10 are owed by nobody but 102 itself.
    assert_eq!(grant(directory, "d", 2, 300).await, 50, "the customer's limit holds as well");

    // The call `a` ends after 20 s: 40 s are given back.
    directory.write_xdrs(&[charge("a", 1, "12065550100", 0, 20)], &reached(1)).await.unwrap();
    assert!(has_credit(directory, 1).await);
    assert_eq!(grant(directory, "a", 1, 90).await, 0, "it has ended");
    assert_eq!(grant(directory, "c", 1, 90).await, 50);

    assert_eq!(directory.release_expired(at(1_000)).await.unwrap(), 0);
    assert_eq!(directory.release_expired(at(1_001)).await.unwrap(), 3);
    assert_eq!(grant(directory, "c", 1, 90).await, 80, "0.20 are owed");
}

async fn what_costs_nothing_needs_no_credit(directory: &impl Directory) {
    fill(directory).await;
    let mut free = reservation("a", 1, 30);
    free.terms = Terms { access_code: "INCOMING", number: "49".to_owned() };

    assert_eq!(directory.reserve(&free).await.unwrap(), Some(Granted::Unlimited));
    assert_eq!(directory.reserve(&reservation("a", 99, 30)).await.unwrap(), None);
    assert_eq!(directory.release_expired(at(9_999)).await.unwrap(), 0);
}

async fn a_charge_costs_what_was_held_for_it(directory: &impl Directory) {
    fill(directory).await;
    assert_eq!(grant(directory, "a", 1, 60).await, 60);
    let dearer = FILE.replace("price_per_minute = \"0.60\"", "price_per_minute = \"60.00\"");
    directory.apply(&import::parse(&dearer).unwrap(), at(1)).await.unwrap();

    let charges = [charge("a", 1, "12065550100", 0, 60)];
    directory.write_xdrs(&charges, &reached(1)).await.unwrap();

    let all = directory.xdrs(XdrsWithin::default(), FIRST).await.unwrap();
    assert_eq!(all.first().unwrap().charged_amount, Money(600_000));
}

/// Many charges of two accounts at once, renewed and ended in an order that `seed` says: what is
/// charged in the end is never more than either limit.
async fn running_charges_never_oversell(directory: &impl Directory) {
    fill(directory).await;
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut running: Vec<(String, i64, i64)> = Vec::new();
    for turn in 0..120_u64 {
        match next(4) {
            0 => running.push((format!("leg{turn}"), if next(2) == 0 { 1 } else { 2 }, 0)),
            1 if !running.is_empty() => {
                let at = usize::try_from(next(running.len() as u64)).unwrap();
                let (tag, i_account, granted) = running.swap_remove(at);
                let lasted = next(u64::try_from(granted).unwrap() + 1);
                let ended = charge(&tag, i_account, "12065550100", 0, lasted);
                directory.write_xdrs(&[ended], &reached(turn)).await.unwrap();
            }
            _ => {
                let count = running.len() as u64;
                if let Some((tag, i_account, granted)) =
                    running.get_mut(usize::try_from(next(count.max(1))).unwrap())
                {
                    let more = i64::try_from(next(30)).unwrap();
                    let now = grant(directory, tag, *i_account, *granted + more).await;
                    assert!(now >= *granted, "a grant is never taken back");
                    *granted = now;
                }
            }
        }
    }
    for (tag, i_account, granted) in running {
        let lasted = u64::try_from(granted).unwrap();
        let ended = charge(&tag, i_account, "12065550100", 0, lasted);
        directory.write_xdrs(&[ended], &reached(999)).await.unwrap();
    }

    let rest = u64::try_from(grant(directory, "last", 1, 10_000).await).unwrap();
    let last = charge("last", 1, "12065550100", 0, rest);
    directory.write_xdrs(&[last], &reached(1_000)).await.unwrap();

    let all = directory.xdrs(XdrsWithin::default(), FIRST).await.unwrap();
    let owed = |account: &str| {
        all.iter()
            .filter(|xdr| xdr.account_id == account)
            .map(|xdr| xdr.charged_amount.0)
            .sum::<i64>()
    };
    assert!(owed("101") <= 1_000_000, "{}", owed("101"));
    assert!(owed("101") + owed("102") <= 1_500_000, "{} {}", owed("101"), owed("102"));
    let left = (1_000_000 - owed("101")).min(1_500_000 - owed("101") - owed("102"));
    assert!(left < 10_000, "and all of it is sold, up to a second: {left}");
}
