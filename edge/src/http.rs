//! The HTTP side: WebSocket handshakes, the REST twin, documents.

mod credentials;
mod document;
mod form;
mod handshake;
pub(crate) mod remembered;
mod reply;
mod rest;
pub(crate) mod server;
