//! What every service of the mesh shares: configuration, telemetry, the gRPC
//! server and client stacks, health, shutdown, faults, the clock, verified
//! callers, and the [`ledger`] port with its Redis and in-memory forms.
//!
//! Services depend on this crate and on `proto`, never on each other.

pub mod admin;
pub mod caller;
pub mod calls_index;
pub mod client;
pub mod clock;
pub mod command;
pub mod conferences_index;
pub mod config;
pub mod cursor;
pub mod deadline;
mod executor;
pub mod fault;
pub mod health;
pub mod ledger;
pub mod lifecycle;
pub mod metadata;
mod methods;
pub mod metrics;
pub mod net;
pub mod outward;
pub mod own_metrics;
pub mod phones_index;
pub mod server;
pub mod sweep;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
pub mod trace;

pub use clock::Clock;
pub use fault::status;
pub use lifecycle::Lifecycle;
