-- One page of an index with its records: {total, member, record, member, record, ...}. Members whose
-- record is gone leave the index and others take their place on the page; after 1,000 of them the page
-- may stay short, so that the work is bounded.
-- The records' keys are made here of members, as no caller can name them before; they bear the hash tag
-- of the index.
-- KEYS: index. ARGV: prefix of the records' keys, offset, limit.
local index, prefix = KEYS[1], ARGV[1]
local offset, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local answer, kept, gone = {0}, 0, 0
while kept < limit and gone < 1000 do
  local count = math.min(limit - kept, 500)
  local members = redis.call('ZRANGE', index, offset + kept, offset + kept + count - 1)
  if #members == 0 then break end
  local keys = {}
  for i, member in ipairs(members) do keys[i] = prefix .. member end
  local values = redis.call('MGET', unpack(keys))
  for i, member in ipairs(members) do
    if values[i] then
      answer[#answer + 1] = member
      answer[#answer + 1] = values[i]
      kept = kept + 1
    else
      redis.call('ZREM', index, member)
      gone = gone + 1
    end
  end
end
answer[1] = redis.call('ZCARD', index)
return answer
