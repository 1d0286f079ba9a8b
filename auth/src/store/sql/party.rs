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

pub(in crate::store) const STANDING: &str = "
    SELECT CASE WHEN a.is_blocked + cu.is_blocked + COALESCE(r.is_blocked, 0) > 0
            THEN 1 ELSE 0 END AS is_blocked,
        CASE WHEN a.balance < a.credit_limit AND cu.balance < cu.credit_limit
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
            "SELECT g.i_c_group, g.id, g.name, g.i_customer, cu.i_reseller,
                q.i_c_queue, q.name AS queue_name
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
pub(in crate::store) const COUNT_HUNT_GROUPS: &str = "
    SELECT COUNT(*) FROM hunt_groups g JOIN customers cu ON cu.i_customer = g.i_customer
    WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR g.i_customer = $2)";
