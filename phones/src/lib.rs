//! Phones that speak SIP and audio: what people hold in their hands when Cordboard is shown or tested on
//! a real switch.
//!
//! A [`Phone`] is one account's; a [`Provider`] is the public network behind a trunk. Both are an
//! [`Agent`]: a user agent (RFC 3261) over UDP, with any number of calls, each with a [`Voice`] of its
//! own. They register with digest authentication, ring, answer, refuse, dial, hold, hang up and press
//! keys; they speak one tone each, and know by Goertzel's algorithm which tones they hear: so who hears
//! whom can be told without anybody listening. A [`Crowd`] is for load: many calls, and no audio.
//!
//! They are for a switch next door: requests are repeated until they are answered, but there are no
//! routes, no TCP and no codec but µ-law.

pub mod agent;
pub mod asterisk;
pub mod audio;
pub mod crowd;
pub mod digest;
pub mod phone;
pub mod provider;
mod rtp;
pub mod sip;
pub mod voice;

pub use agent::{Agent, Error, Manner};
pub use crowd::Crowd;
pub use phone::Phone;
pub use provider::Provider;
pub use voice::Voice;
