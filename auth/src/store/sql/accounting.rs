//! Charges and credit.

/// Locks the payer's customer, so that of several who charge or reserve one comes after the other.
pub(in crate::store) const LOCK_PAYER: &str = "
    UPDATE customers SET balance = balance
    WHERE i_customer = (SELECT i_customer FROM accounts WHERE i_account = $1)";

/// What is left of both limits, with all that is held taken off.
pub(in crate::store) const CREDIT: &str = "
    SELECT a.i_customer, cu.currency, a.credit_limit - a.balance - a.held AS own,
        cu.credit_limit - cu.balance - cu.held AS of_customer
    FROM accounts a JOIN customers cu ON cu.i_customer = a.i_customer
    WHERE a.i_account = $1";

/// The rate for a number of which `$4` to `$19` are the prefixes.
pub(in crate::store) const RATE: &str = "
    SELECT ra.price_per_minute, ra.free_seconds, ra.minimum_seconds, t.currency
    FROM accounts a
    JOIN product_rating pr ON pr.i_product = a.i_product AND pr.access_code = $2
    JOIN tariffs t ON t.i_tariff = pr.i_tariff
    JOIN rates ra ON ra.i_tariff = t.i_tariff AND ra.service = $3
        AND ra.prefix IN ($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
    WHERE a.i_account = $1
    ORDER BY LENGTH(ra.prefix) DESC LIMIT 1";

pub(in crate::store) const RESERVED: &str = "
    SELECT price_per_minute, free_seconds, minimum_seconds, currency, seconds, amount
    FROM reservations
    WHERE tag = $1 AND i_account = $2 AND service = $3";
pub(in crate::store) const PUT_RESERVATION: &str = "
    INSERT INTO reservations (tag, i_account, service, i_customer, price_per_minute, free_seconds,
        minimum_seconds, currency, seconds, amount, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (tag, i_account, service) DO UPDATE SET seconds = excluded.seconds,
        amount = excluded.amount, expires_at = excluded.expires_at";
pub(in crate::store) const RELEASE: &str =
    "DELETE FROM reservations WHERE tag = $1 AND i_account = $2 AND service = $3";
pub(in crate::store) const HOLD_OF_ACCOUNT: &str =
    "UPDATE accounts SET held = held + $2 WHERE i_account = $1";
pub(in crate::store) const HOLD_OF_CUSTOMER: &str =
    "UPDATE customers SET held = held + $2 WHERE i_customer = $1";

/// Customers for whose charges credit was held until before `$1`.
pub(in crate::store) const EXPIRED: &str =
    "SELECT DISTINCT i_customer FROM reservations WHERE expires_at < $1 ORDER BY i_customer";
/// As [`LOCK_PAYER`], of a customer.
pub(in crate::store) const LOCK_CUSTOMER: &str =
    "UPDATE customers SET balance = balance WHERE i_customer = $1";
pub(in crate::store) const RELEASE_EXPIRED: &str =
    "DELETE FROM reservations WHERE i_customer = $1 AND expires_at < $2";
/// The sums anew, of what is left.
pub(in crate::store) const HELD_OF_ACCOUNTS: &str = "
    UPDATE accounts SET held = COALESCE((
        SELECT SUM(r.amount) FROM reservations r WHERE r.i_account = accounts.i_account), 0)
    WHERE i_customer = $1";
pub(in crate::store) const HELD_OF_CUSTOMER: &str = "
    UPDATE customers SET held = COALESCE((
        SELECT SUM(r.amount) FROM reservations r WHERE r.i_customer = customers.i_customer), 0)
    WHERE i_customer = $1";

pub(in crate::store) const IS_ACCOUNTED: &str =
    "SELECT i_xdr FROM xdrs WHERE tag = $1 AND i_account = $2 AND service = $3";
pub(in crate::store) const PAYER: &str = "
    SELECT a.i_customer, cu.currency FROM accounts a
    JOIN customers cu ON cu.i_customer = a.i_customer WHERE a.i_account = $1";
pub(in crate::store) const ADD_XDR: &str = "
    INSERT INTO xdrs (i_xdr, call_id, tag, i_account, service, i_customer, tracking_id, direction,
        cli, cld, connect_time, disconnect_time, charged_quantity, charged_amount, currency,
        disconnect_cause, recording)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT (tag, i_account, service) DO NOTHING";
pub(in crate::store) const CHARGE_ACCOUNT: &str =
    "UPDATE accounts SET balance = balance + $2 WHERE i_account = $1";
pub(in crate::store) const CHARGE_CUSTOMER: &str =
    "UPDATE customers SET balance = balance + $2 WHERE i_customer = $1";

pub(in crate::store) const REACHED: &str =
    "SELECT epoch, millis, sequence FROM accounting_positions WHERE log_partition = $1";
pub(in crate::store) const PUT_REACHED: &str = "
    INSERT INTO accounting_positions (log_partition, epoch, millis, sequence)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (log_partition) DO UPDATE SET epoch = excluded.epoch, millis = excluded.millis,
        sequence = excluded.sequence";

macro_rules! xdrs {
    ($columns:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM xdrs x JOIN accounts a ON a.i_account = x.i_account
            JOIN customers cu ON cu.i_customer = x.i_customer
            WHERE ($1 IS NULL OR cu.i_reseller = $1) AND ($2 IS NULL OR x.i_customer = $2)
                AND ($3 IS NULL OR x.i_account = $3) AND ($4 IS NULL OR x.service = $4)
                AND ($5 IS NULL OR x.disconnect_time >= $5)
                AND ($6 IS NULL OR x.disconnect_time < $6) ",
            $end
        )
    };
}
pub(in crate::store) const XDRS: &str = xdrs!(
    "x.i_xdr, x.call_id, x.tag, x.tracking_id, a.id AS account_id, x.i_customer, x.service,
    x.direction, x.cli, x.cld, x.connect_time, x.disconnect_time, x.charged_quantity,
    x.charged_amount, x.currency, x.disconnect_cause, x.recording",
    "ORDER BY x.disconnect_time DESC, x.i_xdr DESC LIMIT $7 OFFSET $8"
);
pub(in crate::store) const COUNT_XDRS: &str = xdrs!("COUNT(*) AS total", "");
