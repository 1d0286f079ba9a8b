//! The harness of the system tests: the real program in processes of its own, a
//! stock JSON-RPC client over the WebSocket, and hands on the simulated phones. It
//! knows the public contract and nothing of the code.

pub mod client;
pub mod collector;
pub mod http;
pub mod mesh_of;
pub mod process;
pub mod sim;

pub use client::{Client, Fault};
pub use collector::Collector;
pub use mesh_of::Mesh;
pub use process::Up;
pub use sim::Sim;
