//! Numbers, accounts, customers, hunt groups.

pub(in crate::store) const NUMBER: &str = "
    SELECT n.kind, n.target, n.i_customer, cu.i_reseller
    FROM numbers n JOIN customers cu ON cu.i_customer = n.i_customer
    WHERE n.number = $1";

/// Accounts with their options and what lies above them.
macro_rules! account {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT a.i_account, a.id, a.name, a.i_customer, cu.i_reseller, cr.login,
                a.decision_timeout, a.decision_fallback,
                p.name AS product,
                COALESCE(a.conferencing, p.conferencing) AS has_conferencing,
                COALESCE(a.user_application, p.user_application) AS has_user_application,
                CASE WHEN a.is_blocked + cu.is_blocked + COALESCE(r.is_blocked, 0) > 0
                    THEN 1 ELSE 0 END AS is_blocked,
                CASE WHEN EXISTS (SELECT 1 FROM product_rating pr
                    WHERE pr.i_product = a.i_product AND pr.access_code = 'INCOMING')
                    THEN 1 ELSE 0 END AS may_connect_two",
            $columns,
            " FROM accounts a
            JOIN customers cu ON cu.i_customer = a.i_customer
            JOIN products p ON p.i_product = a.i_product
            LEFT JOIN resellers r ON r.i_reseller = cu.i_reseller
            LEFT JOIN credentials cr ON cr.realm = 'account' AND cr.subject = a.i_account ",
            $rest
        )
    };
}

pub(in crate::store) const ACCOUNT: &str = account!("", "WHERE a.i_account = $1");
pub(in crate::store) const ACCOUNT_BY_ID: &str = account!("", "WHERE a.id = $1");
pub(in crate::store) const ACCOUNTS: &str = account!(
    "",
    "WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR a.i_customer = $2)
        AND ($3 IS NULL OR a.id = $3)
    ORDER BY a.id LIMIT $4 OFFSET $5"
);
pub(in crate::store) const COUNT_ACCOUNTS: &str = "
    SELECT COUNT(*) FROM accounts a JOIN customers cu ON cu.i_customer = a.i_customer
    WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR a.i_customer = $2)
        AND ($3 IS NULL OR a.id = $3)";
pub(in crate::store) const MEMBERS: &str = account!(
    ", m.is_active",
    "JOIN hunt_group_members m ON m.i_account = a.i_account
    WHERE m.i_c_group = $1 ORDER BY m.position"
);
pub(in crate::store) const APPLICATION_OWNER: &str = account!(
    ", v.on_app_gone",
    "JOIN ivr_applications v ON v.i_account = a.i_account WHERE v.i_ivr_application = $1"
);

/// `$1` to `$4` narrow a list of applications, or of what leads to them.
macro_rules! of_applications {
    ($select:literal, $order:literal) => {
        concat!(
            $select,
            " WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR a.i_customer = $2)
                AND ($3 IS NULL OR a.i_account = $3)
                AND ($4 IS NULL OR v.i_ivr_application = $4) ",
            $order
        )
    };
}

pub(in crate::store) const APPLICATIONS: &str = account!(
    ", v.i_ivr_application, v.name AS application, v.on_app_gone",
    "JOIN ivr_applications v ON v.i_account = a.i_account
    WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR a.i_customer = $2)
        AND ($3 IS NULL OR a.i_account = $3) AND ($4 IS NULL OR v.i_ivr_application = $4)
    ORDER BY v.name, v.i_ivr_application LIMIT $5 OFFSET $6"
);
pub(in crate::store) const COUNT_APPLICATIONS: &str = of_applications!(
    "SELECT COUNT(*) FROM ivr_applications v
    JOIN accounts a ON a.i_account = v.i_account
    JOIN customers cu ON cu.i_customer = a.i_customer",
    ""
);
pub(in crate::store) const ACCESS_NUMBERS: &str = of_applications!(
    "SELECT n.number, v.i_ivr_application, v.name, a.i_account, a.id, a.i_customer
    FROM numbers n
    JOIN ivr_applications v ON n.kind = 'access_number' AND n.target = v.i_ivr_application
    JOIN accounts a ON a.i_account = v.i_account
    JOIN customers cu ON cu.i_customer = a.i_customer",
    "ORDER BY n.number LIMIT $5 OFFSET $6"
);
pub(in crate::store) const COUNT_ACCESS_NUMBERS: &str = of_applications!(
    "SELECT COUNT(*) FROM numbers n
    JOIN ivr_applications v ON n.kind = 'access_number' AND n.target = v.i_ivr_application
    JOIN accounts a ON a.i_account = v.i_account
    JOIN customers cu ON cu.i_customer = a.i_customer",
    ""
);
/// The environment of an application.
pub(in crate::store) const APPLICATION_CUSTOMER: &str = "
    SELECT a.i_customer FROM ivr_applications v JOIN accounts a ON a.i_account = v.i_account
    WHERE v.i_ivr_application = $1";

