//! Commands to the switch: what every service needs that has the engine do something.
//!
//! A command is authorised by the service that takes it, and goes to the node that holds the call
//! or the conference, whose id names the node, or to the customer's home. A `request_id` makes it
//! repeatable: the same command again is the same command there too.
//!
//! The services that use it answer for the checks of their methods; [`check`] has those that
//! several methods share, and [`Refusal`] is why any of them refuses.

pub mod check;
mod commands;
pub mod dial;
mod directory;
mod engine_id;
mod homes;
pub mod metrics;
mod nodes;
mod placement;
pub mod prompt_path;
mod refusal;
mod repeat;
mod session;
mod switch;

pub use commands::{Commands, Repeatable, Settings};
pub use directory::{Directory, Line};
pub use engine_id::EngineId;
pub use nodes::Nodes;
pub use placement::chosen as chosen_home;
pub use refusal::Refusal;
pub use session::Session;
pub use switch::SwitchClient;
