-- How queues deal with calls, and what happens to calls about which no application decides.

ALTER TABLE call_queues ADD COLUMN ring_all BIGINT NOT NULL DEFAULT 0;
ALTER TABLE call_queues ADD COLUMN agent_timeout BIGINT NOT NULL DEFAULT 15;
-- 0 for any number, and for as long as it takes.
ALTER TABLE call_queues ADD COLUMN max_waiting BIGINT NOT NULL DEFAULT 0;
ALTER TABLE call_queues ADD COLUMN max_wait BIGINT NOT NULL DEFAULT 0;
ALTER TABLE call_queues ADD COLUMN overflow TEXT;

-- Seconds, and the number to which a call goes then; both or neither.
ALTER TABLE hunt_groups ADD COLUMN decision_timeout BIGINT;
ALTER TABLE hunt_groups ADD COLUMN decision_fallback TEXT;
ALTER TABLE accounts ADD COLUMN decision_timeout BIGINT;
ALTER TABLE accounts ADD COLUMN decision_fallback TEXT;
