//! The contract of Cordboard.
//!
//! Every message and RPC of the mesh and every method of the public API is declared in the
//! `.proto` files of this crate, once. What is here is generated from them by `build/`.

/// Descriptors of every file, encoded, as gRPC reflection wants them.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

mod generated {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        clippy::indexing_slicing,
        clippy::str_to_string,
        reason = "prost and tonic write this code"
    )]
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

pub use generated::cordboard::{
    auth, call, callcontrol, conference, notifier, options, session, switch,
};
