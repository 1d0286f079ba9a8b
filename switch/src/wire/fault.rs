//! Refusals as faults of the command API.

use proto::switch::v1 as pb;

use crate::domain::Refusal;

/// A refusal as the command API answers it.
pub(crate) fn fault(refusal: &Refusal) -> pb::Fault {
    let message = refusal.to_string();
    match refusal {
        Refusal::CallNotFound(_) => fault_of(tonic::Code::NotFound, "CALL_NOT_FOUND", message),
        Refusal::AccountNotFound(_) => {
            fault_of(tonic::Code::NotFound, "ACCOUNT_NOT_FOUND", message)
        }
        Refusal::SlotNotFound(_) => fault_of(tonic::Code::NotFound, "SLOT_NOT_FOUND", message),
        Refusal::SlotTaken(_) => fault_of(tonic::Code::FailedPrecondition, "SLOT_TAKEN", message),
        Refusal::NotTransferable => {
            let mut fault = fault_of(tonic::Code::InvalidArgument, "INVALID_PARAM", message);
            fault.metadata.insert("params".to_owned(), "target_call".to_owned());
            fault
        }
        Refusal::ConferenceNotFound(_) => {
            fault_of(tonic::Code::NotFound, "CONFERENCE_NOT_FOUND", message)
        }
        Refusal::ParticipantNotFound(_) => {
            fault_of(tonic::Code::NotFound, "PARTICIPANT_NOT_FOUND", message)
        }
        Refusal::NotOwner => fault_of(tonic::Code::PermissionDenied, "NOT_OWNER", message),
        Refusal::ServiceDisabled => {
            fault_of(tonic::Code::PermissionDenied, "SERVICE_DISABLED", message)
        }
        Refusal::NoCredit => fault_of(tonic::Code::PermissionDenied, "NO_CREDIT", message),
        Refusal::InConference(state) => {
            let mut fault = fault_of(tonic::Code::FailedPrecondition, "IN_CONFERENCE", message);
            fault.metadata.insert("state".to_owned(), state.name().to_owned());
            fault
        }
        // No other state of the leg would do.
        Refusal::NoSecondParty(state) => {
            let mut fault = fault_of(tonic::Code::FailedPrecondition, "WRONG_STATE", message);
            fault.metadata.insert("state".to_owned(), state.name().to_owned());
            fault
        }
        Refusal::AlreadyIn => fault_of(tonic::Code::FailedPrecondition, "IN_CONFERENCE", message),
        Refusal::ConferenceFull => {
            fault_of(tonic::Code::FailedPrecondition, "CONFERENCE_FULL", message)
        }
        Refusal::SameConference => invalid("from_i_conference", message),
        Refusal::TalksWithItself => invalid("mode", message),
        Refusal::TagRequired => {
            let mut fault = fault_of(tonic::Code::InvalidArgument, "TAG_REQUIRED", message);
            fault.metadata.insert("params".to_owned(), "call.tag".to_owned());
            fault
        }
        Refusal::WrongState { state, expected } => {
            let expected: Vec<_> = expected.iter().map(|state| state.name()).collect();
            let mut fault = fault_of(tonic::Code::FailedPrecondition, "WRONG_STATE", message);
            fault.metadata.insert("state".to_owned(), state.name().to_owned());
            fault.metadata.insert("expected_states".to_owned(), expected.join(","));
            fault
        }
    }
}

fn invalid(param: &str, message: String) -> pb::Fault {
    let mut fault = fault_of(tonic::Code::InvalidArgument, "INVALID_PARAM", message);
    fault.metadata.insert("params".to_owned(), param.to_owned());
    fault
}

/// A fault of the command API itself.
pub(crate) fn fault_of(code: tonic::Code, reason: &str, message: String) -> pb::Fault {
    pb::Fault { code: code as i32, reason: reason.to_owned(), message, ..Default::default() }
}
