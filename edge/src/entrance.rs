//! How a request came in: from where, and through which listener.
//!
//! A listener that is bound to a realm is a world of its own: logins and tokens of other realms
//! do not exist there, nor do their documents.

use std::net::IpAddr;

use mesh::caller::realm_name;
use proto::options::v1::Realm;

/// Name of the login cookie.
const COOKIE_NAME: &str = "cordboard_session";

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entrance {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// The realm that the listener serves; `None` when it serves all.
    pub(crate) realm: Option<Realm>,
    /// It came over TLS.
    pub(crate) is_secure: bool,
}

impl Entrance {
    /// True when sessions of `realm` exist here.
    pub(crate) fn admits(&self, realm: Realm) -> bool {
        self.realm.is_none_or(|own| own == realm)
    }

    /// The realm in which a login is looked for when the client asks for `asked`, which may be
    /// unspecified; `None` when it cannot be here.
    pub(crate) fn login_realm(&self, asked: Realm) -> Option<Realm> {
        match (self.realm, asked) {
            (None, asked) => Some(asked),
            (Some(own), Realm::Unspecified) => Some(own),
            (Some(own), asked) => (own == asked).then_some(own),
        }
    }

    /// The name of the login cookie. Browsers do not tell the ports of a host apart, so that of a
    /// bound listener names its realm.
    pub(crate) fn cookie_name(&self) -> String {
        match self.realm {
            None => COOKIE_NAME.to_owned(),
            Some(realm) => format!("{COOKIE_NAME}_{}", realm_name(realm)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn entrance(realm: Option<Realm>) -> Entrance {
        Entrance { address: Ipv4Addr::LOCALHOST.into(), realm, is_secure: false }
    }

    #[test]
    fn a_listener_of_all_realms_takes_whom_it_is_asked_for() {
        let open = entrance(None);

        assert!(open.admits(Realm::Admin) && open.admits(Realm::Account));
        assert_eq!(open.login_realm(Realm::Unspecified), Some(Realm::Unspecified));
        assert_eq!(open.login_realm(Realm::Customer), Some(Realm::Customer));
        assert_eq!(open.cookie_name(), "cordboard_session");
    }

    #[test]
    fn a_bound_listener_knows_its_own_realm_only() {
        let bound = entrance(Some(Realm::Customer));

        assert!(bound.admits(Realm::Customer) && !bound.admits(Realm::Admin));
        assert_eq!(bound.login_realm(Realm::Unspecified), Some(Realm::Customer));
        assert_eq!(bound.login_realm(Realm::Customer), Some(Realm::Customer));
        assert_eq!(bound.login_realm(Realm::Account), None);
        assert_eq!(bound.cookie_name(), "cordboard_session_customer");
    }
}
