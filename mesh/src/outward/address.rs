//! An address as a customer wrote it, and where it leads.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;
use url::{Host, Url};

use super::Rules;
use super::public::{is_no_host, is_public};

/// Most characters of an address.
const LONGEST: usize = 2048;

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Why an address may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is no absolute address of `http` or `https`.
    #[error("is not an absolute http or https address")]
    Malformed,
    /// It carries a user name or password.
    #[error("must not carry a user name or password")]
    Credentials,
    /// It leads, or may lead, to an address that is not of the public internet.
    #[error("leads to an address that is not allowed")]
    NotPublic,
}

/// An address that may be used as far as its text says; where its name leads is checked each time
/// that it is used. Its form for people, and for logs, leaves path and query out.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads an address; one that names a forbidden host by number is refused at once.
    ///
    /// # Errors
    /// When it is malformed or forbidden.
    pub fn parse(text: &str, rules: Rules) -> Result<Self, Forbidden> {
        if text.len() > LONGEST || text.trim() != text {
            return Err(Forbidden::Malformed);
        }
        let mut url = Url::parse(text).map_err(|_error| Forbidden::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") || url.port() == Some(0) {
            return Err(Forbidden::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::Credentials);
        }
        url.set_fragment(None);
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(name)) if !name.is_empty() => None,
            Some(Host::Domain(_)) | None => return Err(Forbidden::Malformed),
        };
        if ip.is_some_and(|ip| !is_allowed(ip, rules)) {
            return Err(Forbidden::NotPublic);
        }
        Ok(Self(url))
    }

    /// The address as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// True for `https`.
    pub(super) fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host's name, or its number without brackets.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// Host and port as the `host` header says them.
    pub(super) fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Path and query.
    pub(super) fn target(&self) -> Option<Uri> {
        let query = self.0.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", self.0.path()).parse().ok()
    }

    /// Where it leads: all addresses of its name. `None` when the name is not known now.
    ///
    /// # Errors
    /// When any of them is forbidden.
    pub(super) async fn resolve(&self, rules: Rules) -> Result<Option<Vec<SocketAddr>>, Forbidden> {
        let port = self.0.port_or_known_default().unwrap_or(80);
        let looking = tokio::net::lookup_host((self.host(), port));
        let Ok(Ok(found)) = tokio::time::timeout(LOOK_UP, looking).await else {
            return Ok(None);
        };
        let found: Vec<SocketAddr> = found.collect();
        if found.iter().any(|address| !is_allowed(address.ip(), rules)) {
            return Err(Forbidden::NotPublic);
        }
        Ok(Some(found).filter(|found| !found.is_empty()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.0.scheme(), self.authority())
    }
}

fn is_allowed(ip: IpAddr, rules: Rules) -> bool {
    !is_no_host(ip) && (rules.allow_private || is_public(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules = Rules { allow_private: false };
    const FREE: Rules = Rules { allow_private: true };

    #[test]
    fn addresses_that_are_none_are_malformed() {
        let bad = [
            "",
            "hooks",
            "/hooks",
            "ftp://example.com/",
            "file:///etc/passwd",
            "http://",
            "http://:80/",
            "https://example.com:0/",
            " http://example.com/",
            "http://exa mple.com/",
            "javascript:alert(1)",
            "//example.com/",
        ];
        for text in bad {
            assert_eq!(Address::parse(text, FREE), Err(Forbidden::Malformed), "{text:?}");
        }
        let long = format!("http://example.com/{}", "x".repeat(LONGEST));
        assert_eq!(Address::parse(&long, FREE), Err(Forbidden::Malformed));
    }

    #[test]
    fn a_user_name_or_password_is_refused() {
        for text in ["http://user@example.com/", "https://user:word@example.com/"] {
            assert_eq!(Address::parse(text, FREE), Err(Forbidden::Credentials), "{text}");
        }
    }

    #[test]
    fn numbers_of_own_networks_are_forbidden_however_they_are_written() {
        let inside = [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.0.0.1:8080/x",
            "http://169.254.169.254/latest/",
            "https://192.168.0.1/",
        ];
        for text in inside {
            assert_eq!(Address::parse(text, STRICT), Err(Forbidden::NotPublic), "{text}");
            assert!(Address::parse(text, FREE).is_ok(), "{text}");
        }
        for text in ["http://0.0.0.0/", "http://[ff02::1]/", "http://255.255.255.255/"] {
            assert_eq!(Address::parse(text, FREE), Err(Forbidden::NotPublic), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_forbidden_when_it_is_looked_up() {
        let address = Address::parse("http://localhost:8080/x", STRICT).unwrap();
        assert_eq!(address.resolve(STRICT).await, Err(Forbidden::NotPublic));
        let found = address.resolve(FREE).await.unwrap().unwrap();
        assert!(found.iter().all(|address| address.port() == 8080));
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_leads_nowhere() {
        let address = Address::parse("http://nobody.invalid/", STRICT).unwrap();
        assert_eq!(address.resolve(STRICT).await, Ok(None));
    }

    #[test]
    fn logs_get_neither_path_nor_query() {
        let address = Address::parse("https://example.com:8443/a?token=secret#part", FREE).unwrap();
        assert_eq!(address.to_string(), "https://example.com:8443");
        assert_eq!(address.target().unwrap(), "/a?token=secret");
        assert_eq!(address.as_str(), "https://example.com:8443/a?token=secret");
    }
}
