//! Sessions, users and roles whose tokens are no longer good.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use proto::auth::v1 as wire;

use crate::caller::Caller;

/// Seconds for which a revocation is kept at least, and a margin over the longest life of a token.
const KEPT_AT_LEAST: i64 = 3_600;

/// Revocations between two clean-ups.
const CLEAN_EVERY: usize = 1_024;

/// Whose tokens are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One session.
    Session(String),
    /// A user, claim `sub`.
    User(String),
    /// All users of a role.
    Role(String),
}

/// Ends or narrows tokens that were handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whose.
    pub subject: Subject,
    /// The lowest epoch that is still good; a session is over whatever its epoch.
    pub epoch: i64,
    /// True when the holder must be cut off; false when only its scope changed, so that it needs
    /// a new token.
    pub ends: bool,
}

impl Revocation {
    /// True when the caller's token is no longer good.
    #[must_use]
    pub fn covers(&self, caller: &Caller) -> bool {
        match &self.subject {
            Subject::Session(session) => *session == caller.session_id,
            Subject::User(user) => *user == caller.user && caller.epoch < self.epoch,
            Subject::Role(role) => *role == caller.role && caller.epoch < self.epoch,
        }
    }

    /// Reads auth's message; `None` when it names nobody.
    #[must_use]
    pub fn from_proto(message: wire::Revocation) -> Option<Self> {
        let subject = match message.subject? {
            wire::revocation::Subject::SessionId(session) => Subject::Session(session),
            wire::revocation::Subject::User(user) => Subject::User(user),
            wire::revocation::Subject::Role(role) => Subject::Role(role),
        };
        Some(Self { subject, epoch: message.epoch, ends: message.ends })
    }

    /// Writes auth's message.
    #[must_use]
    pub fn to_proto(&self) -> wire::Revocation {
        let subject = match self.subject.clone() {
            Subject::Session(session) => wire::revocation::Subject::SessionId(session),
            Subject::User(user) => wire::revocation::Subject::User(user),
            Subject::Role(role) => wire::revocation::Subject::Role(role),
        };
        wire::Revocation { subject: Some(subject), epoch: self.epoch, ends: self.ends }
    }
}

/// The revocations that still matter: each is kept as long as a token issued before it can live.
#[derive(Debug)]
pub(super) struct Revocations {
    sessions: HashMap<String, Since>,
    users: HashMap<String, Since>,
    roles: HashMap<String, Since>,
    longest_life: i64,
    added: usize,
}

#[derive(Clone, Copy, Debug)]
struct Since {
    epoch: i64,
    /// The lowest epoch of a session that was not ended.
    ends_below: i64,
    heard_at: i64,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            sessions: HashMap::new(),
            users: HashMap::new(),
            roles: HashMap::new(),
            longest_life: KEPT_AT_LEAST,
            added: 0,
        }
    }
}

impl Revocations {
    pub(super) fn add(&mut self, revocation: Revocation, now: i64) {
        let Revocation { subject, epoch, ends } = revocation;
        let since = Since { epoch, ends_below: if ends { epoch } else { i64::MIN }, heard_at: now };
        match subject {
            Subject::Session(session) => note(self.sessions.entry(session), since),
            Subject::User(user) => note(self.users.entry(user), since),
            Subject::Role(role) => note(self.roles.entry(role), since),
        }
        self.added += 1;
        if self.added.is_multiple_of(CLEAN_EVERY) {
            self.forget_before(now - self.longest_life - KEPT_AT_LEAST);
        }
    }

    fn forget_before(&mut self, moment: i64) {
        for subjects in [&mut self.sessions, &mut self.users, &mut self.roles] {
            subjects.retain(|_, since| since.heard_at >= moment);
        }
    }

    /// Notes how many seconds a token lives.
    pub(super) fn note_life(&mut self, seconds: i64) {
        self.longest_life = self.longest_life.max(seconds);
    }

