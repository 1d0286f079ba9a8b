//! The RPCs: each is taken apart, handed on, and answered in a file of its own.

mod add_on_spot_conference_participant;
mod create_on_spot_conference;
mod delete_on_spot_conference_participant;
mod get_on_spot_conference_list;
mod get_on_spot_conference_participant_list;
mod join_on_spot_conference;
mod leave_on_spot_conference;
mod merge_on_spot_conference;
mod terminate_on_spot_conference;
mod update_on_spot_conference;
mod update_on_spot_conference_participant;

use std::sync::Arc;

use mesh::command::{Commands, Directory, Refusal, Repeatable, Session, check};
use proto::conference::v1 as api;
use proto::conference::v1::on_spot_conference_service_server::OnSpotConferenceService;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::conference_command::Command as Deed;
use proto::switch::v1::{ConferenceCommand, Done};
use tonic::{Request, Response, Status};

use crate::list::Lists;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    /// Commands.
    pub(crate) commands: Arc<Commands>,
    /// Lists and rosters.
    pub(crate) lists: Arc<Lists>,
    /// Accounts.
    pub(crate) directory: Directory,
}

impl Rpc {
    /// Has the engine do something to a conference.
    async fn act(
        &self,
        session: &Session,
        i_conference: &str,
        deed: Deed,
        repeatable: Option<Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        let command = command(deed);
        self.commands.act_on_conference(session, i_conference, command, repeatable).await
    }
}

/// A deed as a command.
fn command(deed: Deed) -> Command {
    Command::Conference(ConferenceCommand { command: Some(deed) })
}

/// A param that has to be there.
fn needed(param: &'static str, text: String) -> Result<String, Refusal> {
    check::given(Some(text)).ok_or(Refusal::MissingParam(param))
}

/// A conference's name: something that can be seen.
fn name(text: &str) -> Result<(), Refusal> {
    let is_name = !text.trim().is_empty() && text.chars().count() <= 128;
    let rule = "must have 1 to 128 characters, not all of them blank";
    is_name.then_some(()).ok_or(Refusal::InvalidParam { param: "name", rule })
}

/// Implements the service: each method by the function `handle` of the module of the same name.
macro_rules! methods {
    ($($handled:ident($asked:ident) -> $answered:ident;)+) => {
        #[tonic::async_trait]
        impl OnSpotConferenceService for Rpc {
            $(
                async fn $handled(
                    &self,
                    request: Request<api::$asked>,
                ) -> Result<Response<api::$answered>, Status> {
                    $handled::handle(self, request).await.map(Response::new)
                }
            )+
        }
    };
}

methods! {
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
