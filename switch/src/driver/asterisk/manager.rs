//! Makes a phone that rings answer: a NOTIFY with `Event: talk` in the dialog of its invitation,
//! which phones take for the press of their answer key when they have said `Allow-Events: talk`.
//!
//! The REST interface sends no NOTIFY; Asterisk's manager interface (AMI) does, and the HTTP server
//! that carries the one carries the other. Each time there is a login, the one action and a logout:
//! answering is rare, and no session is kept that might end unnoticed. The password goes in the body
//! of a request, so that it stands in no URL. Nothing is heard of what the phone says to the NOTIFY:
//! it answers its call or does not.

use std::sync::Arc;

use http::HeaderValue;
use http::header::SET_COOKIE;
use mesh::fault::chain;
use tracing::{debug, warn};

use super::Inner;
use super::ari::{AriError, Form, Path};
use super::config::Login;
use super::lines::{Stage, Way};
use super::message::{Channel, Variable};
use crate::driver::{ChannelId, DriverError};

/// Where the manager interface answers in plain lines.
const PLACE: &str = "/rawman";

/// Channel variable of an endpoint (`set_var`) whose phone is not to be told: `no`.
const MAY_TALK: &str = "CORDBOARD_TALK";

/// Longest answer; those to what is asked here have three lines.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Longest text of Asterisk's in an error.
const MAX_TEXT: usize = 200;

/// Headers of the NOTIFY: every NOTIFY has a state of its subscription (RFC 6665, 4.1.3).
const TALK: &str = "Event=talk,Subscription-State=active";

