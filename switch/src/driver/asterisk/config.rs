//! Settings.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;
use mesh::config::{Secret, read_secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// Settings of the Asterisk driver.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where Asterisk's HTTP server is: `http://host:port`. User and password of the ARI may stand
    /// in it (`http://user:password@host:port`, with `%40` for `@`); they are never shown.
    pub url: Url,
    /// User of the ARI, when the URL names none.
    pub user: String,
    /// File with the password of the ARI, when the URL has none.
    pub password_file: Option<PathBuf>,
    /// User of Asterisk's manager interface (AMI), which is asked over the same HTTP server to make
    /// a phone that rings answer. Counts with `manager_password_file` alone.
    pub manager_user: String,
    /// File with the password of the manager's user; none: no phone is made to answer.
    pub manager_password_file: Option<PathBuf>,
    /// Name of the Stasis application; each Cordboard node on one Asterisk needs its own.
    pub app: String,
    /// PJSIP endpoint of the trunk: numbers of the public network are dialled through it, and a
    /// call from it is a call from outside. Every other endpoint is the phone of the account whose
    /// id it is named after.
    pub trunk: String,
    /// Dialplan context that sends every extension to the application; calls between two customers
    /// of this switch go through it.
    pub join_context: String,
    /// Dialplan context that dials the Asterisk of another node, whose endpoint is named as that
    /// node; a call that comes in for a customer at home there goes through it. Empty: there is no
    /// way, such a call is refused.
    pub handover_context: String,
    /// Class of music on hold; Asterisk's default when empty.
    pub music_class: String,
    /// Folder through which Asterisk gets what it is to play, under the same path and readable
    /// there; none: nothing is played. A file is in it while it is played.
    pub media_folder: Option<PathBuf>,
    /// True to let calls go on when Cordboard stops, for as long as its lease lasts: started again
    /// within that time under the same name it goes on with them. Otherwise they end when it stops.
    pub keep_calls: bool,
    /// How long Asterisk may take for one request.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Url("http://127.0.0.1:8088".to_owned()),
            user: "cordboard".to_owned(),
            password_file: None,
            manager_user: "cordboard".to_owned(),
            manager_password_file: None,
            app: "cordboard".to_owned(),
            trunk: "trunk".to_owned(),
            join_context: "cordboard-join".to_owned(),
            handover_context: "cordboard-handover".to_owned(),
            music_class: String::new(),
            media_folder: None,
            keep_calls: false,
            request_timeout: Duration::from_secs(2),
        }
    }
}

impl Config {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// With a sentence that names the key.
    pub fn validate(&self) -> Result<(), String> {
        self.url.parts()?;
        for (key, value) in [("app", &self.app), ("trunk", &self.trunk)] {
            if !is_plain_name(value) {
                return Err(format!("{key} has to be letters, digits, `.`, `-` and `_`"));
            }
        }
        let contexts =
            [("join_context", &self.join_context), ("handover_context", &self.handover_context)];
        for (key, value) in contexts {
            if !value.is_empty() && !is_plain_name(value) {
                return Err(format!("{key} has to be letters, digits, `.`, `-` and `_`"));
            }
        }
        let media = self.media_folder.as_deref().map(|folder| folder.display().to_string());
        if media.is_some_and(|media| media.contains([',', '&'])) {
            return Err("media_folder must have no `,` and no `&` in its path".to_owned());
        }
        // More would be further headers of a manager's action.
        if !is_plain_name(&self.manager_user) {
            return Err("manager_user has to be letters, digits, `.`, `-` and `_`".to_owned());
        }
        if self.request_timeout.is_zero() {
            return Err("request_timeout has to be above 0".to_owned());
        }
        Ok(())
    }

    /// Where Asterisk is and how to log in there.
    pub(super) fn access(&self) -> Result<Access, String> {
        let Parts { authority, login } = self.url.parts()?;
        let (user, password) = match login {
            Some((user, Some(password))) => (user, password),
            other => {
                let file = self.password_file.as_deref();
                let file = file.ok_or("password_file is needed, or a password in the url")?;
                let password = read_secret(file).map_err(|error| error.to_string())?;
                (other.map_or_else(|| self.user.clone(), |(user, _)| user), password)
            }
        };
        Ok(Access { authority, user, password })
    }

