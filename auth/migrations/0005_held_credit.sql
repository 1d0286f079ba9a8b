-- What is held of each limit: the sum of its reservations, so that asking for it does not add up every charge that runs.
ALTER TABLE accounts ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
ALTER TABLE customers ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET held = COALESCE((
    SELECT SUM(amount) FROM reservations WHERE reservations.i_account = accounts.i_account), 0);
UPDATE customers SET held = COALESCE((
    SELECT SUM(amount) FROM reservations WHERE reservations.i_customer = customers.i_customer), 0);
