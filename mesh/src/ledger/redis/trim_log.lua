-- Trims a log to its retention, at most `limit` entries a call; answers how many were dropped.
-- KEYS: log, events. ARGV: retention in ms, max_bytes, overhead, limit.
local held = redis.call('HMGET', KEYS[1], 'epoch', 'trimmed', 'last', 'bytes')
if not held[1] then return 0 end
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[1])
local dropped, bytes, trimmed = trim_oldest(KEYS[2], tonumber(held[4]), held[2], held[3], oldest,
  tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
if dropped > 0 then
  redis.call('HSET', KEYS[1], 'trimmed', trimmed, 'bytes', string.format('%.0f', bytes))
end
return dropped
