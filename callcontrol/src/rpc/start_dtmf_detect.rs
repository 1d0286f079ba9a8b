//! `CallControl/start_dtmf_detect`: collects digits from a leg's party.

use mesh::command::{Refusal, Session, dial};
use proto::callcontrol::v1::{StartDtmfDetectRequest, StartDtmfDetectResponse};
use proto::switch::v1::StartDtmfDetect;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

/// Most digits of an input.
const MAX_DIGITS: i32 = 128;

/// Most seconds of each time-out.
const MAX_SECONDS: f64 = 3600.0;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<StartDtmfDetectRequest>,
) -> Result<StartDtmfDetectResponse, Status> {
    let (session, mut params) = Session::of(request, "CallControl/start_dtmf_detect")?;
    let call = check::call(params.call.as_ref())?;
    params.call = Some(call.clone());
    let request_id = params.request_id.take();
    let repeatable = check::repeatable(request_id.as_deref(), &params)?;
    let command = Command::StartDtmfDetect(checked(params)?);
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(StartDtmfDetectResponse { success: 1 })
}

fn checked(params: StartDtmfDetectRequest) -> Result<StartDtmfDetect, Refusal> {
    let StartDtmfDetectRequest { max_digits, min_digits, terminators, .. } = params;
    if !(1..=MAX_DIGITS).contains(&max_digits) {
        return Err(Refusal::InvalidParam { param: "max_digits", rule: "must be 1 to 128" });
    }
    if !(0..=max_digits).contains(&min_digits) {
        let rule = "must be 0 to `max_digits`";
        return Err(Refusal::InvalidParam { param: "min_digits", rule });
    }
    if !terminators.is_empty() && !dial::is_digits(&terminators) {
        let rule = "must be some of 0-9, *, # and A-D";
        return Err(Refusal::InvalidParam { param: "terminators", rule });
    }
    Ok(StartDtmfDetect {
        call: params.call,
        max_digits,
        min_digits,
        terminators,
        first_digit_ms: millis("first_digit_timeout", params.first_digit_timeout)?,
        inter_digit_ms: millis("inter_digit_timeout", params.inter_digit_timeout)?,
        total_ms: millis("total_timeout", params.total_timeout)?,
    })
}

fn millis(param: &'static str, seconds: f64) -> Result<i64, Refusal> {
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(Refusal::InvalidParam { param, rule: "must be 0 to 3600 seconds" });
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is at most 3,600,000")]
    let millis = (seconds * 1000.0).round() as i64;
    Ok(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_with_decimals() {
        assert_eq!(millis("x", 0.0).ok(), Some(0));
        assert_eq!(millis("x", 0.0625).ok(), Some(63));
        assert_eq!(millis("x", 2.5).ok(), Some(2500));
        for bad in [-0.1, 3600.1, f64::NAN, f64::INFINITY] {
            assert!(millis("x", bad).is_err(), "{bad}");
        }
    }
}
