-- ARGV: most attempts, error of a job without attempts as JSON, most leases to look at.
local max_attempts, lost_error, limit = unpack(ARGV)
local now = now_us()
local ends = { queued = 0, failed = 0, cancelled = 0 }
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now), 'LIMIT', 0, limit)) do
  local to = give_up(id, true, tonumber(max_attempts), lost_error, now)
  ends[to] = ends[to] + 1
end
return { ends.queued, ends.failed, ends.cancelled, redis.call('ZCARD', QUEUED) }
