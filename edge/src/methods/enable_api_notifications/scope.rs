//! The scope that a request names, checked: what the caller may not see looks absent.

use mesh::caller::Scope as Reach;
use mesh::fault::Code;
use proto::auth::v1::CheckScopeRequest;
use proto::auth::v1::authorization_service_client::AuthorizationServiceClient;
use proto::auth::v1::check_scope_request::Of;
use proto::callcontrol::v1::EnableApiNotificationsRequest;

use crate::live::scope::Scope;
use crate::methods::{invalid, request};
use crate::rpc::{Call, Fault};

/// The scope of a subscription.
pub(super) async fn of(
    call: &Call<'_>,
    params: &EnableApiNotificationsRequest,
) -> Result<Scope, Fault> {
    let named = named(params);
    if named.len() > 1 {
        return Err(invalid(call, "at most one scope may be named", &named));
    }
    let reach = call.session()?.caller.scope;
    let absent = || not_found(call, params);
    if let Some(i_customer) = params.i_customer {
        return match reach {
            Reach::Customer { i_customer: own } if own == i_customer => {
                Ok(Scope::Customer(i_customer))
            }
            Reach::Customer { .. } | Reach::Account { .. } => Err(absent()),
            Reach::Everything | Reach::Reseller { .. } => {
                check(call, Of::ICustomer(i_customer)).await?.ok_or_else(absent)?;
                Ok(Scope::Customer(i_customer))
            }
        };
    }
    if let Some(i_account) = params.i_account {
        return match reach {
            Reach::Account { i_customer, i_account: own } if own == i_account => {
                Ok(Scope::Account { i_customer, i_account })
            }
            Reach::Account { .. } => Err(absent()),
            Reach::Everything | Reach::Reseller { .. } | Reach::Customer { .. } => {
                let i_customer = check(call, Of::IAccount(i_account)).await?.ok_or_else(absent)?;
                Ok(Scope::Account { i_customer, i_account })
            }
        };
    }
    if let Some(access_number) = &params.access_number {
        let of = Of::AccessNumber(access_number.clone());
        let i_customer = check(call, of).await?.ok_or_else(absent)?;
        // As the directory keeps it, and events name it.
        let access_number = access_number.strip_prefix('+').unwrap_or(access_number).to_owned();
        return Ok(Scope::AccessNumber { i_customer, access_number });
    }
    if let Some(i_c_queue) = params.i_c_queue {
        let i_customer = check(call, Of::ICQueue(i_c_queue)).await?.ok_or_else(absent)?;
        return Ok(Scope::Queue { i_customer, i_c_queue });
    }
    Ok(Scope::own(&reach))
}

/// The fault that says that what the request names is absent.
pub(super) fn not_found(call: &Call<'_>, params: &EnableApiNotificationsRequest) -> Fault {
    let (reason, what) = if params.i_account.is_some() {
        ("ACCOUNT_NOT_FOUND", "account")
    } else if params.access_number.is_some() {
        ("ACCESS_NUMBER_NOT_FOUND", "access number")
    } else if params.i_c_queue.is_some() {
        ("QUEUE_NOT_FOUND", "queue")
    } else {
        ("CUSTOMER_NOT_FOUND", "customer")
    };
    Fault::new(call.method, Code::NotFound, reason, format!("there is no such {what}"))
}

fn named(params: &EnableApiNotificationsRequest) -> Vec<&'static str> {
    [
        ("i_customer", params.i_customer.is_some()),
        ("i_account", params.i_account.is_some()),
        ("access_number", params.access_number.is_some()),
        ("i_c_queue", params.i_c_queue.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_given)| is_given.then_some(name))
    .collect()
}

/// The customer of an object in the caller's scope; `None` when there is no such object.
async fn check(call: &Call<'_>, of: Of) -> Result<Option<i64>, Fault> {
    let mut client = AuthorizationServiceClient::new(call.edge.auth.clone());
    let asked = request(call, CheckScopeRequest { of: Some(of) });
    let answer = client.check_scope(asked).await;
    let answer = answer.map_err(|status| Fault::from_status(call.method, &status))?.into_inner();
    Ok(answer.in_scope.then_some(answer.i_customer))
}
