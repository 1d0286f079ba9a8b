//! The RPCs.

use proto::conference::v1 as api;
use proto::conference::v1::on_spot_conference_service_server::OnSpotConferenceService;
use tonic::{Request, Response, Status};

use crate::error::Refusal;

/// The service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rpc;

/// Implements the service: every method of `refused` answers `NOT_IMPLEMENTED`.
macro_rules! methods {
    (refused { $($refused:ident($asked:ident) -> $answered:ident;)+ }) => {
        #[tonic::async_trait]
        impl OnSpotConferenceService for Rpc {
            $(
                async fn $refused(
                    &self,
                    _request: Request<api::$asked>,
                ) -> Result<Response<api::$answered>, Status> {
                    Err(Refusal::NotImplemented.into())
                }
            )+
        }
    };
}

methods! {
    refused {
        create_on_spot_conference(CreateOnSpotConferenceRequest) -> CreateOnSpotConferenceResponse;
        add_on_spot_conference_participant(AddOnSpotConferenceParticipantRequest) -> AddOnSpotConferenceParticipantResponse;
        update_on_spot_conference_participant(UpdateOnSpotConferenceParticipantRequest) -> UpdateOnSpotConferenceParticipantResponse;
        delete_on_spot_conference_participant(DeleteOnSpotConferenceParticipantRequest) -> DeleteOnSpotConferenceParticipantResponse;
        leave_on_spot_conference(LeaveOnSpotConferenceRequest) -> LeaveOnSpotConferenceResponse;
        join_on_spot_conference(JoinOnSpotConferenceRequest) -> JoinOnSpotConferenceResponse;
        terminate_on_spot_conference(TerminateOnSpotConferenceRequest) -> TerminateOnSpotConferenceResponse;
        update_on_spot_conference(UpdateOnSpotConferenceRequest) -> UpdateOnSpotConferenceResponse;
        merge_on_spot_conference(MergeOnSpotConferenceRequest) -> MergeOnSpotConferenceResponse;
        get_on_spot_conference_list(GetOnSpotConferenceListRequest) -> GetOnSpotConferenceListResponse;
        get_on_spot_conference_participant_list(GetOnSpotConferenceParticipantListRequest) -> GetOnSpotConferenceParticipantListResponse;
    }
}
