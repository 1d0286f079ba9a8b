-- The directory: who may log in, who owns which number, what is sold to whom.
--
-- One text for SQLite and PostgreSQL: TEXT and BIGINT only. Money is millionths, time is
-- microseconds since 1970 UTC, booleans are 0 and 1.

-- Next value of each kind of key; a row's lock also orders the commits that take from it.
CREATE TABLE ids (
    kind TEXT NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

CREATE TABLE roles (
    name TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE role_permissions (
    role TEXT NOT NULL REFERENCES roles (name),
    component TEXT NOT NULL,
    level TEXT NOT NULL,
    PRIMARY KEY (role, component)
);

CREATE TABLE tariffs (
    i_tariff BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    currency TEXT NOT NULL
);

CREATE TABLE rates (
    i_tariff BIGINT NOT NULL REFERENCES tariffs (i_tariff),
    service TEXT NOT NULL,
    prefix TEXT NOT NULL,
    price_per_minute BIGINT NOT NULL,
    PRIMARY KEY (i_tariff, service, prefix)
);

CREATE TABLE products (
    i_product BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    conferencing BIGINT NOT NULL,
    user_application BIGINT NOT NULL
);

CREATE TABLE product_rating (
    i_product BIGINT NOT NULL REFERENCES products (i_product),
    access_code TEXT NOT NULL,
    i_tariff BIGINT NOT NULL REFERENCES tariffs (i_tariff),
    PRIMARY KEY (i_product, access_code)
);

CREATE TABLE users (
    i_user BIGINT NOT NULL PRIMARY KEY,
    is_blocked BIGINT NOT NULL
);

CREATE TABLE resellers (
    i_reseller BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    is_blocked BIGINT NOT NULL
);

CREATE TABLE customers (
    i_customer BIGINT NOT NULL PRIMARY KEY,
    i_reseller BIGINT REFERENCES resellers (i_reseller),
    name TEXT NOT NULL UNIQUE,
    currency TEXT NOT NULL,
    credit_limit BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    is_blocked BIGINT NOT NULL
);

CREATE TABLE accounts (
    i_account BIGINT NOT NULL PRIMARY KEY,
    i_customer BIGINT NOT NULL REFERENCES customers (i_customer),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    i_product BIGINT NOT NULL REFERENCES products (i_product),
    -- NULL leaves the choice to the product.
    conferencing BIGINT,
    user_application BIGINT,
    credit_limit BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    is_blocked BIGINT NOT NULL
);
CREATE INDEX accounts_by_customer ON accounts (i_customer, id);

CREATE TABLE hunt_groups (
    i_c_group BIGINT NOT NULL PRIMARY KEY,
    i_customer BIGINT NOT NULL REFERENCES customers (i_customer),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
);
CREATE INDEX hunt_groups_by_customer ON hunt_groups (i_customer, id);

CREATE TABLE call_queues (
    i_c_queue BIGINT NOT NULL PRIMARY KEY,
    i_c_group BIGINT NOT NULL UNIQUE REFERENCES hunt_groups (i_c_group),
    name TEXT NOT NULL
);

CREATE TABLE hunt_group_members (
    i_c_group BIGINT NOT NULL REFERENCES hunt_groups (i_c_group),
    i_account BIGINT NOT NULL REFERENCES accounts (i_account),
    position BIGINT NOT NULL,
    is_active BIGINT NOT NULL,
    PRIMARY KEY (i_c_group, i_account)
);

CREATE TABLE ivr_applications (
    i_ivr_application BIGINT NOT NULL PRIMARY KEY,
    i_account BIGINT NOT NULL REFERENCES accounts (i_account),
    name TEXT NOT NULL,
    on_app_gone TEXT NOT NULL
);
CREATE INDEX ivr_applications_by_account ON ivr_applications (i_account);

-- Every number of the directory, so that it leads to one thing only. `kind` is `account`,
-- `hunt_group`, `access_number` or `allocated`; `target` is the key of what it leads to.
CREATE TABLE numbers (
    number TEXT NOT NULL PRIMARY KEY,
    i_customer BIGINT NOT NULL REFERENCES customers (i_customer),
    kind TEXT NOT NULL,
    target BIGINT
);
CREATE INDEX numbers_by_target ON numbers (kind, target);

-- Who may log in: `subject` is the key of a user, reseller, customer or account.
CREATE TABLE credentials (
    realm TEXT NOT NULL,
    subject BIGINT NOT NULL,
    login TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    api_token_sha256 TEXT,
    role TEXT REFERENCES roles (name),
    is_super_user BIGINT NOT NULL,
    must_change_password BIGINT NOT NULL,
    is_demo BIGINT NOT NULL,
    PRIMARY KEY (realm, subject),
    UNIQUE (login, realm)
);