    /// How to log in at the manager interface; `None` when it is not to be used.
    pub(super) fn manager(&self) -> Result<Option<Login>, String> {
        let Some(file) = &self.manager_password_file else { return Ok(None) };
        let password = read_secret(file).map_err(|error| error.to_string())?;
        Ok(Some(Login { user: self.manager_user.clone(), password }))
    }
}

/// Names that mean the same wherever Asterisk parses them.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

/// Where Asterisk is and how to log in there.
#[derive(Debug)]
pub(super) struct Access {
    /// `host:port`.
    pub(super) authority: Authority,
    pub(super) user: String,
    pub(super) password: Secret,
}

/// User and password of the manager interface.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// A URL that may carry a password; that is never shown, nor written anywhere.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Url(String);

struct Parts {
    authority: Authority,
    login: Option<(String, Option<Secret>)>,
}

impl Url {
    /// Takes a text as it is; [`Config::validate`] looks at it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn parts(&self) -> Result<Parts, String> {
        let wrong = || "url has to be http://[user:password@]host:port".to_owned();
        let rest = self.0.strip_prefix("http://").ok_or_else(wrong)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let authority: Authority = place.parse().map_err(|_| wrong())?;
        if authority.port_u16().is_none() || authority.host().is_empty() {
            return Err(wrong());
        }
        let login = match login {
            None | Some("") => None,
            Some(login) => {
                let (user, password) = match login.split_once(':') {
                    Some((user, password)) => (user, Some(decode(password).ok_or_else(wrong)?)),
                    None => (login, None),
                };
                Some((decode(user).ok_or_else(wrong)?, password.map(Secret::new)))
            }
        };
        Ok(Parts { authority, login })
    }
}

/// Shows host and port alone.
impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.rsplit_once('@').map_or(self.0.as_str(), |(_, place)| place);
        let place = place.strip_prefix("http://").unwrap_or(place);
        write!(formatter, "http://{place}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Undoes `%XX`.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config { url: Url::new(url), ..Config::default() }
    }

    #[test]
    fn the_defaults_lack_nothing_but_a_password() {
        assert_eq!(Config::default().validate(), Ok(()));
        let refusal = Config::default().access().unwrap_err();
        assert!(refusal.contains("password_file"), "{refusal}");
    }

    #[test]
    fn a_password_in_the_url_is_used_and_never_shown() {
        let config = config("http://ari:s%40cret:x@pbx.example:8088/");

        let access = config.access().unwrap();

        assert_eq!(access.authority, "pbx.example:8088");
        assert_eq!((access.user.as_str(), access.password.expose()), ("ari", "s@cret:x"));
        for shown in [
            format!("{config:?}"),
            config.url.to_string(),
            serde_json::to_string(&config).unwrap(),
            format!("{access:?}"),
        ] {
            assert!(!shown.contains("cret"), "{shown}");
        }
    }

    #[test]
    fn a_password_may_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        let named = Config { password_file: Some(file), ..config("http://someone@[::1]:8088") };

        let access = named.access().unwrap();

        assert_eq!(access.authority, "[::1]:8088");
        assert_eq!((access.user.as_str(), access.password.expose()), ("someone", "secret"));
    }

    #[test]
    fn the_manager_is_used_when_there_is_a_password_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        let named = Config { manager_password_file: Some(file), ..Config::default() };
        let missing = folder.path().join("missing");
        let missing = Config { manager_password_file: Some(missing), ..Config::default() };

        let login = named.manager().unwrap().unwrap();

        assert_eq!((login.user.as_str(), login.password.expose()), ("cordboard", "secret"));
        assert!(!format!("{login:?}").contains("secret"));
        assert!(Config::default().manager().unwrap().is_none());
        assert!(missing.manager().unwrap_err().contains("missing"));
    }

    #[test]
    fn urls_and_names_that_cannot_work_are_refused() {
        for url in ["", "https://host:1", "http://host", "http://a b:1", "http://u:%zz@host:1"] {
            let refusal = config(url).validate().unwrap_err();
            assert!(refusal.starts_with("url has to be"), "{url}: {refusal}");
        }
        let named = Config { app: "a,b".to_owned(), ..Config::default() };
        assert!(named.validate().unwrap_err().starts_with("app has to be"));
    }
}
