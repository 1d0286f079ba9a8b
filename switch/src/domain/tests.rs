//! The calls of a customer, told as the contract tells them.

mod access;
mod attended;
mod bench;
mod commands;
mod endings;
mod join;
mod properties;
mod rows;
mod table;
mod transfers;
