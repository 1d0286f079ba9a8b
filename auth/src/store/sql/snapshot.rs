//! The whole directory, table by table, each in the order in which its rows came in.

pub(in crate::store) const ROLES: &str = "SELECT name FROM roles ORDER BY name";
pub(in crate::store) const PERMISSIONS: &str =
    "SELECT role, component, level FROM role_permissions";

pub(in crate::store) const TARIFFS: &str =
    "SELECT i_tariff, name, currency FROM tariffs ORDER BY i_tariff";
pub(in crate::store) const RATES: &str = "
    SELECT i_tariff, service, prefix, price_per_minute, free_seconds, minimum_seconds FROM rates
    ORDER BY i_tariff, service, prefix";

pub(in crate::store) const PRODUCTS: &str =
    "SELECT i_product, name, conferencing, user_application FROM products ORDER BY i_product";
pub(in crate::store) const RATING: &str = "
    SELECT pr.i_product, pr.access_code, t.name AS tariff
    FROM product_rating pr JOIN tariffs t ON t.i_tariff = pr.i_tariff
    ORDER BY pr.i_product, pr.access_code";

pub(in crate::store) const LOGINS: &str = "
    SELECT realm, subject, login, password_hash, api_token_sha256, role, is_super_user,
        must_change_password, is_demo
    FROM credentials";

pub(in crate::store) const USERS: &str = "SELECT i_user, is_blocked FROM users ORDER BY i_user";
pub(in crate::store) const RESELLERS: &str =
    "SELECT i_reseller, name, is_blocked FROM resellers ORDER BY i_reseller";
pub(in crate::store) const CUSTOMERS: &str = "
    SELECT cu.i_customer, cu.name, r.name AS reseller, cu.currency, cu.credit_limit, cu.balance,
        cu.is_blocked
    FROM customers cu LEFT JOIN resellers r ON r.i_reseller = cu.i_reseller
    ORDER BY cu.i_customer";
pub(in crate::store) const ACCOUNTS: &str = "
    SELECT a.i_account, a.i_customer, a.id, a.name, p.name AS product, a.conferencing,
        a.user_application, a.credit_limit, a.balance, a.is_blocked, a.decision_timeout,
        a.decision_fallback
    FROM accounts a JOIN products p ON p.i_product = a.i_product
    ORDER BY a.i_account";
pub(in crate::store) const HUNT_GROUPS: &str = "
    SELECT g.i_c_group, g.i_customer, g.id, g.name, g.decision_timeout, g.decision_fallback,
        q.i_c_queue, q.name AS queue, q.ring_all, q.agent_timeout, q.max_waiting, q.max_wait,
        q.overflow
    FROM hunt_groups g LEFT JOIN call_queues q ON q.i_c_group = g.i_c_group
    ORDER BY g.i_c_group";
pub(in crate::store) const MEMBERS: &str = "
    SELECT m.i_c_group, m.is_active, a.id
    FROM hunt_group_members m JOIN accounts a ON a.i_account = m.i_account
    ORDER BY m.i_c_group, m.position";
pub(in crate::store) const APPLICATIONS: &str = "
    SELECT v.i_ivr_application, v.name, v.on_app_gone, a.id AS account, a.i_customer
    FROM ivr_applications v JOIN accounts a ON a.i_account = v.i_account
    ORDER BY v.i_ivr_application";
pub(in crate::store) const NUMBERS: &str =
    "SELECT number, i_customer, kind, target FROM numbers ORDER BY number";
