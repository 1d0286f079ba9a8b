-- Gives a record written once another value if it still has the expected one; it expires when it
-- would have. Answers whether it has the new value now.
-- KEYS: records. ARGV: key, expected, new.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
local space = string.find(held, ' ', 1, true)
local time = redis.call('TIME')
if tonumber(string.sub(held, 1, space - 1)) <= time[1] * 1000000 + time[2] then return 0 end
local value = string.sub(held, space + 1)
if value == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], string.sub(held, 1, space) .. ARGV[3])
  return 1
end
if value == ARGV[3] then return 1 end
return 0
