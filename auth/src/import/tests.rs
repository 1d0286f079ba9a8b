use proptest::prelude::*;

use super::*;
use crate::domain::money::Money;

const DEMO: &str = include_str!("../../../cordboard/demo.toml");

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_demo_directory_is_good() {
    let plan = parse(DEMO).unwrap_or_else(|error| panic!("{error}"));

    assert!(plan.is_demo);
    let accounts: Vec<_> = plan
        .customers
        .iter()
        .flat_map(|customer| &customer.accounts)
        .map(|account| account.id.text.as_str())
        .collect();
    assert_eq!(accounts, ["101", "102", "103", "104", "105", "201", "202", "301"]);
    assert!(!DEMO.contains("\"cordboard\""), "hashes, not passwords");
}

#[test]
fn a_syntax_error_names_its_place() {
    assert_eq!(
        problems("demo = true\n[[role]\n"),
        ["line 2, column 8: unclosed array table, expected `]`"]
    );
}

#[test]
fn an_unknown_key_is_told_with_those_that_are_known() {
    let [problem] =
        problems("[[role]]\nname = \"x\"\ncall_contrl = \"read\"\n").try_into().unwrap();

    assert!(problem.starts_with("line 3, column 1: unknown field `call_contrl`"), "{problem}");
    assert!(problem.contains("`call_control`"), "{problem}");
}

#[test]
fn every_problem_is_told_in_the_order_of_the_file() {
    let text = r#"
[[role]]
name = "default"
call_control = "write"

[[customer]]
name = "One"
credit_limit = "1,5"
role = "agent"

[[customer.account]]
id = "+101"
name = ""
product = "Line"
credit_limit = "-1"
login = "alice"
password_hash = "cordboard"

[[customer.hunt_group]]
id = "12x"
name = "Support"
agents = ["101", "101"]

[[customer.ivr_application]]
name = "status"
account = "101"
on_app_gone = "explode"
access_numbers = ["5550001", "+5550001"]
"#;

    assert_eq!(
        problems(text),
        [
            "line 3, column 8, `role[0].name`: `default` is the role of those who were given none; choose another name",
            "line 4, column 16, `role[0].call_control`: `write` is not known here; must be one of `none`, `read`, `modify`",
            "line 8, column 16, `customer[0].credit_limit`: `1,5` is no amount of money; must be an amount with at most six decimals, like \"12.50\"",
            "line 9, column 8, `customer[0].role`: `role` of somebody who cannot log in; give `login` too",
            "line 12, column 6, `customer[0].account[0].id`: `+101` is no account id; must be at most 32 letters, digits or `._-*#`, without leading `+`",
            "line 13, column 8, `customer[0].account[0].name`: an empty or very long name; must be 1 to 128 characters",
            "line 15, column 16, `customer[0].account[0].credit_limit`: an amount below zero; must be 0 or more",
            "line 17, column 17, `customer[0].account[0].password_hash`: no PHC string; must be an Argon2id PHC string, `$argon2id$v=19$m=19456,t=2,p=1$…$…`",
            "line 20, column 6, `customer[0].hunt_group[0].id`: `12x` is no number; must be 1 to 32 digits, `*` or `#`",
            "line 22, column 18, `customer[0].hunt_group[0].agents[1]`: `101` is an agent twice; name it once",
            "line 27, column 15, `customer[0].ivr_application[0].on_app_gone`: `explode` is not known here; must be one of `fallback`, `terminate`, `continue`",
            "line 28, column 30, `customer[0].ivr_application[0].access_numbers[1]`: the number `5550001` stands in line 28 already; name it once",
        ]
    );
}

#[test]
fn a_number_belongs_to_one_thing_of_the_whole_file() {
    let text = r#"
[[customer]]
name = "One"
credit_limit = "1"
numbers = ["340"]
[[customer]]
name = "Two"
credit_limit = "1"
[[customer.hunt_group]]
id = "340"
name = "Support"
"#;

    assert_eq!(
        problems(text),
        [
            "line 10, column 6, `customer[1].hunt_group[0].id`: the number `340` stands in line 5 already; name it once"
        ]
    );
}

#[test]
fn credit_is_read_exactly() {
    let plan = parse(DEMO).unwrap();
    let erin = &plan.customers[0].accounts[4];

    assert_eq!(erin.credit.limit, Money(5_000_000));
    assert_eq!(erin.credit.opening_balance, Money(5_000_000));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_fall(text in ".{0,200}") {
        parse(&text).ok();
    }

    #[test]
    fn a_place_is_inside_the_text(text in "[a-zé\n]{0,50}", byte in 0_usize..60) {
        let place = place(&text, byte, String::new());

        prop_assert!(place.line <= text.matches('\n').count() + 1);
        prop_assert!(place.column <= text.chars().count() + 1);
    }
}
