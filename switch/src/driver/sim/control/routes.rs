//! Who does what at which path.

use http::{Method, Request};
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::Value;

use crate::driver::Shown;
use crate::driver::sim::{Behaviour, Fault, Hand, Sim};

use super::request::{
    self, Dial, LegKeys, OnLeg, OnPhone, PhoneKeys, TrunkCall, body, optional_body,
};
use super::response::{self, Answer, Failure};

/// The leg that a call from the public network became.
#[derive(Serialize)]
struct TrunkCallPlaced {
    call_id: String,
    leg: String,
}

/// The leg that a phone's call became.
#[derive(Serialize)]
struct Dialled {
    call_id: String,
    tag: String,
}

/// Does what a request asks for.
pub(super) async fn answer(sim: &Sim, request: Request<Incoming>) -> Answer {
    response::answer(route(sim, request).await)
}

async fn route(sim: &Sim, request: Request<Incoming>) -> Result<Value, Failure> {
    let (parts, incoming) = request.into_parts();
    let segments = request::segments(parts.uri.path()).ok_or_else(Failure::not_found)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = &parts.method;
    match segments.as_slice() {
        ["sim", "phones", account_id] if *method == Method::GET => {
            value(&sim.phone(account_id).await?)
        }
        ["sim", "phones", account_id] if *method == Method::PUT => {
            let behaviour: Behaviour = body(incoming).await?;
            sim.set_behaviour(account_id, behaviour).await?;
            Ok(empty())
        }
        ["sim", "phones", _] => Err(Failure::method("GET, PUT")),
        ["sim", "phones", account_id, action] => {
            let action = PhoneAction::named(action).ok_or_else(Failure::not_found)?;
            check_post(method)?;
            on_phone(sim, account_id, action, incoming).await
        }
        ["sim", "trunk", "call"] => {
            check_post(method)?;
            trunk_call(sim, incoming).await
        }
        ["sim", "trunk", "legs", tag] => {
            if *method != Method::GET {
                return Err(Failure::method("GET"));
            }
            value(&sim.trunk_leg(tag)?)
        }
        ["sim", "trunk", "legs", tag, action] => {
            let action = LegAction::named(action).ok_or_else(Failure::not_found)?;
            check_post(method)?;
            on_leg(sim, tag, action, incoming).await
        }
        ["sim", "faults"] => {
            check_post(method)?;
            let fault: Fault = body(incoming).await?;
            if sim.set_fault(fault) {
                Ok(empty())
            } else {
                Err(Failure::conflict("this node cannot be made to crash"))
            }
        }
        _ => Err(Failure::not_found()),
    }
}

/// What can be done on a phone.
enum PhoneAction {
    Dial,
    Keys,
    Hand(Hand),
}

impl PhoneAction {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "dial" => Self::Dial,
            "dtmf" => Self::Keys,
            "answer" => Self::Hand(Hand::Answer),
            "decline" => Self::Hand(Hand::Decline),
            "hangup" => Self::Hand(Hand::Hangup),
            "hold" => Self::Hand(Hand::Hold),
            "resume" => Self::Hand(Hand::Resume),
            _ => return None,
        })
    }
}

/// What the far end of a leg of the trunk can do.
enum LegAction {
    Keys,
    Hand(Hand),
}

impl LegAction {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "dtmf" => Self::Keys,
            "hangup" => Self::Hand(Hand::Hangup),
            "hold" => Self::Hand(Hand::Hold),
            "resume" => Self::Hand(Hand::Resume),
            _ => return None,
        })
    }
}

async fn on_phone(
    sim: &Sim,
    account_id: &str,
    action: PhoneAction,
    incoming: Incoming,
) -> Result<Value, Failure> {
    match action {
        PhoneAction::Dial => {
            let Dial { destination } = body(incoming).await?;
            request::check_number("destination", &destination)?;
            let label = sim.dial(account_id, &destination).await?;
            value(&Dialled { call_id: label.call_id, tag: label.tag })
        }
        PhoneAction::Keys => {
            let PhoneKeys { digits, gap_ms, call_id } = body(incoming).await?;
            request::check_keys(&digits, gap_ms)?;
            sim.phone_keys(account_id, &digits, gap_ms, call_id.as_deref()).await?;
            Ok(empty())
        }
        PhoneAction::Hand(hand) => {
            let OnPhone { call_id } = optional_body(incoming).await?;
            sim.phone_hand(account_id, hand, call_id.as_deref()).await?;
            Ok(empty())
        }
    }
}

async fn on_leg(
    sim: &Sim,
    tag: &str,
    action: LegAction,
    incoming: Incoming,
) -> Result<Value, Failure> {
    match action {
        LegAction::Keys => {
            let LegKeys { digits, gap_ms } = body(incoming).await?;
            request::check_keys(&digits, gap_ms)?;
            sim.leg_keys(tag, &digits, gap_ms).await?;
        }
        LegAction::Hand(hand) => {
            let OnLeg {} = optional_body(incoming).await?;
            sim.leg_hand(tag, hand).await?;
        }
    }
    Ok(empty())
}

async fn trunk_call(sim: &Sim, incoming: Incoming) -> Result<Value, Failure> {
    let TrunkCall { from, to, name } = body(incoming).await?;
    request::check_number("from", &from)?;
    request::check_number("to", &to)?;
    request::check_name(&name)?;
    let label = sim.trunk_call(Shown { number: from, name }, &to).await?;
    value(&TrunkCallPlaced { call_id: label.call_id, leg: label.tag })
}

fn check_post(method: &Method) -> Result<(), Failure> {
    if *method == Method::POST { Ok(()) } else { Err(Failure::method("POST")) }
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn value<T: Serialize>(body: &T) -> Result<Value, Failure> {
    serde_json::to_value(body).map_err(|_error| Failure::internal("the answer cannot be written"))
}
