-- ARGV: most leases to look at.
local now = now_us()
local ends = { queued = 0, cancelled = 0 }
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now), 'LIMIT', 0, ARGV[1])) do
  local to = give_up(id, 'outage', 0, '', now)
  ends[to] = ends[to] + 1
end
return { ends.queued, ends.cancelled, redis.call('ZCARD', QUEUED) }
