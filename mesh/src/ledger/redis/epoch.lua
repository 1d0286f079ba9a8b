-- Begins an epoch with an empty log, later than each epoch of `known` ("<born>-<nonce>" or "").
local function begin_epoch(log, events, nonce, known)
  local time = redis.call('TIME')
  local born = time[1] * 1000 + math.floor(time[2] / 1000)
  for _, epoch in ipairs(known) do
    local other = tonumber(string.match(epoch, '^%d+'))
    if other and other >= born then born = other + 1 end
  end
  local epoch = string.format('%.0f-%s', born, nonce)
  -- First, so that a store without memory refuses before anything is lost.
  redis.call('HSET', log, 'epoch', epoch, 'trimmed', '0-0', 'last', '0-0', 'bytes', 0)
  redis.call('UNLINK', events)
  return epoch
end
