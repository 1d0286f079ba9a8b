//! Checks of params that several methods take. The edge has checked them too, but is not trusted
//! to have done it.

use std::ops::RangeInclusive;

use prost::Message;
use proto::call::v1::{CallInfo, CallRef};
use proto::switch::v1::Done;

use super::commands::Repeatable;
use super::dial;
use super::engine_id::EngineId;
use super::prompt_path;
use super::refusal::Refusal;

/// Most characters of a call's id or tag, and of `request_id`.
const LONGEST: usize = 128;

/// Most prompts of one command.
const MAX_PROMPTS: usize = 32;

/// Seconds that each leg may ring when nobody says how long.
const DEFAULT_TIMEOUT: i32 = 60;

/// What is given and not empty.
#[must_use]
pub fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The call that a command names; an empty tag is none.
///
/// # Errors
/// `MissingParam`, or `CallNotFound` for what can be no id.
pub fn call(call: Option<&CallRef>) -> Result<CallRef, Refusal> {
    let call = call.filter(|call| !call.id.is_empty()).ok_or(Refusal::MissingParam("call"))?;
    let tag = call.tag.clone().filter(|tag| !tag.is_empty());
    let is_long = call.id.len() > LONGEST || tag.as_ref().is_some_and(|tag| tag.len() > LONGEST);
    if is_long {
        return Err(Refusal::CallNotFound(shortened(&call.id)));
    }
    Ok(CallRef { id: call.id.clone(), tag })
}

/// The id of the second call of a transfer.
///
/// # Errors
/// `TargetCallNotFound` for what can be no id.
pub fn target_call(id: &str) -> Result<(), Refusal> {
    let is_id = EngineId::parse(id).is_some();
    is_id.then_some(()).ok_or_else(|| Refusal::TargetCallNotFound(shortened(id)))
}

/// What is told of an id that is none.
fn shortened(id: &str) -> String {
    id.chars().take(LONGEST).collect()
}

/// A SIP code within its range.
///
/// # Errors
/// `InvalidParam`.
pub fn reason_code(
    code: Option<i32>,
    range: RangeInclusive<i32>,
    rule: &'static str,
) -> Result<Option<i32>, Refusal> {
    match code {
        Some(code) if !range.contains(&code) => {
            Err(Refusal::InvalidParam { param: "reason_code", rule })
        }
        code => Ok(code),
    }
}

/// Whom to dial.
///
/// # Errors
/// `MissingParam`, `InvalidParam`.
pub fn destination(param: &'static str, destination: &str) -> Result<(), Refusal> {
    if destination.is_empty() {
        return Err(Refusal::MissingParam(param));
    }
    if !dial::is_destination(destination) {
        let rule = "must be 1 to 64 of 0-9, A-Z, a-z, +, *, #, ., _ and -";
        return Err(Refusal::InvalidParam { param, rule });
    }
    Ok(())
}

/// Exactly one of these params is given, as `given` says of each.
///
/// # Errors
/// `NoneOf`, `SeveralOf`.
pub fn one_of<const N: usize>(
    params: &'static [&'static str; N],
    given: [bool; N],
) -> Result<(), Refusal> {
    match given.into_iter().filter(|is_given| *is_given).count() {
        0 => Err(Refusal::NoneOf(params)),
        1 => Ok(()),
        _ => Err(Refusal::SeveralOf(params)),
    }
}

/// A parking slot; an empty one is none.
///
/// # Errors
/// `InvalidParam`.
pub fn slot(slot: Option<String>) -> Result<Option<String>, Refusal> {
    let slot = given(slot);
    if slot.as_deref().is_some_and(|slot| !dial::is_slot(slot)) {
        let rule = "must be 1 to 32 of 0-9, A-Z, a-z, +, *, #, ., _ and -";
        return Err(Refusal::InvalidParam { param: "slot", rule });
    }
    Ok(slot)
}

/// Seconds that each leg may ring, with the default filled in.
///
/// # Errors
/// `InvalidParam`.
pub fn timeout(seconds: i32) -> Result<i32, Refusal> {
    match seconds {
        0 => Ok(DEFAULT_TIMEOUT),
        1..=600 => Ok(seconds),
        _ => Err(Refusal::InvalidParam { param: "timeout", rule: "must be 1 to 600 seconds" }),
    }
}

/// Paths of prompts, as far as they can be judged here; the switch looks at the files.
///
/// # Errors
/// `InvalidParam`.
pub fn prompts(prompts: &[String]) -> Result<(), Refusal> {
    let invalid = |rule| Refusal::InvalidParam { param: "prompts", rule };
    if prompts.len() > MAX_PROMPTS {
        return Err(invalid("must be 1 to 32 paths in the prompt folder"));
    }
    prompts.iter().try_for_each(|path| {
        prompt_path::check(path).map_err(|_why| {
            invalid("must be paths in the prompt folder, of files `au`, `g729` or `wav`")
        })
    })
}

/// How often something is played.
///
/// # Errors
/// `InvalidParam`.
pub fn repeat(repeat: i32) -> Result<(), Refusal> {
    if !(0..=1000).contains(&repeat) {
        return Err(Refusal::InvalidParam { param: "repeat", rule: "must be 0 to 1000" });
    }
    Ok(())
}

/// The leg that a command made.
///
/// # Errors
/// `BadAnswer` when there is none.
pub fn first_leg(done: Done) -> Result<CallInfo, Refusal> {
    done.legs.into_iter().next().ok_or_else(|| Refusal::BadAnswer("no leg".to_owned()))
}

/// What the answer to a command has to have.
///
/// # Errors
/// `BadAnswer` when it is missing.
pub fn answered<T>(value: Option<T>, name: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::BadAnswer(format!("no {name}")))
}

/// A `request_id` that may be one.
///
/// # Errors
/// `InvalidParam`.
pub fn request_id(request_id: Option<&str>) -> Result<Option<&str>, Refusal> {
    match request_id {
        Some(id) if id.is_empty() || id.len() > LONGEST => Err(Refusal::InvalidParam {
            param: "request_id",
            rule: "must have 1 to 128 characters",
        }),
        request_id => Ok(request_id),
    }
}

/// The `request_id`, and `params`: the request without it, with defaults filled in.
///
/// # Errors
/// `InvalidParam`, about the `request_id`.
pub fn repeatable<'a>(
    request_id: Option<&'a str>,
    params: &impl Message,
) -> Result<Option<Repeatable<'a>>, Refusal> {
    let request_id = self::request_id(request_id)?;
    Ok(request_id.map(|request_id| Repeatable { request_id, params: params.encode_to_vec() }))
}
