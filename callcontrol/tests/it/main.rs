//! The service as it is served, with a switch, an auth and a store that tests control.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where what it needs is not there"
)]

mod calls;
mod connect_two;
mod harness;
mod lists;
mod originate;
mod parking;
mod prompts;
mod repeated;
mod supervision;
mod transfers;
