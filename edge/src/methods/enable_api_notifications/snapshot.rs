//! The calls in a scope, as `CallControl/get_sip_calls_list` lists them.

use mesh::caller::Scope as Reach;
use prost::Message as _;
use proto::api::{self, Method};
use proto::call::v1::CallInfo;
use proto::callcontrol::v1::{GetSipCallsListRequest, GetSipCallsListResponse};

use crate::live::scope::Scope;
use crate::rpc::{Call, Fault, forward};

/// Legs of one page; the list gives no more at once.
const PAGE: i32 = 1_000;

/// Pages at most: a wall board of more legs lists them itself.
const PAGES: i32 = 20;

/// Lists the living legs of `scope`.
pub(super) async fn take(call: &Call<'_>, scope: &Scope) -> Result<Vec<CallInfo>, Fault> {
    let list = api::method("CallControl/get_sip_calls_list");
    let list = list.ok_or_else(|| Fault::internal(call.method))?;
    let mut request = of(scope, &call.session()?.caller.scope);
    let mut calls = Vec::new();
    for page in 0..PAGES {
        request.offset = page * PAGE;
        let legs = page_of(call, list, &request).await?;
        let is_last = legs.len() < usize::try_from(PAGE).unwrap_or(0);
        calls.extend(legs.into_iter().filter(|leg| belongs(leg, scope)));
        if is_last {
            break;
        }
    }
    Ok(calls)
}

async fn page_of(
    call: &Call<'_>,
    list: &'static Method,
    request: &GetSipCallsListRequest,
) -> Result<Vec<CallInfo>, Fault> {
    let response = forward::unary(call, list, request.encode_to_vec().into(), true).await?;
    let response = GetSipCallsListResponse::decode(response);
    Ok(response.map_err(|_| Fault::internal(call.method))?.calls_list)
}

fn of(scope: &Scope, reach: &Reach) -> GetSipCallsListRequest {
    let mut request = GetSipCallsListRequest { limit: PAGE, ..Default::default() };
    if *scope == Scope::own(reach) {
        return request;
    }
    match *scope {
        Scope::Customer(i_customer) => request.i_customer = Some(i_customer),
        Scope::Account { i_account, .. } => request.i_account = Some(i_account),
        Scope::Queue { i_c_queue, .. } => request.i_c_queue = Some(i_c_queue),
        Scope::AccessNumber { i_customer, .. } if reach.i_customer().is_none() => {
            request.i_customer = Some(i_customer);
        }
        Scope::Everything | Scope::Reseller(_) | Scope::AccessNumber { .. } => {}
    }
    request
}

/// The list knows no access numbers.
fn belongs(leg: &CallInfo, scope: &Scope) -> bool {
    match scope {
        Scope::AccessNumber { access_number, .. } => {
            leg.access_number.as_deref() == Some(access_number)
        }
        _ => true,
    }
}
