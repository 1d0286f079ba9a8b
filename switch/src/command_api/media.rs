//! What a command is to play is looked at before the call's machine has the command, so that a bad
//! prompt or address changes nothing.

use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;

use crate::audio::Audio;
use crate::domain::Media;
use crate::wire;

/// What a command is to play; `None` for other commands, and for one that does not say what.
pub(super) async fn of(
    audio: &Audio,
    request: &pb::CommandRequest,
) -> Result<Option<Media>, pb::Fault> {
    if let Some(Command::Conference(command)) = &request.command {
        return invitation(audio, command).await;
    }
    let Some(Command::Play(play)) = &request.command else { return Ok(None) };
    match (&play.url, play.prompts.as_slice()) {
        (Some(url), []) => match audio.check_url(url).await {
            Ok(()) => Ok(Some(Media::Url(url.clone()))),
            Err(forbidden) => Err(refused("URL_REFUSED", "url", format!("`url` {forbidden}"))),
        },
        (None, [_, ..]) => match audio.prompts(&play.prompts).await {
            Ok(clips) => Ok(Some(Media::Clips(clips))),
            Err(bad) => Err(refused("INVALID_PROMPT", "prompts", format!("`prompts`: {bad}"))),
        },
        _ => Ok(None),
    }
}

/// What both parties hear of a call that becomes a conference, when nothing else is given.
const INVITATION: &str = "conference/invitation.au";

/// What those hear who come into a conference, before they are in.
async fn invitation(
    audio: &Audio,
    command: &pb::ConferenceCommand,
) -> Result<Option<Media>, pb::Fault> {
    use pb::conference_command::Command as Deed;
    let prompts = match &command.command {
        Some(Deed::Create(create)) if create.prompts.is_empty() => {
            // Whoever has no invitation to play holds conferences without one.
            let usual = audio.prompts(&[INVITATION.to_owned()]).await;
            return Ok(Some(Media::Clips(usual.unwrap_or_default())));
        }
        Some(Deed::Create(create)) => &create.prompts,
        Some(Deed::Add(add)) => &add.prompts,
        _ => return Ok(None),
    };
    match audio.prompts(prompts).await {
        Ok(clips) => Ok(Some(Media::Clips(clips))),
        Err(bad) => Err(refused("INVALID_PROMPT", "prompts", format!("`prompts`: {bad}"))),
    }
}

fn refused(reason: &'static str, param: &str, message: String) -> pb::Fault {
    let mut fault = wire::fault_of(tonic::Code::InvalidArgument, reason, message);
    fault.metadata.insert("params".to_owned(), param.to_owned());
    fault
}
