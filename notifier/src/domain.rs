//! What the notifier decides, without knowing of gRPC or of the store: who may
//! see which event ([`scope`]), which streams an event goes to ([`index`]), what
//! is kept in memory ([`recent`]), what waits for an edge ([`outbox`]), and which webhook is sent
//! next ([`deliveries`]).

pub(crate) mod deliveries;
pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod outbox;
pub(crate) mod recent;
pub(crate) mod scope;
