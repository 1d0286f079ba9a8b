//! `CustomerService`: PBX environments and their hunt groups.

use std::sync::Arc;

use mesh::caller::{self, Caller};
use proto::auth::v1 as pb;
use proto::auth::v1::customer_service_server::CustomerService;
use tonic::{Request, Response, Status};

use super::error::status;
use super::list::{page, within};
use crate::domain::directory::{AccountKey, CustomerKey, Directory};
use crate::domain::error::LookupError;
use crate::domain::id::{IAccount, ICGroup, ICustomer};
use crate::domain::party::{Customer, HuntGroup};

/// Serves `CustomerService`.
#[derive(Debug)]
pub(crate) struct CustomerRpc {
    pub(crate) directory: Arc<dyn Directory>,
}

#[tonic::async_trait]
impl CustomerService for CustomerRpc {
    async fn get_customer_info(
        &self,
        request: Request<pb::GetCustomerInfoRequest>,
    ) -> Result<Response<pb::GetCustomerInfoResponse>, Status> {
        let caller = caller::of(&request)?;
        let found = self.info(&caller, request.into_inner()).await;
        let customer_info = Some(wire(found.map_err(|error| status(&error))?));
        Ok(Response::new(pb::GetCustomerInfoResponse { customer_info }))
    }

    async fn get_huntgroup_list(
        &self,
        request: Request<pb::GetHuntgroupListRequest>,
    ) -> Result<Response<pb::GetHuntgroupListResponse>, Status> {
        let caller = caller::of(&request)?;
        let listed = self.hunt_groups(&caller, request.into_inner()).await;
        Ok(Response::new(listed.map_err(|error| status(&error))?))
    }

    async fn get_callqueue_list(
        &self,
        request: Request<pb::GetCallqueueListRequest>,
    ) -> Result<Response<pb::GetCallqueueListResponse>, Status> {
        let caller = caller::of(&request)?;
        let listed = self.queues(&caller, request.into_inner()).await;
        Ok(Response::new(listed.map_err(|error| status(&error))?))
    }

    async fn update_huntgroups_subscription(
        &self,
        request: Request<pb::UpdateHuntgroupsSubscriptionRequest>,
    ) -> Result<Response<pb::UpdateHuntgroupsSubscriptionResponse>, Status> {
        let caller = caller::of(&request)?;
        let updated = self.subscribe(&caller, request.into_inner()).await;
        updated.map_err(|error| status(&error))?;
        Ok(Response::new(pb::UpdateHuntgroupsSubscriptionResponse { success: 1 }))
    }
}

impl CustomerRpc {
    async fn info(
        &self,
        caller: &Caller,
        request: pb::GetCustomerInfoRequest,
    ) -> Result<Customer, LookupError> {
        let own = caller.scope.i_customer().map(ICustomer);
        let key = match (request.i_customer, request.name.as_deref(), request.login.as_deref()) {
            (Some(i_customer), None, None) => CustomerKey::ICustomer(ICustomer(i_customer)),
            (None, Some(name), None) => CustomerKey::Name(name),
            (None, None, Some(login)) => CustomerKey::Login(login),
            (None, None, None) => {
                CustomerKey::ICustomer(own.ok_or(LookupError::Missing("i_customer"))?)
            }
            _ => return Err(LookupError::Invalid("i_customer")),
        };
        let found = self.directory.customer(key).await?;
        let found = found.filter(|customer| caller.scope.reaches(customer.owner()));
        found.ok_or(LookupError::CustomerNotFound)
    }

    async fn hunt_groups(
        &self,
        caller: &Caller,
        request: pb::GetHuntgroupListRequest,
    ) -> Result<pb::GetHuntgroupListResponse, LookupError> {
        let within = within(&*self.directory, caller, request.i_customer).await?;
        let page = page(request.limit, request.offset);
        let groups = self.directory.hunt_groups(within, page).await?;
        let total = if request.get_total {
            Some(self.directory.count_hunt_groups(within).await?)
        } else {
            None
        };
        let huntgroup_list = groups.into_iter().map(wire_hunt_group).collect();
        Ok(pb::GetHuntgroupListResponse { huntgroup_list, total })
    }
}

impl CustomerRpc {
    async fn queues(
        &self,
        caller: &Caller,
        request: pb::GetCallqueueListRequest,
    ) -> Result<pb::GetCallqueueListResponse, LookupError> {
        let within = within(&*self.directory, caller, request.i_customer).await?;
        let page = page(request.limit, request.offset);
        let groups = self.directory.queues(within, page).await?;
        let total =
            if request.get_total { Some(self.directory.count_queues(within).await?) } else { None };
        let callqueue_list = groups.into_iter().filter_map(wire_queue).collect();
        Ok(pb::GetCallqueueListResponse { callqueue_list, total })
    }

    /// In the account realm an account decides for itself alone.
    async fn subscribe(
        &self,
        caller: &Caller,
        request: pb::UpdateHuntgroupsSubscriptionRequest,
    ) -> Result<(), LookupError> {
        let i_account = IAccount(request.i_account);
        let found = self.directory.account(AccountKey::IAccount(i_account)).await?;
        found
            .filter(|details| caller.scope.reaches(details.account.owner()))
            .filter(|_| caller.scope.i_account().is_none_or(|own| own == i_account.0))
            .ok_or(LookupError::AccountNotFound)?;
        let groups = |keys: Vec<i64>| -> Vec<ICGroup> { keys.into_iter().map(ICGroup).collect() };
        let (on, off) = (groups(request.subscribe), groups(request.unsubscribe));
        if on.iter().any(|group| off.contains(group)) {
            return Err(LookupError::Invalid("unsubscribe"));
        }
        if self.directory.set_hunting(i_account, &on, &off).await? {
            Ok(())
        } else {
            Err(LookupError::HuntgroupNotFound)
        }
    }
}

fn wire_queue(group: HuntGroup) -> Option<pb::CallqueueInfo> {
    let queue = group.queue?;
    Some(pb::CallqueueInfo {
        i_c_queue: queue.i_c_queue.0,
        name: queue.name,
        i_c_group: group.i_c_group.0,
        huntgroup_id: group.id,
    })
}

fn wire(customer: Customer) -> pb::CustomerInfo {
    pb::CustomerInfo {
        i_customer: customer.i_customer.0,
        name: customer.name,
        login: customer.login.unwrap_or_default(),
        i_reseller: customer.i_reseller.map(|reseller| reseller.0),
        currency: customer.currency,
        blocked: customer.is_blocked,
    }
}

fn wire_hunt_group(group: HuntGroup) -> pb::HuntgroupInfo {
    pb::HuntgroupInfo {
        i_c_group: group.i_c_group.0,
        id: group.id,
        name: group.name,
        assigned_extensions: group
            .members
            .into_iter()
            .map(|member| pb::AssignedExtension {
                account_id: member.account.id,
                hunt_active: member.is_active,
            })
            .collect(),
        assigned_callqueue: group
            .queue
            .map(|queue| pb::AssignedCallqueue { i_c_queue: queue.i_c_queue.0 }),
    }
}
