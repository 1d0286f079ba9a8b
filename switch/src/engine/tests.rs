//! The engine between a switch, a directory and a store that do as they are told.

mod adoption;
mod bench;
mod commands;
mod events;
mod lives;
mod operations;
