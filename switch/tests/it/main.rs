//! The service as it is served: command API, simulator, a fake auth and a store in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where what it needs is not there"
)]

mod applications;
mod calls;
mod commands;
mod harness;
mod node;
mod store;
mod stress;
