//! What an import reads and writes.

pub(in crate::store) const ROLE: &str = "SELECT name FROM roles WHERE name = $1";
pub(in crate::store) const ADD_ROLE: &str = "INSERT INTO roles (name) VALUES ($1)";
pub(in crate::store) const CLEAR_PERMISSIONS: &str = "DELETE FROM role_permissions WHERE role = $1";
pub(in crate::store) const ADD_PERMISSION: &str =
    "INSERT INTO role_permissions (role, component, level) VALUES ($1, $2, $3)";

pub(in crate::store) const TARIFF: &str = "SELECT i_tariff FROM tariffs WHERE name = $1";
pub(in crate::store) const PUT_TARIFF: &str = "
    INSERT INTO tariffs (i_tariff, name, currency) VALUES ($1, $2, $3)
    ON CONFLICT (i_tariff) DO UPDATE SET currency = excluded.currency";
pub(in crate::store) const CLEAR_RATES: &str = "DELETE FROM rates WHERE i_tariff = $1";
pub(in crate::store) const ADD_RATE: &str = "
    INSERT INTO rates (i_tariff, service, prefix, price_per_minute, free_seconds, minimum_seconds)
    VALUES ($1, $2, $3, $4, $5, $6)";

pub(in crate::store) const PRODUCT: &str = "SELECT i_product FROM products WHERE name = $1";
pub(in crate::store) const PUT_PRODUCT: &str = "
    INSERT INTO products (i_product, name, conferencing, user_application)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (i_product) DO UPDATE SET conferencing = excluded.conferencing,
        user_application = excluded.user_application";
pub(in crate::store) const CLEAR_RATING: &str = "DELETE FROM product_rating WHERE i_product = $1";
pub(in crate::store) const ADD_RATING: &str =
    "INSERT INTO product_rating (i_product, access_code, i_tariff) VALUES ($1, $2, $3)";

pub(in crate::store) const PUT_USER: &str = "
    INSERT INTO users (i_user, is_blocked) VALUES ($1, $2)
    ON CONFLICT (i_user) DO UPDATE SET is_blocked = excluded.is_blocked";
pub(in crate::store) const USER_BLOCKED: &str = "SELECT is_blocked FROM users WHERE i_user = $1";

pub(in crate::store) const RESELLER: &str =
    "SELECT i_reseller, is_blocked FROM resellers WHERE name = $1";
pub(in crate::store) const PUT_RESELLER: &str = "
    INSERT INTO resellers (i_reseller, name, is_blocked) VALUES ($1, $2, $3)
    ON CONFLICT (i_reseller) DO UPDATE SET is_blocked = excluded.is_blocked";

pub(in crate::store) const CUSTOMER: &str =
    "SELECT i_customer, is_blocked FROM customers WHERE name = $1";
/// The balance is only set when the customer is created: afterwards accounting keeps it.
pub(in crate::store) const PUT_CUSTOMER: &str = "
    INSERT INTO customers (i_customer, i_reseller, name, currency, credit_limit, balance, is_blocked)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (i_customer) DO UPDATE SET i_reseller = excluded.i_reseller,
        currency = excluded.currency, credit_limit = excluded.credit_limit,
        is_blocked = excluded.is_blocked";

pub(in crate::store) const ACCOUNT: &str =
    "SELECT i_account, i_customer, is_blocked FROM accounts WHERE id = $1";
/// The balance is only set when the account is created: afterwards accounting keeps it.
pub(in crate::store) const PUT_ACCOUNT: &str = "
    INSERT INTO accounts (i_account, i_customer, id, name, i_product, conferencing,
        user_application, credit_limit, balance, is_blocked, decision_timeout, decision_fallback)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (i_account) DO UPDATE SET name = excluded.name, i_product = excluded.i_product,
        conferencing = excluded.conferencing, user_application = excluded.user_application,
        credit_limit = excluded.credit_limit, is_blocked = excluded.is_blocked,
        decision_timeout = excluded.decision_timeout,
        decision_fallback = excluded.decision_fallback";

pub(in crate::store) const HUNT_GROUP: &str =
    "SELECT i_c_group, i_customer FROM hunt_groups WHERE id = $1";
pub(in crate::store) const PUT_HUNT_GROUP: &str = "
    INSERT INTO hunt_groups (i_c_group, i_customer, id, name, decision_timeout, decision_fallback)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (i_c_group) DO UPDATE SET name = excluded.name,
        decision_timeout = excluded.decision_timeout,
        decision_fallback = excluded.decision_fallback";
