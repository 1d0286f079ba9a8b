//! Who may log in.

/// A credential with where its user lies. The epoch is read in the same statement: a revocation
/// that comes later has a higher number and ends the token made from this row.
macro_rules! credential {
    ($condition:literal) => {
        concat!(
            "SELECT c.realm, c.subject, c.login, c.password_hash, c.api_token_sha256, c.role,
                c.is_super_user, c.must_change_password, c.is_demo,
                a.i_customer AS account_customer,
                CASE WHEN COALESCE(u.is_blocked, 0) + COALESCE(a.is_blocked, 0)
                    + COALESCE(cu.is_blocked, 0) + COALESCE(r.is_blocked, 0) > 0
                    THEN 1 ELSE 0 END AS is_blocked,
                COALESCE((SELECT next - 1 FROM ids WHERE kind = 'revocation'), 0) AS epoch
            FROM credentials c
            LEFT JOIN users u ON c.realm = 'admin' AND u.i_user = c.subject
            LEFT JOIN accounts a ON c.realm = 'account' AND a.i_account = c.subject
            LEFT JOIN customers cu ON cu.i_customer = CASE c.realm
                WHEN 'customer' THEN c.subject WHEN 'account' THEN a.i_customer END
            LEFT JOIN resellers r ON r.i_reseller = CASE c.realm
                WHEN 'reseller' THEN c.subject ELSE cu.i_reseller END ",
            $condition
        )
    };
}

pub(in crate::store) const BY_LOGIN: &str = credential!("WHERE c.login = $1 ORDER BY c.realm");
pub(in crate::store) const BY_LOGIN_AND_REALM: &str =
    credential!("WHERE c.login = $1 AND c.realm = $2");
pub(in crate::store) const BY_SUBJECT: &str = credential!("WHERE c.realm = $1 AND c.subject = $2");

pub(in crate::store) const PERMISSIONS: &str =
    "SELECT component, level FROM role_permissions WHERE role = $1";

pub(in crate::store) const IS_EMPTY: &str =
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM credentials) THEN 0 ELSE 1 END";

pub(in crate::store) const SET_PASSWORD: &str = "
    UPDATE credentials SET password_hash = $3, must_change_password = 0, is_demo = 0
    WHERE realm = $1 AND subject = $2";
