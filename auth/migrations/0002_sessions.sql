-- Sessions, the keys that sign their tokens, and what has been revoked.

CREATE TABLE sessions (
    session_id TEXT NOT NULL PRIMARY KEY,
    realm TEXT NOT NULL,
    subject BIGINT NOT NULL,
    -- Who opened it for another, as `admin:1`.
    opened_by TEXT,
    opened_at BIGINT NOT NULL,
    -- End of the newest refresh token.
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX sessions_by_subject ON sessions (realm, subject);
CREATE INDEX sessions_by_opener ON sessions (opened_by);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (session_id),
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- `kind` is `session`, `user` or `role`. Positions are taken from `ids` inside the transaction
-- that revokes, so they rise in the order of commits and a poll by position misses none.
CREATE TABLE revocations (
    position BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    ends BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    -- Base64 of PKCS#8.
    private_key TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
