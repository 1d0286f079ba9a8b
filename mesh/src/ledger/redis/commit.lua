-- One commit; the table in ledger/protocol.rs says what is decided and why.
--
-- KEYS: log, events, accounting, then the required records, the changed records, the changed indexes.
-- ARGV: node, node epoch, sequence, log epoch as the writer knows it or "", nonce, renew (0 or 1),
--   max_bytes, overhead, counts of: required, record changes, index changes, events, accounting records;
--   then for a record change (time to live in ms | "" for ever | "-" to delete) and value,
--   for an index change (score | "" to remove) and member, events, accounting records.
-- Answers {"ok", epoch, last}, {"fenced"}, {"epoch", epoch} or {"conflict"}.
local log, events, accounting = KEYS[1], KEYS[2], KEYS[3]
local node, sent, nonce = ARGV[1], ARGV[4], ARGV[5]
local node_epoch, sequence = tonumber(ARGV[2]), tonumber(ARGV[3])

local held = redis.call('HMGET', log, 'epoch', 'trimmed', 'last', 'bytes', 'fence:' .. node, 'mark:' .. node)
local epoch, trimmed, last, bytes = held[1], held[2], held[3], tonumber(held[4])
local fence, mark = tonumber(held[5] or ''), held[6]

local mark_node_epoch, mark_sequence, mark_epoch, mark_last
if mark then
  mark_node_epoch, mark_sequence, mark_epoch, mark_last = string.match(mark, '^(%d+) (%d+) (%S+) (%S+)$')
  mark_node_epoch, mark_sequence = tonumber(mark_node_epoch), tonumber(mark_sequence)
end

-- Line 1.
if (fence and fence >= node_epoch) or (mark and mark_node_epoch > node_epoch) then return {'fenced'} end

if not epoch then
  epoch = begin_epoch(log, events, nonce, {sent})
  trimmed, last, bytes = '0-0', '0-0', 0
end

local own = mark and mark_node_epoch == node_epoch
local here = own and mark_epoch == epoch

-- Line 2.
if here and mark_sequence == sequence then return {'ok', mark_epoch, mark_last} end

-- Lines 3 to 10.
local verdict
if sent == '' then
  verdict = (sequence == 1 and not own) and 'apply' or 'behind'
elseif sent ~= epoch then
  local sent_born, sent_nonce = string.match(sent, '^(%d+)-(%d+)$')
  local born, its_nonce = string.match(epoch, '^(%d+)-(%d+)$')
  local ahead = tonumber(sent_born) - tonumber(born)
  if ahead == 0 then ahead = tonumber(sent_nonce) - tonumber(its_nonce) end
  verdict = ahead > 0 and 'lost' or 'behind'
else
  local following = here and mark_sequence + 1 or 1
  if sequence == following then verdict = 'apply'
  elseif sequence > following or sequence == 1 then verdict = 'lost'
  else verdict = 'behind' end
end
if verdict == 'behind' then return {'epoch', epoch} end
if verdict == 'lost' then return {'epoch', begin_epoch(log, events, nonce, {epoch, sent})} end

local max_bytes, overhead = tonumber(ARGV[7]), tonumber(ARGV[8])
local required, records, indexes = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local event_count, accounting_count = tonumber(ARGV[12]), tonumber(ARGV[13])

local key, arg = 3, 13
for i = 1, required do
  if redis.call('EXISTS', KEYS[key + i]) == 0 then return {'conflict'} end
end
key = key + required

if ARGV[6] == '1' then
  epoch = begin_epoch(log, events, nonce, {epoch, sent})
  trimmed, last, bytes = '0-0', '0-0', 0
end

for i = 1, records do
  local ttl, value = ARGV[arg + 1], ARGV[arg + 2]
  arg = arg + 2
  if ttl == '' then redis.call('SET', KEYS[key + i], value)
  elseif ttl == '-' then redis.call('DEL', KEYS[key + i])
  else redis.call('SET', KEYS[key + i], value, 'PX', ttl) end
end
key = key + records

for i = 1, indexes do
  local score, member = ARGV[arg + 1], ARGV[arg + 2]
  arg = arg + 2
  if score == '' then redis.call('ZREM', KEYS[key + i], member)
  else redis.call('ZADD', KEYS[key + i], score, member) end
end

for i = 1, event_count do
  local event = ARGV[arg + i]
  last = redis.call('XADD', events, '*', 'd', event)
  bytes = bytes + #event + overhead
end
arg = arg + event_count

for i = 1, accounting_count do redis.call('XADD', accounting, '*', 'd', ARGV[arg + i]) end

-- About as many of the oldest as are too much by the average, and no more than a bounded number.
if bytes > max_bytes then
  local too_many = math.ceil((bytes - max_bytes) / bytes * redis.call('XLEN', events)) + 1
  local _
  _, bytes, trimmed = trim_oldest(events, bytes, trimmed, last, 0, max_bytes, overhead,
    math.min(too_many, event_count + 64))
end

redis.call('HSET', log, 'last', last, 'trimmed', trimmed, 'bytes', string.format('%.0f', bytes),
  'mark:' .. node, ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. epoch .. ' ' .. last)
return {'ok', epoch, last}
