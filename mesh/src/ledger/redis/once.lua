-- Writes a customer's record once; answers nothing, or the value that is there.
-- KEYS: records (key -> "expiry-in-us value"), ages (key by time of writing).
-- ARGV: key, value, time to live in us, cap.
local function expiry_and_value(held)
  local space = string.find(held, ' ', 1, true)
  return tonumber(string.sub(held, 1, space - 1)), string.sub(held, space + 1)
end

local records, ages, key = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('HGET', records, key)
if held then
  local expires, value = expiry_and_value(held)
  if expires > now then return value end
end

local ttl, cap = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('HSET', records, key, string.format('%.0f ', now + ttl) .. ARGV[2])
redis.call('ZADD', ages, string.format('%.0f', now), key)

-- A bounded share of the expired and of those above the cap, the oldest first.
local count = redis.call('ZCARD', ages)
for _, oldest in ipairs(redis.call('ZRANGE', ages, 0, 127)) do
  local its = redis.call('HGET', records, oldest)
  if count <= cap and its and expiry_and_value(its) > now then break end
  redis.call('HDEL', records, oldest)
  redis.call('ZREM', ages, oldest)
  count = count - 1
end

-- The whole book goes when its last record has expired.
local lasts = math.ceil(ttl / 1000)
if redis.call('PTTL', records) < lasts then
  redis.call('PEXPIRE', records, string.format('%.0f', lasts))
  redis.call('PEXPIRE', ages, string.format('%.0f', lasts))
end
return false
