//! Tests of the crate through its public items.

// `cfg(test)` says to clippy that helpers are test code too.
#[cfg(test)]
mod ledger;
