-- Counts the listeners that have not expired, and says in how many ms the last of them will.
-- KEYS: listeners by expiry in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = redis.call('ZCOUNT', KEYS[1], string.format('(%.0f', now), '+inf')
if count == 0 then return {0, 0} end
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {count, tonumber(last[2]) - now}
