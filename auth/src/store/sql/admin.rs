//! Single changes that operators make.

pub(in crate::store) const BLOCK_USER: &str =
    "UPDATE users SET is_blocked = $2 WHERE i_user = $1 AND is_blocked <> $2";
pub(in crate::store) const BLOCK_RESELLER: &str =
    "UPDATE resellers SET is_blocked = $2 WHERE i_reseller = $1 AND is_blocked <> $2";
pub(in crate::store) const BLOCK_CUSTOMER: &str =
    "UPDATE customers SET is_blocked = $2 WHERE i_customer = $1 AND is_blocked <> $2";
pub(in crate::store) const BLOCK_ACCOUNT: &str =
    "UPDATE accounts SET is_blocked = $2 WHERE i_account = $1 AND is_blocked <> $2";

pub(in crate::store) const SET_ROLE: &str = "
    UPDATE credentials SET role = $3
    WHERE realm = $1 AND subject = $2 AND COALESCE(role, '') <> COALESCE($3, '')";

pub(in crate::store) const PUT_ROLE: &str =
    "INSERT INTO roles (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
pub(in crate::store) const GRANT: &str = "
    INSERT INTO role_permissions (role, component, level) VALUES ($1, $2, $3)
    ON CONFLICT (role, component) DO UPDATE SET level = excluded.level
    WHERE role_permissions.level <> excluded.level";
pub(in crate::store) const LEAVE_TO_REALM: &str =
    "DELETE FROM role_permissions WHERE role = $1 AND component = $2";
