//! `CallControl/originate_call`: starts a call from an account's phone.

use mesh::calls_index::state_name;
use mesh::command::{Refusal, Session};
use proto::call::v1::State;
use proto::callcontrol::v1::{OriginateCallRequest, OriginateCallResponse};
use proto::switch::v1::OriginateCall;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<OriginateCallRequest>,
) -> Result<OriginateCallResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/originate_call")?;
    let request_id = request.request_id.clone();
    let request_id = check::request_id(request_id.as_deref())?;
    let mut params = checked(request)?;
    if let Some(address) = params.state_info_callback.as_deref() {
        // Where it leads may change: the notifier looks again each time.
        let refused = |why| Refusal::CallbackRefused("state_info_callback", why);
        rpc.outward.check(address).await.map_err(refused)?;
    }
    let (account_id, i_account) = (params.account_id.as_deref(), params.i_account);
    let account = rpc.directory.account(&session, account_id, i_account).await?;
    // Named either way or not at all, it is the same account.
    params.account_id = Some(account.account_id.clone());
    params.i_account = Some(account.i_account);
    let repeatable = check::repeatable(request_id, &params)?;
    let i_customer = account.i_customer;
    let command = Command::OriginateCall(OriginateCall {
        call_id: String::new(),
        account: Some(account),
        destination: params.destination,
        caller_id: params.caller_id,
        caller_name: params.caller_name,
        timeout_seconds: params.timeout,
        state_info_callback: params.state_info_callback,
        state_info_events: params
            .state_info_events
            .into_iter()
            .filter_map(|state| State::try_from(state).ok())
            .map(|state| state_name(state).to_owned())
            .collect(),
    });
    let done = rpc.calls.act_at_home(&session, i_customer, command, repeatable).await?;
    let leg = check::first_leg(done)?;
    Ok(OriginateCallResponse { call: leg.call, tracking_id: leg.tracking_id })
}

/// The params without `request_id`, with defaults filled in.
fn checked(mut params: OriginateCallRequest) -> Result<OriginateCallRequest, Refusal> {
    params.request_id = None;
    params.state_info_callback = check::given(params.state_info_callback);
    if params.state_info_callback.is_none() {
        // Without a callback they ask for nothing.
        params.state_info_events.clear();
    }
    params.account_id = params.account_id.filter(|id| !id.is_empty());
    params.caller_id = params.caller_id.filter(|id| !id.is_empty());
    params.caller_name = params.caller_name.filter(|name| !name.is_empty());
    check::destination("destination", &params.destination)?;
    params.timeout = check::timeout(params.timeout)?;
    Ok(params)
}
