//! The switch: the engine that owns every call of its node, and the drivers
//! through which it commands a real or simulated switch.

pub mod domain;
pub mod driver;
