//! Digest authentication (RFC 2617 as RFC 3261, section 22, uses it): MD5, with `qop=auth` or
//! without, since telephones and Asterisk share nothing stronger.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use crate::sip::Message;

/// Name and password of a phone.
#[derive(Clone)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a server asks for before it takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// Whether each request is to be counted (`qop=auth`).
    is_counted: bool,
    /// The password was right, but what it was mixed with has become old.
    is_stale: bool,
}

impl Challenge {
    /// The challenge of an answer 401 or 407, and the header that a second try answers it with;
    /// `None` when there is none with MD5.
    #[must_use]
    pub fn of(answer: &Message) -> Option<(&'static str, Self)> {
        let (asks, answers) = match answer.code()? {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return None,
        };
        Some((answers, answer.headers(asks).find_map(Self::parse)?))
    }

    /// Reads the value of a `WWW-Authenticate`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, fields) = value.trim().split_once(' ')?;
        let fields = fields_of(fields);
        let field = |name: &str| {
            fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
        };
        let algorithm = field("algorithm");
        let is_known = scheme.eq_ignore_ascii_case("Digest")
            && algorithm.is_none_or(|name| name.eq_ignore_ascii_case("MD5"));
        let qop = field("qop");
        let is_counted =
            qop.as_ref().is_some_and(|qop| qop.split(',').any(|one| one.trim() == "auth"));
        if !is_known || (qop.is_some() && !is_counted) {
            return None;
        }
        Some(Self {
            realm: field("realm")?,
            nonce: field("nonce")?,
            opaque: field("opaque"),
            is_counted,
            is_stale: field("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// Whether another try with the same password makes sense.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The value of an `Authorization`; `own` is a text of the client's own choice.
    #[must_use]
    pub fn answer(&self, who: &Credentials, method: &str, uri: &str, own: &str) -> String {
        let Self { realm, nonce, .. } = self;
        let secret = hash(&format!("{}:{realm}:{}", who.user, who.password));
        let asked = hash(&format!("{method}:{uri}"));
        // Each nonce is used once.
        let mixed =
            if self.is_counted { format!("{nonce}:00000001:{own}:auth") } else { nonce.clone() };
        let response = hash(&format!("{secret}:{mixed}:{asked}"));
        let mut text = format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5",
            who.user
        );
        if self.is_counted {
            // Writing to a string cannot fail.
            write!(text, ", qop=auth, nc=00000001, cnonce=\"{own}\"").ok();
        }
        if let Some(opaque) = &self.opaque {
            write!(text, ", opaque=\"{opaque}\"").ok();
        }
        text
    }
}

/// `name="value", name=value`: commas in quotes are no ends.
fn fields_of(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => (after.split(',').next().unwrap_or_default(), after),
        };
        fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        rest = next.split_once(',').map_or("", |(_, rest)| rest);
    }
    fields
}

fn hash(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617_is_answered_as_there() {
        let challenge = Challenge::parse(
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        );
        let who = Credentials { user: "Mufasa".to_owned(), password: "Circle Of Life".to_owned() };

        let answer = challenge.unwrap().answer(&who, "GET", "/dir/index.html", "0a4f113b");

        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(answer.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""), "{answer}");
    }

    #[test]
    fn of_several_challenges_the_one_with_md5_is_taken() {
        let answer = Message::new("SIP/2.0 401 Unauthorized")
            .with(
                "WWW-Authenticate",
                "Digest realm=\"a, b\",nonce=\"1\",algorithm=SHA-256,qop=\"auth\"",
            )
            .with("WWW-Authenticate", "Digest realm=\"a, b\",nonce=\"2\",algorithm=MD5,stale=true");

        let (header, challenge) = Challenge::of(&answer).unwrap();

        assert_eq!((header, challenge.nonce.as_str()), ("Authorization", "2"));
        assert_eq!((challenge.realm.as_str(), challenge.is_stale()), ("a, b", true));
        assert_eq!(Challenge::parse("Digest realm=\"a\", nonce=\"1\", qop=\"auth-int\""), None);
        assert_eq!(Challenge::parse("Basic realm=\"a\""), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        let who = Credentials { user: "101".to_owned(), password: "s3cret".to_owned() };

        assert!(!format!("{who:?}").contains("s3cret"));
    }
}
