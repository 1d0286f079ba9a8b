//! The contract as applications see it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod documents;
mod mapping;
mod methods;
mod secrets;
