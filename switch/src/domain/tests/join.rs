//! A call between two customers: two machines, joined as over a trunk.

use mesh::caller::Owner;

use super::bench::{Bench, account};
use crate::domain::{Account, Action, CallId, Command, Effect, Input, Route, State};
use crate::driver::{Cause, ChannelId, Endpoint, Event, Op};

/// Two environments and the join between them.
struct Two {
    ours: Bench,
    theirs: Bench,
    /// Our half of the pair, and theirs.
    pair: Option<(ChannelId, ChannelId)>,
    /// Whether ours, or theirs, is held.
    held: [bool; 2],
}

fn account_of_theirs() -> Account {
    Account { i_customer: 2, i_account: 1, ..account("201") }
}

impl Two {
    /// 101 of ours dials 201 of theirs.
    fn calling() -> (Self, CallId) {
        let mut two = Self {
            ours: Bench::new(),
            theirs: Bench::in_environment(Owner { i_reseller: 7, i_customer: 2 }, "m"),
            pair: None,
            held: [false; 2],
        };
        let call = two.ours.phone_dials("101", "201");
        let answer =
            Ok(Route::Foreign { number: "201".to_owned(), name: "Quick & Tasty".to_owned() });
        let effects = two.ours.feed(Input::Resolved { call_id: call.clone(), answer });
        two.carry(true, effects);
        (two, call)
    }

    fn feed(&mut self, is_ours: bool, input: Input) {
        let bench = if is_ours { &mut self.ours } else { &mut self.theirs };
        let effects = bench.feed(input);
        self.carry(is_ours, effects);
    }

    /// What one side does to its half happens on the other's.
    fn carry(&mut self, is_ours: bool, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Drive(op) = effect else { continue };
            if let Op::Dial { channel, endpoint: Endpoint::Join { number }, shown, .. } = op {
                let inner = ChannelId("inner".to_owned());
                self.pair = Some((channel, inner.clone()));
                let route = Route::Account(account_of_theirs());
                self.feed(
                    !is_ours,
                    Input::TrunkCall { channel: inner, from: shown, dialled: number, route },
                );
                continue;
            }
            let Some((outer, inner)) = self.pair.clone() else { continue };
            let (own, other) = if is_ours { (outer, inner) } else { (inner, outer) };
            if *op.channel() != own {
                continue;
            }
            let is_answered = self.theirs.state(&self.theirs.tag(0)) == State::Connected;
            let event = match op {
                Op::Ring { .. } => Event::Ringing { channel: other },
                Op::Answer { .. } => Event::Answered { channel: other },
                Op::Label { label, .. } => {
                    let is_held = label.state == "held";
                    if std::mem::replace(&mut self.held[usize::from(is_ours)], is_held) == is_held {
                        continue;
                    }
                    if is_held {
                        Event::Held { channel: other }
                    } else {
                        Event::Resumed { channel: other }
                    }
                }
                Op::Hangup { reason, .. } => {
                    self.pair = None;
                    let is_refusal = !is_ours && !is_answered && reason.code != 487;
                    let cause =
                        if is_refusal { Cause::Refused(reason.code) } else { Cause::HungUp };
                    Event::Ended { channel: other, cause }
                }
                _ => continue,
            };
            self.feed(!is_ours, Input::Channel(event));
        }
    }

    fn event(&mut self, is_ours: bool, leg: usize, event: impl FnOnce(ChannelId) -> Event) {
        let bench = if is_ours { &self.ours } else { &self.theirs };
        let event = event(bench.channel(&bench.tag(leg)));
        self.feed(is_ours, Input::Channel(event));
    }

    fn talking() -> Self {
        let (mut two, _) = Self::calling();
        two.event(false, 1, |channel| Event::Ringing { channel });
        two.event(false, 1, |channel| Event::Answered { channel });
        two
    }
}

#[test]
fn each_customer_sees_a_call_of_its_own_with_the_other_as_over_a_trunk() {
    let mut two = Two::talking();

    two.event(true, 0, |channel| Event::Ended { channel, cause: Cause::HungUp });

    assert_eq!(
        two.ours.rows(),
        [
            "101 | 101 → 201 | outgoing | false | trying early connected terminated \
             (487 BYE Received)",
            "trunk | 101 → 201 | outgoing | true | trying ringing connected terminated \
             (487 BYE Received)",
        ]
    );
    assert_eq!(
        two.theirs.rows(),
        [
            "trunk | 101 → 201 | incoming | true | trying early connected terminated \
             (487 BYE Received)",
            "101 | 101 → 201 | incoming | false | trying ringing connected terminated \
             (487 BYE Received)",
        ]
    );
    assert_ne!(two.ours.told[0].call_id, two.theirs.told[0].call_id);
    assert!(two.ours.customer.is_idle() && two.theirs.customer.is_idle());
}

#[test]
fn of_the_other_customers_party_only_number_and_name_are_seen() {
    let two = Two::talking();

    for view in &two.ours.told {
        assert_eq!((view.callee.i_account, view.callee.account_id.as_ref()), (None, None));
    }
    for view in &two.theirs.told {
        let caller = &view.caller;
        assert_eq!((caller.i_account, caller.account_id.as_ref()), (None, None));
        assert_eq!((caller.number.as_str(), caller.name.as_str()), ("101", "Name 101"));
    }
}

#[test]
fn a_refusal_of_the_other_customers_phone_comes_through() {
    let (mut two, _) = Two::calling();

    two.event(false, 1, |channel| Event::Ended { channel, cause: Cause::Refused(486) });

    for bench in [&two.ours, &two.theirs] {
        for tag in bench.tags() {
            let reason = bench.of(&tag).last().unwrap().reason.clone().unwrap();
            assert_eq!((reason.code, reason.text.as_str()), (486, "Busy Here"));
        }
    }
}

#[test]
fn giving_up_ends_the_other_customers_call_too() {
    let (mut two, _) = Two::calling();
    two.event(false, 1, |channel| Event::Ringing { channel });

    two.event(true, 0, |channel| Event::Ended { channel, cause: Cause::HungUp });

    for bench in [&two.ours, &two.theirs] {
        for tag in bench.tags() {
            let reason = bench.of(&tag).last().unwrap().reason.clone().unwrap();
            assert_eq!((reason.code, reason.text.as_str()), (487, "Request Terminated"));
        }
    }
}

#[test]
fn a_hold_is_told_to_the_other_customer_as_over_a_trunk() {
    let mut two = Two::talking();
    let call = two.ours.told[0].call_id.clone();
    let cause = super::bench::cause("hold_call");
    let states = |bench: &Bench| [bench.state(&bench.tag(0)), bench.state(&bench.tag(1))];

    let hold = Command {
        id: "c1".to_owned(),
        scope: super::bench::CUSTOMER,
        cause: cause.clone(),
        action: Action::Hold(call.clone(), None),
    };
    two.feed(true, Input::Command(hold.clone()));
    assert_eq!(states(&two.ours), [State::Holding, State::Held]);
    assert_eq!(states(&two.theirs), [State::Holding, State::Held]);
    two.feed(true, Input::Command(Command { action: Action::Resume(call, None), ..hold }));

    assert_eq!(states(&two.ours), [State::Connected, State::Connected]);
    assert_eq!(states(&two.theirs), [State::Connected, State::Connected]);
    let theirs = two.theirs.told.iter();
    assert!(theirs.map(|view| &view.caused_by).all(Option::is_none), "the command is ours alone");
}
