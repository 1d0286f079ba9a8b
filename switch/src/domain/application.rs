//! Applications that take the calls to their access numbers.

use std::time::Duration;

use super::party::{Account, Party};

/// What becomes of a call that an application has when nobody listens to its number any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAppGone {
    /// The caller hears the fallback prompt and is released.
    #[default]
    Fallback,
    /// The call is released.
    Terminate,
    /// The call goes on.
    Continue,
}

/// An access number with the application behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The number.
    pub number: String,
    /// The account that owns the application, and pays for its calls.
    pub owner: Account,
    /// What becomes of its calls when it has gone.
    pub on_app_gone: OnAppGone,
}

impl Application {
    /// The called end: the owner, under the access number.
    #[must_use]
    pub fn party(&self) -> Party {
        Party { number: self.number.clone(), ..Party::account(&self.owner) }
    }
}

/// Who listens to an access number, as far as the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listeners {
    /// Nobody.
    Nobody,
    /// Somebody, who is not forgotten before this time is over.
    Somebody(Duration),
    /// The store does not say: nobody is taken for gone.
    Unknown,
}

/// An application that is asked to take a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) application: Box<Application>,
    /// Somebody listens, or may: the party waits for an answer.
    pub(super) is_alerted: bool,
}

impl Asked {
    pub(super) fn new(application: Box<Application>) -> Self {
        Self { application, is_alerted: false }
    }
}
