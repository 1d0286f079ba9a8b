-- Sets a home if the present one is as expected, or there is none; answers the one that stands.
-- KEYS: homes. ARGV: customer, expected or "", new.
local present = redis.call('HGET', KEYS[1], ARGV[1])
if present and present ~= ARGV[2] then return present end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return ARGV[3]
