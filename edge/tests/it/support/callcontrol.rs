//! The call control service: answers a few methods, keeps what it was asked.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::fault::{Code, RpcError};
use proto::call::v1::{CallInfo, CallRef};
use proto::callcontrol::v1::call_control_service_server::CallControlService;
use proto::callcontrol::v1::{
    GetSipCallsListRequest, GetSipCallsListResponse, HoldCallRequest, HoldCallResponse,
    NoteSubscriptionRequest, NoteSubscriptionResponse, OriginateCallRequest, OriginateCallResponse,
    ResumeCallRequest, ResumeCallResponse,
};
use tokio::time::sleep;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::Shared;

#[derive(Clone, Debug, Default)]
pub(crate) struct CallControl(Shared<State>);

#[derive(Debug, Default)]
struct State {
    seen: Vec<MetadataMap>,
    calls: Vec<CallInfo>,
    /// Sessions that are noted to be subscribed.
    subscribed: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("no such call")]
enum Refusal {
    NotFound,
    WrongState,
    Unknown,
}

impl RpcError for Refusal {
    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::WrongState => Code::FailedPrecondition,
            Self::Unknown => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "CALL_NOT_FOUND",
            Self::WrongState => "WRONG_STATE",
            Self::Unknown => "BROKEN",
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        match self {
            Self::WrongState => [("state", "ringing"), ("expected_states", "connected,held")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            _ => BTreeMap::new(),
        }
    }
}

impl CallControl {
    /// Metadata of the last request.
    pub(crate) fn last(&self, name: &str) -> Option<String> {
        let state = self.0.lock();
        state.seen.last()?.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Sessions that are noted to be subscribed.
    pub(crate) fn subscribed(&self) -> usize {
        self.0.lock().subscribed.len()
    }

    /// Requests so far.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().seen.len()
    }

    /// Adds a call to the list.
    pub(crate) fn add_call(&self, call: CallInfo) {
        self.0.lock().calls.push(call);
    }

    fn note<T>(&self, request: &Request<T>) {
        self.0.lock().seen.push(request.metadata().clone());
    }
}

#[tonic::async_trait]
impl CallControlService for CallControl {
    async fn get_sip_calls_list(
        &self,
        request: Request<GetSipCallsListRequest>,
    ) -> Result<Response<GetSipCallsListResponse>, Status> {
        self.note(&request);
        let calls_list = self.0.lock().calls.clone();
        Ok(Response::new(GetSipCallsListResponse { calls_list, ..Default::default() }))
    }

    async fn note_subscription(
        &self,
        request: Request<NoteSubscriptionRequest>,
    ) -> Result<Response<NoteSubscriptionResponse>, Status> {
        let session = mesh::caller::of(&request)?.session_id.clone();
        let mut state = self.0.lock();
        match request.into_inner().lasts_seconds {
            0 => state.subscribed.retain(|known| *known != session),
            _ => state.subscribed.push(session),
        }
        Ok(Response::new(NoteSubscriptionResponse {}))
    }

    async fn originate_call(
        &self,
        request: Request<OriginateCallRequest>,
    ) -> Result<Response<OriginateCallResponse>, Status> {
        self.note(&request);
        let call = CallRef { id: "main.1".to_owned(), tag: Some("a".to_owned()) };
        Ok(Response::new(OriginateCallResponse {
            call: Some(call),
            tracking_id: request.into_inner().destination,
        }))
    }

    async fn hold_call(
        &self,
        request: Request<HoldCallRequest>,
    ) -> Result<Response<HoldCallResponse>, Status> {
        self.note(&request);
        let id = request.into_inner().call.unwrap_or_default().id;
        match id.as_str() {
            "absent" => Err(mesh::status("test", &Refusal::NotFound)),
            "ringing" => Err(mesh::status("test", &Refusal::WrongState)),
            "broken" => Err(mesh::status("test", &Refusal::Unknown)),
            "slow" => {
                sleep(Duration::from_secs(3)).await;
                Ok(Response::new(HoldCallResponse { success: 1 }))
            }
            "late" => {
                sleep(Duration::from_mins(1)).await;
                Ok(Response::new(HoldCallResponse { success: 1 }))
            }
            _ => Ok(Response::new(HoldCallResponse { success: 1 })),
        }
    }

    async fn resume_call(
        &self,
        request: Request<ResumeCallRequest>,
    ) -> Result<Response<ResumeCallResponse>, Status> {
        self.note(&request);
        Ok(Response::new(ResumeCallResponse { success: 1 }))
    }
}