/// Why the manager interface did not do it.
#[derive(Debug, thiserror::Error)]
enum ManagerError {
    /// It was not reached, or its answer was no answer.
    #[error("manager interface")]
    Ari(#[from] AriError),
    /// Nothing answers there.
    #[error("Asterisk's manager does not answer over HTTP (manager.conf: enabled, webenabled)")]
    Off,
    /// The login was refused.
    #[error("Asterisk's manager does not take user and password")]
    Login,
    /// The user has no right to the action.
    #[error("Asterisk's manager does not let its user do this (manager.conf: write = system)")]
    Denied,
    /// There is no such action.
    #[error("Asterisk has no PJSIPNotify (modules.conf: res_pjsip_notify)")]
    NoAction,
    /// The channel has gone.
    #[error("channel has gone")]
    Gone,
    /// Another refusal.
    #[error("Asterisk's manager refused: {0}")]
    Refused(String),
}

impl From<ManagerError> for DriverError {
    fn from(error: ManagerError) -> Self {
        match error {
            ManagerError::Ari(error) => error.into(),
            error => Self::Refused(error.to_string()),
        }
    }
}

/// How to log in.
#[derive(Debug)]
pub(super) struct Manager {
    login: Login,
}

impl Manager {
    pub(super) fn new(login: Login) -> Self {
        Self { login }
    }
}

impl Inner {
    /// Makes the phone of a dialled channel answer.
    pub(super) async fn pick_up(&self, channel: &ChannelId) -> Result<(), DriverError> {
        let line = self.book.lock().lines.get(channel).map(|line| (line.way, line.stage));
        let no_phone = || DriverError::Refused("this is no called phone".to_owned());
        match line {
            None | Some((Way::Dialled, Stage::Answered)) => return Ok(()),
            Some((Way::Incoming, _)) => return Err(no_phone()),
            Some((Way::Dialled, _)) => {}
        }
        let Some(manager) = &self.manager else {
            let refusal = "manager_password_file is not set: no phone is made to answer";
            return Err(DriverError::Refused(refusal.to_owned()));
        };
        let there: Channel = match self.ari.get(&Path::new(&["channels", &channel.0])).await {
            Err(error) if error.status() == Some(404) => return Ok(()),
            there => there?,
        };
        if there.endpoint().is_none_or(|endpoint| endpoint == self.trunk) {
            return Err(no_phone());
        }
        let path = Path::new(&["channels", &channel.0, "variable"]).with("variable", MAY_TALK);
        match self.ari.get::<Variable>(&path).await {
            Ok(variable) if variable.value == "no" => {
                return Err(DriverError::Refused(format!("{MAY_TALK} is no for this phone")));
            }
            // There is no such variable, or no such channel any more.
            Err(error) if error.status() != Some(404) => return Err(error.into()),
            _ => {}
        }
        let session = self.log_in(manager).await?;
        let fields =
            [("action", "PJSIPNotify"), ("Channel", there.name.as_str()), ("Variable", TALK)];
        let sent = self.ask(&session, &fields).await;
        self.log_out(session);
        match sent {
            Err(ManagerError::Gone) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Says so in the log when the manager interface cannot be used: otherwise that would show when
    /// somebody answers for the first time. Beside whatever goes on: Asterisk takes a second to
    /// refuse a password.
    pub(super) fn warn_of_manager(self: &Arc<Self>) {
        let switch = Arc::clone(self);
        self.tasks.spawn(async move {
            let Some(manager) = &switch.manager else { return };
            match switch.log_in(manager).await {
                Ok(session) => switch.log_out(session),
                Err(error) => warn!(error = chain(&error), "no phone can be made to answer"),
            }
        });
    }

    /// Gives the cookie that names the session.
    async fn log_in(&self, manager: &Manager) -> Result<HeaderValue, ManagerError> {
        let Login { user, password } = &manager.login;
        let fields = [("action", "login"), ("username", user), ("secret", password.expose())];
        let form = Form::new(&fields);
        let (headers, text) = match self.ari.submit(PLACE, None, form, MAX_ANSWER_BYTES).await {
            Err(error) if error.status() == Some(404) => return Err(ManagerError::Off),
            answer => answer?,
        };
        if outcome(&text).is_err() {
            return Err(ManagerError::Login);
        }
        let cookie = headers.get(SET_COOKIE).map(HeaderValue::as_bytes);
        let cookie = cookie.and_then(|cookie| cookie.split(|byte| *byte == b';').next());
        let cookie = cookie.and_then(|cookie| HeaderValue::from_bytes(cookie).ok());
        let mut cookie =
            cookie.ok_or_else(|| ManagerError::Refused("there is no session".to_owned()))?;
        cookie.set_sensitive(true);
        Ok(cookie)
    }

    /// Ends a session, beside whatever goes on. One that is left Asterisk ends by itself.
    fn log_out(&self, session: HeaderValue) {
        let Some(switch) = self.own.upgrade() else { return };
        self.tasks.spawn(async move {
            if let Err(error) = switch.ask(&session, &[("action", "logoff")]).await {
                debug!(error = chain(&error), "the manager's session was not ended");
            }
        });
    }

    async fn ask(
        &self,
        session: &HeaderValue,
        fields: &[(&str, &str)],
    ) -> Result<(), ManagerError> {
        let (form, session) = (Form::new(fields), Some(session.clone()));
        let (_, text) = self.ari.submit(PLACE, session, form, MAX_ANSWER_BYTES).await?;
        outcome(&text)
    }
}

/// What an answer says: `Response: Success`, or `Error` with a `Message`.
fn outcome(text: &str) -> Result<(), ManagerError> {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    // A logout is answered with `Goodbye`.
    if matches!(value("Response"), Some("Success" | "Goodbye")) {
        return Ok(());
    }
    let said = value("Message").unwrap_or("it gave no reason");
    Err(match said {
        "Permission denied" => ManagerError::Denied,
        "Channel not found" => ManagerError::Gone,
        said if said.starts_with("Invalid/unknown command") => ManagerError::NoAction,
        said => ManagerError::Refused(said.chars().take(MAX_TEXT).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_manager_are_told_apart() {
        let error = |message: &str| {
            let text = format!("Response: Error\r\nMessage: {message}\r\n\r\n");
            outcome(&text).unwrap_err()
        };

        assert!(outcome("Response: Success\r\nMessage: NOTIFY sent\r\n\r\n").is_ok());
        assert!(outcome("Response: Goodbye\r\nMessage: Thanks\r\n\r\n").is_ok());
        assert!(matches!(error("Permission denied"), ManagerError::Denied));
        assert!(matches!(error("Channel not found"), ManagerError::Gone));
        let unknown = "Invalid/unknown command: PJSIPNotify. Use Action: ListCommands to show";
        assert!(matches!(error(unknown), ManagerError::NoAction));
        assert!(matches!(outcome("<html>"), Err(ManagerError::Refused(_))));
        let long = error(&"x".repeat(9_000));
        assert!(matches!(&long, ManagerError::Refused(text) if text.len() == MAX_TEXT), "{long}");
    }
}
