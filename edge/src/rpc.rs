//! JSON-RPC 2.0: what a request says, what is checked, and how it is answered.

pub(crate) mod answer;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod envelope;
pub(crate) mod fault;
pub(crate) mod forward;

pub(crate) use call::{After, Call, Origin, Outcome};
pub(crate) use fault::Fault;
