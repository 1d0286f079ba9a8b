//! What auth knows, free of transport and storage: who may log in and as what, who owns
//! which number, what a dialled number is, which tokens have been revoked.
//!
//! The store is behind the port [`directory::Directory`]. Nothing here reads a clock, a
//! socket or a database; times come in as [`mesh::clock::Timestamp`].

pub mod access;
pub mod accounting;
pub mod application;
pub mod directory;
pub mod error;
pub mod id;
pub mod lockout;
pub mod money;
pub mod number;
pub mod party;
pub mod plan;
pub mod principal;
pub mod rating;
pub mod secret;
pub mod session;
pub mod snapshot;
