-- Answers {epoch, trimmed to, last}; begins the first epoch when there is none.
-- KEYS: log, events. ARGV: nonce.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'trimmed', 'last')
if not held[1] then return {begin_epoch(KEYS[1], KEYS[2], ARGV[1], {}), '0-0', '0-0'} end
return held
