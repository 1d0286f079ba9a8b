//! The RPCs: parse, ask the domain, map.

mod account;
mod accounting;
mod application;
mod authentication;
mod authorization;
mod cdr;
mod customer;
mod error;
mod generic;
mod list;

pub(crate) use account::AccountRpc;
pub(crate) use accounting::AccountingRpc;
pub(crate) use application::IvrApplicationsRpc;
pub(crate) use authentication::AuthenticationRpc;
pub(crate) use authorization::AuthorizationRpc;
pub(crate) use cdr::CdrRpc;
pub(crate) use customer::CustomerRpc;
pub(crate) use generic::GenericRpc;