    pub(super) fn covers(&self, caller: &Caller) -> bool {
        let is_below = |since: Option<&Since>| since.is_some_and(|it| caller.epoch < it.epoch);
        self.sessions.contains_key(&caller.session_id)
            || is_below(self.users.get(&caller.user))
            || is_below(self.roles.get(&caller.role))
    }

    /// True when the caller's session is over, and not only its token outdated.
    pub(super) fn end(&self, caller: &Caller) -> bool {
        let ends = |since: Option<&Since>| since.is_some_and(|it| caller.epoch < it.ends_below);
        self.sessions.contains_key(&caller.session_id)
            || ends(self.users.get(&caller.user))
            || ends(self.roles.get(&caller.role))
    }
}

fn note(entry: Entry<'_, String, Since>, new: Since) {
    let since = entry.or_insert(new);
    since.epoch = since.epoch.max(new.epoch);
    since.ends_below = since.ends_below.max(new.ends_below);
    since.heard_at = new.heard_at;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Scope;

    fn caller(epoch: i64) -> Caller {
        Caller {
            session_id: "s1".to_owned(),
            user: "account:1".to_owned(),
            login: "101".to_owned(),
            scope: Scope::Account { i_customer: 1, i_account: 1 },
            role: "agent".to_owned(),
            permissions: Vec::new(),
            is_super_user: false,
            epoch,
            expires_at: 0,
        }
    }

    #[test]
    fn a_revocation_reaches_older_epochs_of_its_subject_only() {
        let mut revocations = Revocations::default();
        let user = Subject::User("account:1".to_owned());
        revocations.add(Revocation { subject: user.clone(), epoch: 5, ends: true }, 0);
        revocations.add(Revocation { subject: user, epoch: 3, ends: true }, 0);

        assert!(revocations.covers(&caller(4)));
        assert!(!revocations.covers(&caller(5)));

        let role = Subject::Role("agent".to_owned());
        revocations.add(Revocation { subject: role, epoch: 9, ends: false }, 0);
        assert!(revocations.covers(&caller(8)));
    }

    #[test]
    fn changed_rights_outdate_a_token_and_end_no_session() {
        let mut revocations = Revocations::default();
        let user = Subject::User("account:1".to_owned());
        revocations.add(Revocation { subject: user.clone(), epoch: 5, ends: false }, 0);

        assert!(revocations.covers(&caller(4)) && !revocations.end(&caller(4)));

        revocations.add(Revocation { subject: user.clone(), epoch: 7, ends: true }, 0);
        revocations.add(Revocation { subject: user, epoch: 9, ends: false }, 0);
        assert!(revocations.end(&caller(6)));
        assert!(revocations.covers(&caller(7)) && !revocations.end(&caller(7)));
    }

    #[test]
    fn an_ended_session_is_over_whatever_its_epoch() {
        let mut revocations = Revocations::default();
        let session = Subject::Session("s1".to_owned());
        revocations.add(Revocation { subject: session, epoch: 0, ends: true }, 0);

        assert!(revocations.covers(&caller(100)));
    }

    #[test]
    fn revocations_older_than_any_token_are_forgotten() {
        let mut revocations = Revocations::default();
        for number in 0..CLEAN_EVERY * 4 {
            let session = Subject::Session(format!("s{number}"));
            let now = i64::try_from(number).unwrap() * 10;
            revocations.add(Revocation { subject: session, epoch: 0, ends: true }, now);
        }

        assert!(revocations.sessions.len() < CLEAN_EVERY * 2);
    }

    #[test]
    fn a_message_reads_as_it_was_written() {
        for subject in [
            Subject::Session("s".to_owned()),
            Subject::User("u".to_owned()),
            Subject::Role("r".to_owned()),
        ] {
            let revocation = Revocation { subject, epoch: 7, ends: true };
            assert_eq!(Revocation::from_proto(revocation.to_proto()), Some(revocation));
        }
    }
}
