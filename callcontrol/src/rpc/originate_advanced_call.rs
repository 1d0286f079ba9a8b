//! `CallControl/originate_advanced_call`: connects two numbers for an account that pays both.

use mesh::command::{Refusal, Session};
use proto::callcontrol::v1::{
    CallTarget, OriginateAdvancedCallRequest, OriginateAdvancedCallResponse,
};
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{AdvancedLeg, OriginateAdvancedCall};
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<OriginateAdvancedCallRequest>,
) -> Result<OriginateAdvancedCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/originate_advanced_call")?;
    let first = target(request.first, "first", "first.destination")?;
    let second = target(request.second, "second", "second.destination")?;
    let timeout = check::timeout(request.timeout)?;
    let request_id = check::request_id(request.request_id.as_deref())?;
    let account_id = check::given(request.account_id);
    let line = rpc.directory.line(&session, account_id.as_deref(), request.i_account).await?;
    if !line.may_connect_two {
        return Err(Refusal::MayNotConnectTwo.into());
    }
    let account = line.account;
    let params = OriginateAdvancedCallRequest {
        account_id: Some(account.account_id.clone()),
        i_account: Some(account.i_account),
        first: Some(first.clone()),
        second: Some(second.clone()),
        timeout,
        request_id: None,
    };
    let repeatable = check::repeatable(request_id, &params)?;
    let i_customer = account.i_customer;
    let command = Command::OriginateAdvancedCall(OriginateAdvancedCall {
        call_id: String::new(),
        account: Some(account),
        first: Some(leg(first)),
        second: Some(leg(second)),
        timeout_seconds: timeout,
    });
    let done = rpc.calls.act_at_home(&session, i_customer, command, repeatable).await?;
    let leg = check::first_leg(done)?;
    Ok(OriginateAdvancedCallResponse { call: leg.call, tracking_id: leg.tracking_id })
}

/// One of the two, without what is empty.
fn target(
    target: Option<CallTarget>,
    name: &'static str,
    destination: &'static str,
) -> Result<CallTarget, Refusal> {
    let target = target.ok_or(Refusal::MissingParam(name))?;
    check::destination(destination, &target.destination)?;
    Ok(CallTarget { caller_id: check::given(target.caller_id), ..target })
}

fn leg(target: CallTarget) -> AdvancedLeg {
    AdvancedLeg { destination: target.destination, caller_id: target.caller_id }
}
