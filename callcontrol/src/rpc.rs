//! The RPCs: each is taken apart, handed on, and answered in a file of its own.

mod answer_call;
mod get_call_info;
mod get_recording_list;
mod get_sip_calls_list;
mod hold_call;
mod note_subscription;
mod originate_advanced_call;
mod originate_call;
mod park_call;
mod pickup_call;
mod play;
mod play_prompt;
mod read_recording;
mod redirect_call;
mod reject_call;
mod resume_call;
mod retrieve_call;
mod send_dtmf;
mod start_dtmf_detect;
mod start_recording;
mod stop_dtmf_detect;
mod stop_play_prompt;
mod stop_recording;
mod supervise_call;
mod terminate_call;
mod transfer_call;

use std::sync::Arc;

use mesh::command::{Commands, Directory, Refusal, check};
use mesh::outward::Client;
use proto::callcontrol::v1 as api;
use proto::callcontrol::v1::call_control_service_server::CallControlService;
use tonic::{Request, Response, Status};

use crate::list::Lists;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    /// Commands.
    pub(crate) calls: Arc<Commands>,
    /// Lists.
    pub(crate) lists: Arc<Lists>,
    /// Accounts.
    pub(crate) directory: Directory,
    /// Says which addresses may be named for callbacks.
    pub(crate) outward: Client,
}

/// Implements the service: the methods of `handled` by the function `handle` of the module of
/// the same name, those of `refused` by `NOT_IMPLEMENTED`.
macro_rules! methods {
    (
        handled { $($handled:ident($asked:ident) -> $answered:ident;)+ }
        refused { $($refused:ident($ignored:ident) -> $never:ident;)+ }
    ) => {
        #[tonic::async_trait]
        impl CallControlService for Rpc {
            $(
                async fn $handled(
                    &self,
                    request: Request<api::$asked>,
                ) -> Result<Response<api::$answered>, Status> {
                    $handled::handle(self, request).await.map(Response::new)
                }
            )+
            $(
                async fn $refused(
                    &self,
                    _request: Request<api::$ignored>,
                ) -> Result<Response<api::$never>, Status> {
                    Err(Refusal::NotImplemented.into())
                }
            )+
        }
    };
}

methods! {
    handled {
        get_sip_calls_list(GetSipCallsListRequest) -> GetSipCallsListResponse;
        get_call_info(GetCallInfoRequest) -> GetCallInfoResponse;
        originate_call(OriginateCallRequest) -> OriginateCallResponse;
        originate_advanced_call(OriginateAdvancedCallRequest) -> OriginateAdvancedCallResponse;
        answer_call(AnswerCallRequest) -> AnswerCallResponse;
        terminate_call(TerminateCallRequest) -> TerminateCallResponse;
        reject_call(RejectCallRequest) -> RejectCallResponse;
        hold_call(HoldCallRequest) -> HoldCallResponse;
        resume_call(ResumeCallRequest) -> ResumeCallResponse;
        transfer_call(TransferCallRequest) -> TransferCallResponse;
        redirect_call(RedirectCallRequest) -> RedirectCallResponse;
        park_call(ParkCallRequest) -> ParkCallResponse;
        retrieve_call(RetrieveCallRequest) -> RetrieveCallResponse;
        pickup_call(PickupCallRequest) -> PickupCallResponse;
        supervise_call(SuperviseCallRequest) -> SuperviseCallResponse;
        send_dtmf(SendDtmfRequest) -> SendDtmfResponse;
        start_recording(StartRecordingRequest) -> StartRecordingResponse;
        stop_recording(StopRecordingRequest) -> StopRecordingResponse;
        get_recording_list(GetRecordingListRequest) -> GetRecordingListResponse;
        read_recording(ReadRecordingRequest) -> ReadRecordingResponse;
        note_subscription(NoteSubscriptionRequest) -> NoteSubscriptionResponse;
        play(PlayRequest) -> PlayResponse;
        play_prompt(PlayPromptRequest) -> PlayPromptResponse;
        stop_play_prompt(StopPlayPromptRequest) -> StopPlayPromptResponse;
        start_dtmf_detect(StartDtmfDetectRequest) -> StartDtmfDetectResponse;
        stop_dtmf_detect(StopDtmfDetectRequest) -> StopDtmfDetectResponse;
    }
    refused {
        // The edge answers these two itself.
        enable_api_notifications(EnableApiNotificationsRequest) -> EnableApiNotificationsResponse;
        disable_api_notifications(DisableApiNotificationsRequest) -> DisableApiNotificationsResponse;
    }
}
