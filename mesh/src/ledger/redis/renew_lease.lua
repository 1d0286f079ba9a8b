-- Takes (epoch 0) or renews a lease; answers its epoch, or nothing when it is lost: the node has a
-- higher epoch, or the lease of this epoch was removed.
-- KEYS: leases (node -> "epoch expiry-in-ms details"), epochs (node -> the highest it ever had).
-- ARGV: node, epoch, time to live in ms, details.
local node, epoch = ARGV[1], tonumber(ARGV[2])
local known = tonumber(redis.call('HGET', KEYS[2], node) or '')
if epoch == 0 then epoch = (known or 0) + 1
elseif known and known > epoch then return false
elseif known == epoch and redis.call('HEXISTS', KEYS[1], node) == 0 then return false end
local time = redis.call('TIME')
local expires = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3])
epoch = string.format('%.0f', epoch)
redis.call('HSET', KEYS[2], node, epoch)
redis.call('HSET', KEYS[1], node, epoch .. ' ' .. string.format('%.0f', expires) .. ' ' .. ARGV[4])
return epoch
