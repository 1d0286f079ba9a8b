//! `IvrApplicationsService`: applications that answer access numbers themselves.

use std::sync::Arc;

use mesh::caller::{self, Caller, Scope};
use proto::auth::v1 as pb;
use proto::auth::v1::ivr_applications_service_server::IvrApplicationsService;
use tonic::{Request, Response, Status};

use super::error::status;
use super::list::{page, within};
use crate::domain::application::{
    AccessNumberEntry, Choice, IvrApplication, Led, NewApplication, USER_APPLICATION,
};
use crate::domain::directory::{AccountKey, Applications, Directory, Page};
use crate::domain::error::LookupError;
use crate::domain::id::{IAccount, IIvrApplication};
use crate::domain::number::{is_number, normalise};
use crate::domain::party::{AccountDetails, OnAppGone};

/// Serves `IvrApplicationsService`.
#[derive(Debug)]
pub(crate) struct IvrApplicationsRpc {
    pub(crate) directory: Arc<dyn Directory>,
}

#[tonic::async_trait]
impl IvrApplicationsService for IvrApplicationsRpc {
    async fn add_ivr_application(
        &self,
        request: Request<pb::AddIvrApplicationRequest>,
    ) -> Result<Response<pb::AddIvrApplicationResponse>, Status> {
        let caller = caller::of(&request)?;
        let added = self.add(&caller, request.into_inner()).await;
        let i_ivr_application = added.map_err(|error| status(&error))?.0;
        Ok(Response::new(pb::AddIvrApplicationResponse { i_ivr_application }))
    }

    async fn get_ivr_application_list(
        &self,
        request: Request<pb::GetIvrApplicationListRequest>,
    ) -> Result<Response<pb::GetIvrApplicationListResponse>, Status> {
        let caller = caller::of(&request)?;
        let listed = self.list(&caller, request.into_inner()).await;
        Ok(Response::new(listed.map_err(|error| status(&error))?))
    }

    async fn add_access_number(
        &self,
        request: Request<pb::AddAccessNumberRequest>,
    ) -> Result<Response<pb::AddAccessNumberResponse>, Status> {
        let caller = caller::of(&request)?;
        let added = self.lead(&caller, request.into_inner()).await;
        added.map_err(|error| status(&error))?;
        Ok(Response::new(pb::AddAccessNumberResponse { success: 1 }))
    }

    async fn get_access_number_list(
        &self,
        request: Request<pb::GetAccessNumberListRequest>,
    ) -> Result<Response<pb::GetAccessNumberListResponse>, Status> {
        let caller = caller::of(&request)?;
        let listed = self.numbers(&caller, request.into_inner()).await;
        Ok(Response::new(listed.map_err(|error| status(&error))?))
    }
}

