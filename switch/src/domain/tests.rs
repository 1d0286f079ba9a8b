//! The calls of a customer, told as the contract tells them.

mod access;
mod adoption;
mod applications;
mod attended;
mod availability;
mod bench;
mod charges;
mod commands;
mod conferences;
mod connections;
mod credit;
mod endings;
mod join;
mod parking;
mod prompts;
mod properties;
mod queues;
mod recordings;
mod redirects;
mod rows;
mod supervision;
mod table;
mod transfers;
