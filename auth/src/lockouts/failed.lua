-- Counts a failure of a pair, an address and a login, and locks where there were too many.
-- KEYS: failures and lock of the pair, failures and lock of the address, failures of the login.
-- ARGV: now, window, how long a lock lasts (milliseconds), failures that lock a pair, an address;
-- a name for this failure.
local now, window, lock = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function count(key, lock_key, limit)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  redis.call('ZADD', key, now, ARGV[6])
  redis.call('PEXPIRE', key, window)
  local failures = redis.call('ZCARD', key)
  if limit and failures >= limit then
    redis.call('SET', lock_key, string.format('%.0f', now + lock), 'PX', lock)
    redis.call('DEL', key)
  elseif failures > 256 then
    -- Enough to tell how slow to be; more would only cost memory.
    redis.call('ZREMRANGEBYRANK', key, 0, failures - 257)
  end
end
count(KEYS[1], KEYS[2], tonumber(ARGV[4]))
count(KEYS[3], KEYS[4], tonumber(ARGV[5]))
count(KEYS[5], nil, nil)
return 1
