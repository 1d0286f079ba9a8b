//! How bytes reach a WebSocket: whole frames, one queue a socket, no task just to write.

pub(crate) mod frame;
pub(crate) mod half;
pub(crate) mod io;
pub(crate) mod outbound;
mod tls;

pub(crate) use frame::Frame;
pub(crate) use outbound::{Outbound, Pushed};
