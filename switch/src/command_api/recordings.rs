//! What is asked about recordings: it is no matter of calls, and answered from the folder.

use std::io::SeekFrom;

use mesh::caller::Scope;
use proto::call::v1::CallRef;
use proto::switch::v1 as pb;
use proto::switch::v1::command_request::Command;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::recordings::{Entry, Recordings, Wanted};
use crate::wire;

/// Bytes of one part of a file.
const PART: u64 = 512 * 1024;

/// Most recordings of one answer.
const MAX_LIST: usize = 20_000;

/// The answer to a question about recordings, and to an order to record where nothing can be;
/// `None` for all other commands.
pub(super) async fn answer(
    recordings: &Recordings,
    request: &pb::CommandRequest,
) -> Option<Result<pb::Done, pb::Fault>> {
    let scope = || {
        let caller = request.caller.as_ref().ok_or_else(|| malformed("caller is missing"))?;
        wire::scope(caller).map_err(|malformed| self::malformed(&malformed.to_string()))
    };
    match request.command.as_ref()? {
        Command::StartRecording(_) if !recordings.is_on() => {
            let message = "the switch has no recording folder".to_owned();
            let code = tonic::Code::PermissionDenied;
            Some(Err(wire::fault_of(code, "RECORDING_DISABLED", message)))
        }
        Command::ListRecordings(list) => {
            Some(scope().map(|scope| listed(recordings, &scope, list)))
        }
        Command::ReadRecording(read) => Some(match scope() {
            Ok(scope) => part(recordings, &scope, read).await,
            Err(fault) => Err(fault),
        }),
        _ => None,
    }
}

fn malformed(message: &str) -> pb::Fault {
    wire::fault_of(tonic::Code::InvalidArgument, "INVALID_PARAM", message.to_owned())
}

fn listed(recordings: &Recordings, scope: &Scope, list: &pb::ListRecordings) -> pb::Done {
    let wanted = Wanted {
        i_customer: list.i_customer,
        i_account: list.i_account,
        call_id: list.call.as_ref().map(|call| call.id.clone()),
        tag: list.call.as_ref().and_then(|call| call.tag.clone()),
        from_us: list.from_us,
        to_us: list.to_us,
        limit: usize::try_from(list.limit).unwrap_or(0).min(MAX_LIST),
    };
    let page = recordings.list(scope, &wanted);
    pb::Done {
        recordings: page.entries.iter().map(|entry| told(entry)).collect(),
        total: i64::try_from(page.total).unwrap_or(i64::MAX),
        ..pb::Done::default()
    }
}

fn told(entry: &Entry) -> pb::Recording {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    pb::Recording {
        i_recording: entry.id.clone(),
        call: Some(CallRef { id: entry.call_id.clone(), tag: Some(entry.tag.clone()) }),
        tracking_id: entry.tracking_id.clone(),
        i_customer: entry.i_customer,
        account_id: entry.account_id.clone(),
        start_us: entry.start_us,
        duration_ms: number(entry.millis),
        size: number(entry.bytes),
    }
}

async fn part(
    recordings: &Recordings,
    scope: &Scope,
    read: &pb::ReadRecording,
) -> Result<pb::Done, pb::Fault> {
    let not_found = || {
        let message = "there is no such recording".to_owned();
        wire::fault_of(tonic::Code::NotFound, "RECORDING_NOT_FOUND", message)
    };
    let (_, file) = recordings.find(scope, &read.i_recording).ok_or_else(not_found)?;
    let reading = async {
        let mut file = File::open(file).await?;
        let size = file.metadata().await?.len();
        file.seek(SeekFrom::Start(u64::try_from(read.offset).unwrap_or(u64::MAX).min(size)))
            .await?;
        let mut data = Vec::new();
        file.take(PART).read_to_end(&mut data).await?;
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        Ok::<_, std::io::Error>(pb::FilePart { data: data.into(), size })
    };
    match reading.await {
        Ok(part) => Ok(pb::Done { part: Some(part), ..pb::Done::default() }),
        Err(error) => {
            // It may just have been too old.
            tracing::warn!(%error, "a recording cannot be read");
            Err(not_found())
        }
    }
}
