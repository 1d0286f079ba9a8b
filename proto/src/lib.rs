//! The contract of Cordboard.
//!
//! Every message and RPC of the mesh and every method of the public API is declared in the
//! `.proto` files of this crate, once. What is here is generated from them by `build/`:
//!
//! - the messages, clients and servers, one module a package;
//! - [`api`]: the table of public methods that the edge dispatches by;
//! - [`json`]: the JSON form of the public messages;
//! - [`doc`]: the published documents.

pub mod api;
pub mod doc;
pub mod json;

/// Descriptors of every file, encoded, as gRPC reflection wants them.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

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

mod redacted {
    //! `Debug` of messages with secrets.
    include!(concat!(env!("OUT_DIR"), "/redacted.rs"));
}

mod mapping {
    #![allow(
        clippy::all,
        clippy::pedantic,
        reason = "build/mapping.rs writes this code, and reads better for it"
    )]
    use serde_json::Value;

    use crate::json::{self, Fields, Object, Path, Problems, Range};

    include!(concat!(env!("OUT_DIR"), "/mapping.rs"));
}

pub use generated::cordboard::{
    auth, call, callcontrol, conference, notifier, options, relay, session, switch,
};
