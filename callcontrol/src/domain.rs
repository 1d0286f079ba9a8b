//! What the service decides by itself, without asking anybody: names of calls, what may be
//! dialled, where a customer gets its home, and what a repeated `request_id` means.

pub(crate) mod call_id;
pub(crate) mod dial;
pub(crate) mod placement;
pub(crate) mod repeat;
