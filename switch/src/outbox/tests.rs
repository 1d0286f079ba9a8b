//! The outbox against a store that goes away, answers late or never, and forgets.

mod bench;
mod converging;
mod failures;
mod flaky;
mod folding;
mod random;
