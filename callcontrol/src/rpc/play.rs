//! `CallControl/play`: plays prompts, or the audio at an address, to a leg's party.

use mesh::command::{Refusal, Session};
use proto::callcontrol::v1::{PlayRequest, PlayResponse};
use proto::switch::v1::Play;
use proto::switch::v1::command_request::Command;
use tonic::{Request, Status};

use super::{Rpc, check};

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<PlayRequest>,
) -> Result<PlayResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/play")?;
    let request_id = request.request_id.clone();
    let params = checked(request)?;
    if let Some(address) = params.callback_url.as_deref() {
        let refused = |why| Refusal::CallbackRefused("callback_url", why);
        rpc.outward.check(address).await.map_err(refused)?;
    }
    if let Some(address) = params.url.as_deref() {
        rpc.outward.check(address).await.map_err(Refusal::UrlRefused)?;
    }
    let call = check::call(params.call.as_ref())?;
    let repeatable = check::repeatable(request_id.as_deref(), &params)?;
    let command = Command::Play(Play {
        call: params.call,
        prompts: params.prompts,
        url: params.url,
        repeat: params.repeat,
        interrupt_on_input: params.interrupt_playback_on_input,
        callback_url: params.callback_url,
        callback_on_events: params.callback_on_events,
    });
    rpc.calls.act(&session, &call, command, repeatable).await?;
    Ok(PlayResponse { success: 1 })
}

/// The params without `request_id`.
fn checked(mut params: PlayRequest) -> Result<PlayRequest, Refusal> {
    params.request_id = None;
    params.call = Some(check::call(params.call.as_ref())?);
    params.url = check::given(params.url);
    check::one_of(&["url", "prompts"], [params.url.is_some(), !params.prompts.is_empty()])?;
    check::prompts(&params.prompts)?;
    check::repeat(params.repeat)?;
    params.callback_url = check::given(params.callback_url);
    if params.callback_url.is_none() {
        // Without a callback they ask for nothing.
        params.callback_on_events.clear();
    }
    if !params.callback_on_events.iter().all(|name| EVENTS.contains(&name.as_str())) {
        let rule = "names events of `ivr_event` only, e.g. `prompt_playback_completed`";
        return Err(Refusal::InvalidParam { param: "callback_on_events", rule });
    }
    Ok(params)
}

/// What may be posted of a playback.
const EVENTS: [&str; 6] = [
    "prompt_playback_completed",
    "prompt_playback_interrupted",
    "prompt_playback_failed",
    "dtmf",
    "input_collected",
    "input_timeout",
];
