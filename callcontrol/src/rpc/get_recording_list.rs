//! `CallControl/get_recording_list`: recordings in scope, asked of every node, since each has those
//! of the calls that it held.

use mesh::command::{Refusal, Session};
use proto::callcontrol::v1::{GetRecordingListRequest, GetRecordingListResponse, Recording};
use proto::switch::v1;
use proto::switch::v1::ListRecordings;
use tonic::{Request, Status};

use super::{Rpc, check};

/// Most recordings of one answer.
const MAX_LIMIT: i32 = 1000;

/// How many when nobody says.
const DEFAULT_LIMIT: i32 = 100;

/// Furthest that a list may begin: what lies before has to be merged.
const MAX_OFFSET: i32 = 10_000;

pub(super) async fn handle(
    rpc: &Rpc,
    request: Request<GetRecordingListRequest>,
) -> Result<GetRecordingListResponse, Status> {
    let (session, request) = Session::of(request, "CallControl/get_recording_list")?;
    let limit = match request.limit {
        0 => DEFAULT_LIMIT,
        limit if limit > 0 => limit.min(MAX_LIMIT),
        _ => return Err(Refusal::InvalidParam { param: "limit", rule: "must be above 0" }.into()),
    };
    if !(0..=MAX_OFFSET).contains(&request.offset) {
        let rule = "must be 0 to 10000; narrow the list by its dates";
        return Err(Refusal::InvalidParam { param: "offset", rule }.into());
    }
    let call = request.call.as_ref().map(|call| check::call(Some(call))).transpose()?;
    let i_account = of_account(rpc, &session, &request).await?;
    if let Some(asked) = request.i_customer {
        rpc.lists.customer(&session, asked).await?;
    }
    let wanted = ListRecordings {
        i_customer: request.i_customer,
        i_account,
        call,
        from_us: request.from_date,
        to_us: request.to_date,
        limit: request.offset + limit,
    };
    let answers = rpc.calls.list_recordings(&session, &wanted).await?;
    let total: i64 = answers.iter().map(|done| done.total).sum();
    let mut found: Vec<v1::Recording> =
        answers.into_iter().flat_map(|done| done.recordings).collect();
    found.sort_by(|one, other| {
        (other.start_us, &other.i_recording).cmp(&(one.start_us, &one.i_recording))
    });
    let (skip, take) = (usize_of(request.offset), usize_of(limit));
    Ok(GetRecordingListResponse {
        recording_list: found.into_iter().skip(skip).take(take).map(told).collect(),
        total: request.get_total.then_some(total),
    })
}

/// The account whose recordings are wanted, by either of its names.
async fn of_account(
    rpc: &Rpc,
    session: &Session,
    request: &GetRecordingListRequest,
) -> Result<Option<i64>, Refusal> {
    let account_id = request.account_id.as_deref().filter(|id| !id.is_empty());
    if account_id.is_none() && request.i_account.is_none() {
        return Ok(None);
    }
    let account = rpc.directory.account(session, account_id, request.i_account).await?;
    let fits = request.i_customer.is_none_or(|asked| asked == account.i_customer);
    if fits { Ok(Some(account.i_account)) } else { Err(Refusal::AccountNotFound) }
}

fn usize_of(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn told(recording: v1::Recording) -> Recording {
    Recording {
        i_recording: recording.i_recording,
        call: recording.call,
        tracking_id: recording.tracking_id,
        i_customer: recording.i_customer,
        account_id: recording.account_id,
        start_time: recording.start_us,
        duration: recording.duration_ms / 1000,
        size: recording.size,
    }
}
