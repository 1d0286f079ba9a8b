//! The whole system from outside: what the contract promises, on the real program.

mod admin;
mod asterisk_config;
mod benchmark;
mod conferences;
mod demo;
mod edges;
mod failures;
mod forced_password;
mod handing_over;
mod hostile;
mod limits;
mod main_job;
mod methods;
mod outages;
mod prompts;
mod queues;
mod raw;
mod realms;
mod resume;
mod rows;
mod scope;
mod sessions;
mod structure;
mod tls;
mod visa_center;
