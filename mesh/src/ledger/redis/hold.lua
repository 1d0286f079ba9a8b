-- Takes, keeps or gives back what one holder has at a time. Answers the note, or nothing when
-- another holds it.
-- KEYS: the hold, a hash of holder, until (ms) and note. ARGV: holder, ttl in ms, note if any.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'holder', 'until', 'note')
local is_own = held[1] == ARGV[1]
if held[1] and not is_own and tonumber(held[2]) > now then return false end
local note = held[3] or ''
if is_own and ARGV[3] then note = ARGV[3] end
redis.call('HSET', KEYS[1], 'holder', ARGV[1],
  'until', string.format('%.0f', now + tonumber(ARGV[2])), 'note', note)
return note
