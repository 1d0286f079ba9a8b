-- How long a pair and an address are locked (milliseconds), and how often a login failed lately.
-- KEYS: lock of the pair, lock of the address, failures of the login. ARGV: now, window.
local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local function rest(key)
  return math.max(0, tonumber(redis.call('GET', key) or '0') - now)
end
local failures = redis.call('ZCOUNT', KEYS[3], '(' .. (now - window), '+inf')
return {rest(KEYS[1]), rest(KEYS[2]), failures}