impl IvrApplicationsRpc {
    async fn add(
        &self,
        caller: &Caller,
        request: pb::AddIvrApplicationRequest,
    ) -> Result<IIvrApplication, LookupError> {
        if request.r#type != USER_APPLICATION {
            return Err(LookupError::Invalid("type"));
        }
        if request.name.trim() != request.name || request.name.chars().any(char::is_control) {
            return Err(LookupError::Invalid("name"));
        }
        let on_app_gone = match request.on_app_gone() {
            pb::OnAppGone::Unspecified | pb::OnAppGone::Fallback => OnAppGone::Fallback,
            pb::OnAppGone::Terminate => OnAppGone::Terminate,
            pb::OnAppGone::Continue => OnAppGone::Continue,
        };
        let owner = self.account(caller, request.i_account).await?;
        if !owner.has_user_application {
            return Err(LookupError::ServiceDisabled);
        }
        let new =
            NewApplication { name: request.name, owner: owner.account.i_account, on_app_gone };
        // An import knows applications by their names.
        self.directory.add_application(&new).await?.ok_or(LookupError::Invalid("name"))
    }

    async fn list(
        &self,
        caller: &Caller,
        request: pb::GetIvrApplicationListRequest,
    ) -> Result<pb::GetIvrApplicationListResponse, LookupError> {
        let of = self.narrowed(caller, request.i_customer, request.i_account).await?;
        let page = page(request.limit, request.offset);
        let applications = self.directory.applications(of, page).await?;
        let total = if request.get_total {
            Some(self.directory.count_applications(of).await?)
        } else {
            None
        };
        let ivr_application_list = applications.into_iter().map(wire).collect();
        Ok(pb::GetIvrApplicationListResponse { ivr_application_list, total })
    }

    async fn lead(
        &self,
        caller: &Caller,
        request: pb::AddAccessNumberRequest,
    ) -> Result<(), LookupError> {
        let number = normalise(&request.number);
        if !is_number(number) {
            return Err(LookupError::Invalid("number"));
        }
        let application = self.application(caller, request.i_ivr_application).await?;
        if !application.is_enabled {
            return Err(LookupError::ServiceDisabled);
        }
        let among = match caller.scope {
            Scope::Everything | Scope::Reseller { .. } => Choice::AnyFree,
            Scope::Customer { .. } | Scope::Account { .. } => Choice::Allocated,
        };
        let to = application.i_ivr_application;
        match self.directory.lead_to_application(number, to, among).await? {
            Led::There => Ok(()),
            Led::NotAllocated => Err(LookupError::AccessNumberNotFound),
            Led::Elsewhere => Err(LookupError::AccessNumberTaken),
        }
    }

    async fn numbers(
        &self,
        caller: &Caller,
        request: pb::GetAccessNumberListRequest,
    ) -> Result<pb::GetAccessNumberListResponse, LookupError> {
        let mut of = self.narrowed(caller, request.i_customer, request.i_account).await?;
        if let Some(key) = request.i_ivr_application {
            of.i_ivr_application = Some(self.application(caller, key).await?.i_ivr_application);
        }
        let page = page(request.limit, request.offset);
        let numbers = self.directory.access_numbers(of, page).await?;
        let total = if request.get_total {
            Some(self.directory.count_access_numbers(of).await?)
        } else {
            None
        };
        let access_number_list = numbers.into_iter().map(wire_number).collect();
        Ok(pb::GetAccessNumberListResponse { access_number_list, total })
    }

    /// What a caller's list is of: its scope, narrowed to a customer or an account. In the account
    /// realm an account sees its own.
    async fn narrowed(
        &self,
        caller: &Caller,
        i_customer: Option<i64>,
        i_account: Option<i64>,
    ) -> Result<Applications, LookupError> {
        let within = within(&*self.directory, caller, i_customer).await?;
        let i_account = match i_account {
            Some(key) => Some(self.account(caller, key).await?.account.i_account),
            None => caller.scope.i_account().map(IAccount),
        };
        Ok(Applications { within, i_account, i_ivr_application: None })
    }

    /// An account whose applications the caller may see.
    async fn account(&self, caller: &Caller, key: i64) -> Result<AccountDetails, LookupError> {
        let found = self.directory.account(AccountKey::IAccount(IAccount(key))).await?;
        found
            .filter(|details| caller.scope.reaches(details.account.owner()))
            .filter(|_| caller.scope.i_account().is_none_or(|own| own == key))
            .ok_or(LookupError::AccountNotFound)
    }

    /// An application that the caller may see.
    async fn application(&self, caller: &Caller, key: i64) -> Result<IvrApplication, LookupError> {
        let of = Applications {
            i_ivr_application: Some(IIvrApplication(key)),
            i_account: caller.scope.i_account().map(IAccount),
            ..Applications::default()
        };
        let found = self.directory.applications(of, Page { limit: 1, offset: 0 }).await?;
        found
            .into_iter()
            .find(|application| caller.scope.reaches(application.owner.owner()))
            .ok_or(LookupError::IvrApplicationNotFound)
    }
}

fn wire(application: IvrApplication) -> pb::IvrApplication {
    let on_app_gone = match application.on_app_gone {
        OnAppGone::Fallback => pb::OnAppGone::Fallback,
        OnAppGone::Terminate => pb::OnAppGone::Terminate,
        OnAppGone::Continue => pb::OnAppGone::Continue,
    };
    pb::IvrApplication {
        i_ivr_application: application.i_ivr_application.0,
        name: application.name,
        r#type: USER_APPLICATION.to_owned(),
        i_account: application.owner.i_account.0,
        i_customer: application.owner.i_customer.0,
        account_id: application.owner.id,
        on_app_gone: on_app_gone.into(),
    }
}

fn wire_number(entry: AccessNumberEntry) -> pb::AccessNumberInfo {
    pb::AccessNumberInfo {
        number: entry.number,
        i_ivr_application: entry.i_ivr_application.0,
        name: entry.name,
        i_account: entry.i_account.0,
        account_id: entry.account_id,
        i_customer: entry.i_customer.0,
    }
}
