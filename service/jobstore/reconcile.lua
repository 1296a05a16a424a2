-- ARGV: lease in microseconds, outages of which a job fails, error of such a job as JSON.
local now, lease = now_us(), tonumber(ARGV[1])
local ends = { queued = 0, cancelled = 0, failed = 0 }
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', text(now), 'LIMIT', 0, AT_ONCE)) do
  if fits(id, LEASES, now) then
    local to = give_up(id, 'outage', tonumber(ARGV[2]), ARGV[3], now)
    ends[to] = ends[to] + 1
  end
end
bring_forward(LEASES, lease, now)
bring_forward(DEFERRED, LONGEST_DEFER_US, now)
queue_due(now)
return { ends.queued, ends.cancelled, ends.failed, redis.call('ZCARD', QUEUED) }
