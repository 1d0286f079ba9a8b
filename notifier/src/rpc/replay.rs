//! `Replay`: past events of one scope.

use futures::stream::{self, BoxStream, StreamExt as _};
use proto::notifier::v1 as contract;
use tonic::Status;

use super::{RequestError, Shared, parse};
use crate::replay::{Item, Replay};
use crate::wire;

/// What an edge gets.
pub(super) type ReplayStream = BoxStream<'static, Result<wire::ReplayResponse, Status>>;

/// Checks the request and opens the stream.
pub(super) async fn open(
    shared: &Shared,
    request: contract::ReplayRequest,
) -> Result<ReplayStream, RequestError> {
    let scope = parse::scope(request.scope).ok_or(RequestError::Invalid("scope"))?;
    let spans = parse::spans(&scope, shared.hub.count(), &request.from, &request.to)?;
    let (access, _) = shared.admit(scope, &request.token).await?;
    let replay = Replay::new(shared.source.clone(), access, spans);
    let answers = stream::try_unfold(replay, async |mut replay| {
        let item = replay.next().await.map_err(RequestError::Store)?;
        Ok(item.map(|item| {
            let answer = match &item {
                Item::Event(entry) => wire::ReplayResponse::event(entry),
                Item::Gap(gap) => wire::ReplayResponse::gap(gap),
            };
            (answer, replay)
        }))
    });
    Ok(answers.boxed())
}
