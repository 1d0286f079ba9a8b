//! The Asterisk driver on a real Asterisk, with phones that speak SIP and audio.
//!
//! Each test has an Asterisk of its own. `scripts/asterisk` fetches it; with
//! `CORDBOARD_WITHOUT_ASTERISK=1` the tests pass without having looked.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a harness may panic: that is how a test fails"
)]

mod answering;
mod conformance;
mod dialling;
mod engine;
mod failures;
mod faulty;
mod fixture;
mod hearing;
mod incoming;
mod media;
mod pbx;
mod phone;
mod prompts;
mod recordings;

/// Leaves a test when there is to be no Asterisk.
#[macro_export]
macro_rules! needs_asterisk {
    () => {
        if $crate::pbx::is_left_out() {
            return;
        }
    };
}
