//! The service as it is served, with a switch, an auth and a store that tests control.

mod calls;
mod harness;
mod lists;
mod originate;
mod repeated;
