-- Answers {{epoch, trimmed to, last}, entries}: entries of a stream of the partition from a place on, with the log's bounds.
-- A script and no MULTI, which a store without memory refuses also for reads.
-- KEYS: log, stream. ARGV: where to begin, how many.
local bounds = redis.call('HMGET', KEYS[1], 'epoch', 'trimmed', 'last')
return {bounds, redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2])}
