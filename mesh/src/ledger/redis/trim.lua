-- Drops entries from the old end, at most `limit`: those before `oldest` (milliseconds), and while the
-- log holds more than `max_bytes`, though for that never the newest. Returns how many were dropped, the
-- bytes left and the place trimmed to.
local function trim_oldest(events, bytes, trimmed, last, oldest, max_bytes, overhead, limit)
  local dropped = 0
  for _, entry in ipairs(redis.call('XRANGE', events, '-', '+', 'COUNT', limit)) do
    local millis = tonumber(string.match(entry[1], '^%d+'))
    if millis >= oldest and (bytes <= max_bytes or entry[1] == last) then break end
    bytes = bytes - #entry[2][2] - overhead
    trimmed = entry[1]
    dropped = dropped + 1
  end
  if dropped > 0 then
    redis.call('XTRIM', events, 'MAXLEN', '=', redis.call('XLEN', events) - dropped)
  end
  return dropped, bytes, trimmed
end
