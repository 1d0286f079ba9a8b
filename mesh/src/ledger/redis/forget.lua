-- Forgets a record written once if it still has this value.
-- KEYS: records, ages. ARGV: key, value.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.sub(held, string.find(held, ' ', 1, true) + 1) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