pub(in crate::store) const STANDING: &str = "
    SELECT CASE WHEN a.is_blocked + cu.is_blocked + COALESCE(r.is_blocked, 0) > 0
            THEN 1 ELSE 0 END AS is_blocked,
        CASE WHEN a.balance + a.held < a.credit_limit AND cu.balance + cu.held < cu.credit_limit
            THEN 1 ELSE 0 END AS has_credit
    FROM accounts a JOIN customers cu ON cu.i_customer = a.i_customer
    LEFT JOIN resellers r ON r.i_reseller = cu.i_reseller
    WHERE a.i_account = $1";

macro_rules! customer {
    ($condition:literal) => {
        concat!(
            "SELECT cu.i_customer, cu.name, cu.i_reseller, cu.currency, cr.login,
                CASE WHEN cu.is_blocked + COALESCE(r.is_blocked, 0) > 0
                    THEN 1 ELSE 0 END AS is_blocked
            FROM customers cu
            LEFT JOIN resellers r ON r.i_reseller = cu.i_reseller
            LEFT JOIN credentials cr ON cr.realm = 'customer' AND cr.subject = cu.i_customer ",
            $condition
        )
    };
}

pub(in crate::store) const CUSTOMER: &str = customer!("WHERE cu.i_customer = $1");
pub(in crate::store) const CUSTOMER_BY_NAME: &str = customer!("WHERE cu.name = $1");
pub(in crate::store) const CUSTOMER_BY_LOGIN: &str = customer!("WHERE cr.login = $1");

macro_rules! hunt_group {
    ($condition:literal) => {
        concat!(
            "SELECT g.i_c_group, g.id, g.name, g.i_customer, cu.i_reseller, g.decision_timeout,
                g.decision_fallback, q.i_c_queue, q.name AS queue_name, q.ring_all,
                q.agent_timeout, q.max_waiting, q.max_wait, q.overflow
            FROM hunt_groups g
            JOIN customers cu ON cu.i_customer = g.i_customer
            LEFT JOIN call_queues q ON q.i_c_group = g.i_c_group ",
            $condition
        )
    };
}

pub(in crate::store) const HUNT_GROUP: &str = hunt_group!("WHERE g.i_c_group = $1");
pub(in crate::store) const HUNT_GROUP_OF: &str = hunt_group!("WHERE q.i_c_queue = $1");
pub(in crate::store) const HUNT_GROUPS: &str = hunt_group!(
    "WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR g.i_customer = $2)
    ORDER BY g.id LIMIT $3 OFFSET $4"
);
pub(in crate::store) const QUEUES: &str = hunt_group!(
    "WHERE q.i_c_queue IS NOT NULL
        AND ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR g.i_customer = $2)
    ORDER BY q.name, q.i_c_queue LIMIT $3 OFFSET $4"
);
pub(in crate::store) const COUNT_QUEUES: &str = "
    SELECT COUNT(*) FROM call_queues q JOIN hunt_groups g ON g.i_c_group = q.i_c_group
    JOIN customers cu ON cu.i_customer = g.i_customer
    WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR g.i_customer = $2)";

/// The environment of an account.
pub(in crate::store) const ACCOUNT_OWNER: &str =
    "SELECT i_customer FROM accounts WHERE i_account = $1";
/// The environment of a hunt group.
pub(in crate::store) const GROUP_OWNER: &str =
    "SELECT i_customer FROM hunt_groups WHERE i_c_group = $1";
/// Who was no member yet comes last.
pub(in crate::store) const TAKE_PART: &str = "
    INSERT INTO hunt_group_members (i_c_group, i_account, position, is_active)
    SELECT $1, $2, COALESCE(MAX(position) + 1, 0), 1 FROM hunt_group_members WHERE i_c_group = $1
    ON CONFLICT (i_c_group, i_account) DO UPDATE SET is_active = 1";
pub(in crate::store) const REST: &str =
    "UPDATE hunt_group_members SET is_active = 0 WHERE i_c_group = $1 AND i_account = $2";
pub(in crate::store) const COUNT_HUNT_GROUPS: &str = "
    SELECT COUNT(*) FROM hunt_groups g JOIN customers cu ON cu.i_customer = g.i_customer
    WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR g.i_customer = $2)";
