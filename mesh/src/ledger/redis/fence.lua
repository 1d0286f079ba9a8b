-- Raises a node's fence, never lowers it. KEYS: log. ARGV: node, node epoch.
local field = 'fence:' .. ARGV[1]
local fence = tonumber(redis.call('HGET', KEYS[1], field) or '')
if not fence or fence < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], field, ARGV[2]) end
return 1
