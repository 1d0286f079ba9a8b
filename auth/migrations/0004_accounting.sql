-- What was charged, and what credit is held for charges that run.

-- Seconds of each charge that cost nothing, and the least that is charged beyond them.
ALTER TABLE rates ADD COLUMN free_seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rates ADD COLUMN minimum_seconds BIGINT NOT NULL DEFAULT 0;

CREATE TABLE xdrs (
    i_xdr BIGINT NOT NULL PRIMARY KEY,
    call_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    i_account BIGINT NOT NULL REFERENCES accounts (i_account),
    -- `voice` or `conferencing`.
    service TEXT NOT NULL,
    i_customer BIGINT NOT NULL REFERENCES customers (i_customer),
    tracking_id TEXT NOT NULL,
    -- `incoming` or `outgoing`.
    direction TEXT NOT NULL,
    cli TEXT NOT NULL,
    cld TEXT NOT NULL,
    connect_time BIGINT NOT NULL,
    disconnect_time BIGINT NOT NULL,
    charged_quantity BIGINT NOT NULL,
    charged_amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    disconnect_cause BIGINT NOT NULL,
    recording TEXT,
    -- A tag names one leg of the environment for ever, also when it moves to another call, so this
    -- also keeps it to one for each call, tag, payer and service.
    UNIQUE (tag, i_account, service)
);
CREATE INDEX xdrs_by_time ON xdrs (disconnect_time, i_xdr);
CREATE INDEX xdrs_by_customer ON xdrs (i_customer, disconnect_time, i_xdr);
CREATE INDEX xdrs_by_account ON xdrs (i_account, disconnect_time, i_xdr);

-- How far the accounting list of each partition has become xDRs, under which epoch of its log.
CREATE TABLE accounting_positions (
    log_partition BIGINT NOT NULL PRIMARY KEY,
    epoch TEXT NOT NULL,
    millis BIGINT NOT NULL,
    sequence BIGINT NOT NULL
);

-- Credit that is held for a charge, with the rate at which it will be charged.
CREATE TABLE reservations (
    tag TEXT NOT NULL,
    i_account BIGINT NOT NULL REFERENCES accounts (i_account),
    service TEXT NOT NULL,
    i_customer BIGINT NOT NULL REFERENCES customers (i_customer),
    price_per_minute BIGINT NOT NULL,
    free_seconds BIGINT NOT NULL,
    minimum_seconds BIGINT NOT NULL,
    currency TEXT NOT NULL,
    seconds BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tag, i_account, service)
);
CREATE INDEX reservations_by_account ON reservations (i_account);
CREATE INDEX reservations_by_customer ON reservations (i_customer);
CREATE INDEX reservations_by_expiry ON reservations (expires_at);
