//! `rpc.discover`: the `OpenRPC` document.

use crate::rpc::{After, Outcome};

pub(super) fn handle() -> Outcome {
    Outcome { result: proto::doc::openrpc().as_bytes().to_vec(), after: After::Nothing }
}
