//! Checks of params that several methods take. The edge has checked them too, but is not trusted
//! to have done it.

use std::ops::RangeInclusive;

use prost::Message;
use proto::call::v1::CallRef;

use crate::calls::Repeatable;
use crate::error::Refusal;

/// Most characters of a call's id or tag, and of `request_id`.
const LONGEST: usize = 128;

/// The call that a command names; an empty tag is none.
pub(super) fn call(call: Option<&CallRef>) -> Result<CallRef, Refusal> {
    let call = call.filter(|call| !call.id.is_empty()).ok_or(Refusal::MissingParam("call"))?;
    let tag = call.tag.clone().filter(|tag| !tag.is_empty());
    let is_long = call.id.len() > LONGEST || tag.as_ref().is_some_and(|tag| tag.len() > LONGEST);
    if is_long {
        return Err(Refusal::CallNotFound(call.id.chars().take(LONGEST).collect()));
    }
    Ok(CallRef { id: call.id.clone(), tag })
}

/// A SIP code within its range.
pub(super) fn reason_code(
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

/// The `request_id`, and `params`: the request without it, with defaults filled in.
pub(super) fn repeatable<'a>(
    request_id: Option<&'a str>,
    params: &impl Message,
) -> Result<Option<Repeatable<'a>>, Refusal> {
    match request_id {
        None => Ok(None),
        Some(id) if id.is_empty() || id.len() > LONGEST => Err(Refusal::InvalidParam {
            param: "request_id",
            rule: "must have 1 to 128 characters",
        }),
        Some(request_id) => Ok(Some(Repeatable { request_id, params: params.encode_to_vec() })),
    }
}
