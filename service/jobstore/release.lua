-- ARGV: what the names of the workers begin with that have died, outages of which a job fails, error of
-- such a job as JSON. Returns how many jobs they held.
local holder, now, released = ARGV[1], now_us(), 0
for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
  local worker = fits(id, LEASES, now) and redis.call('HGET', JOB .. id, 'worker')
  if worker and string.sub(worker, 1, #holder) == holder then
    give_up(id, 'outage', tonumber(ARGV[2]), ARGV[3], now)
    released = released + 1
  end
end
return released
