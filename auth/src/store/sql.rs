//! The statements, one text for `SQLite` and `PostgreSQL`.

pub(super) mod accounting;
pub(super) mod admin;
pub(super) mod import;
pub(super) mod login;
pub(super) mod party;
pub(super) mod session;
pub(super) mod snapshot;

/// Takes the next key of a kind. The row stays locked until the transaction ends, so what is
/// numbered is committed in the order of the numbers.
pub(super) const NEXT_ID: &str = "
    INSERT INTO ids (kind, next) VALUES ($1, 2)
    ON CONFLICT (kind) DO UPDATE SET next = ids.next + 1
    RETURNING next - 1";
