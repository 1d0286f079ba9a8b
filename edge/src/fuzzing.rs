//! Ways into what reads bytes from outside, for the fuzz targets in `fuzz/`. Each panics when a
//! promise is broken, and returns nothing.

use proto::api;
use serde_json::Value;

pub use crate::http::fuzzing::{body, headers};
use crate::rpc::Fault;
use crate::rpc::envelope::{self, Frame, Problem, Refused, Request};

/// Batches as large as the default allows.
const MAX_BATCH: usize = 32;

/// Reads a frame as far as to the encoded request of a service.
///
/// # Panics
/// When an error that would be answered is no JSON, or a frame gets more answers than it may.
pub fn frame(text: &str) {
    match envelope::read(text, MAX_BATCH) {
        Frame::Single(request) => one(request),
        Frame::Batch(requests) => {
            assert!((1..=MAX_BATCH).contains(&requests.len()), "{} requests", requests.len());
            requests.into_iter().for_each(one);
        }
        Frame::Refused(problem) => answered("null", &refusal(&problem)),
    }
}

fn one(request: Result<Request<'_>, Refused<'_>>) {
    let Request { id, method, params } = match request {
        Ok(request) => request,
        Err(Refused { id, problem }) => return answered(id.unwrap_or("null"), &refusal(&problem)),
    };
    let id = id.unwrap_or("null");
    let Some(method) = api::method(&method) else {
        return answered(id, &Fault::no_such_method(&method));
    };
    match (method.read_params)(&params) {
        Ok(_encoded) => {}
        Err(problems) => answered(id, &Fault::params(method, &problems)),
    }
}

fn refusal(problem: &Problem) -> Fault {
    match problem {
        Problem::NotJson => Fault::not_json(),
        Problem::NotARequest(why) => Fault::not_a_request(why),
    }
}

fn answered(id: &str, fault: &Fault) {
    let mut error = Vec::new();
    fault.write("00000000000000000000000000000000", &mut error);
    let answer = format!("{{\"id\":{id},\"error\":{}}}", String::from_utf8_lossy(&error));
    let answer = serde_json::from_str::<Value>(&answer);
    assert!(answer.is_ok_and(|answer| answer["error"]["data"]["faultcode"].is_string()));
}