pub(in crate::store) const QUEUE: &str = "SELECT i_c_queue FROM call_queues WHERE i_c_group = $1";
pub(in crate::store) const PUT_QUEUE: &str = "
    INSERT INTO call_queues (i_c_queue, i_c_group, name, ring_all, agent_timeout, max_waiting,
        max_wait, overflow)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (i_c_queue) DO UPDATE SET name = excluded.name, ring_all = excluded.ring_all,
        agent_timeout = excluded.agent_timeout, max_waiting = excluded.max_waiting,
        max_wait = excluded.max_wait, overflow = excluded.overflow";
pub(in crate::store) const DROP_QUEUE: &str = "DELETE FROM call_queues WHERE i_c_group = $1";

/// Members are marked, put in their places, and those still marked are dropped: who stays keeps
/// whether it takes part, unless the file says that it does not.
pub(in crate::store) const MARK_MEMBERS: &str =
    "UPDATE hunt_group_members SET position = -1 WHERE i_c_group = $1";
pub(in crate::store) const PUT_MEMBER: &str = "
    INSERT INTO hunt_group_members (i_c_group, i_account, position, is_active)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (i_c_group, i_account) DO UPDATE SET position = excluded.position,
        is_active = CASE WHEN excluded.is_active = 0 THEN 0
            ELSE hunt_group_members.is_active END";
pub(in crate::store) const DROP_MARKED_MEMBERS: &str =
    "DELETE FROM hunt_group_members WHERE i_c_group = $1 AND position = -1";

pub(in crate::store) const APPLICATION: &str = "
    SELECT v.i_ivr_application FROM ivr_applications v
    JOIN accounts a ON a.i_account = v.i_account
    WHERE a.i_customer = $1 AND v.name = $2";
pub(in crate::store) const PUT_APPLICATION: &str = "
    INSERT INTO ivr_applications (i_ivr_application, i_account, name, on_app_gone)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (i_ivr_application) DO UPDATE SET i_account = excluded.i_account,
        on_app_gone = excluded.on_app_gone";

pub(in crate::store) const NUMBER: &str =
    "SELECT i_customer, kind, target FROM numbers WHERE number = $1";
pub(in crate::store) const PUT_NUMBER: &str = "
    INSERT INTO numbers (number, i_customer, kind, target) VALUES ($1, $2, $3, $4)
    ON CONFLICT (number) DO UPDATE SET kind = excluded.kind, target = excluded.target";
pub(in crate::store) const NUMBERS_OF: &str =
    "SELECT number FROM numbers WHERE kind = $1 AND target = $2";

pub(in crate::store) const CREDENTIAL: &str = "
    SELECT password_hash, role, is_super_user, must_change_password FROM credentials
    WHERE realm = $1 AND subject = $2";
pub(in crate::store) const LOGIN: &str =
    "SELECT subject FROM credentials WHERE realm = $1 AND login = $2";
pub(in crate::store) const ADD_CREDENTIAL: &str = "
    INSERT INTO credentials (realm, subject, login, password_hash, api_token_sha256, role,
        is_super_user, must_change_password, is_demo)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
/// What the file does not say (`NULL`) stays as it is.
pub(in crate::store) const UPDATE_CREDENTIAL: &str = "
    UPDATE credentials SET login = $3, password_hash = COALESCE($4, password_hash),
        api_token_sha256 = COALESCE($5, api_token_sha256), role = $6, is_super_user = $7,
        must_change_password = $8, is_demo = CASE WHEN $4 IS NULL THEN is_demo ELSE $9 END
    WHERE realm = $1 AND subject = $2";

/// Who may log in at or below a party: `$1` is its realm, `$2` its key.
pub(in crate::store) const SUBJECTS_BELOW: &str = "
    SELECT c.realm, c.subject FROM credentials c
    LEFT JOIN accounts a ON c.realm = 'account' AND a.i_account = c.subject
    LEFT JOIN customers cu ON cu.i_customer = CASE c.realm
        WHEN 'customer' THEN c.subject WHEN 'account' THEN a.i_customer END
    WHERE (c.realm = $1 AND c.subject = $2)
        OR ($1 = 'customer' AND cu.i_customer = $2)
        OR ($1 = 'reseller' AND cu.i_reseller = $2)
    ORDER BY c.realm, c.subject";
