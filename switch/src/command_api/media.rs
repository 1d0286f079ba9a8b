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

fn refused(reason: &'static str, param: &str, message: String) -> pb::Fault {
    let mut fault = wire::fault_of(tonic::Code::InvalidArgument, reason, message);
    fault.metadata.insert("params".to_owned(), param.to_owned());
    fault
}
