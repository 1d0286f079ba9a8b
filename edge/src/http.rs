//! The HTTP side: WebSocket handshakes, the REST twin, documents.

mod credentials;
mod document;
mod form;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod handshake;
mod recording;
pub(crate) mod remembered;
mod reply;
mod rest;
pub(crate) mod server;
