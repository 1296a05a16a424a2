-- ARGV: what the names of the workers begin with that have died. Returns how many jobs they held.
local holder, now, released = ARGV[1], now_us(), 0
for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
  local worker = fits(id, LEASES, now) and redis.call('HGET', JOB .. id, 'worker')
  if worker and string.sub(worker, 1, #holder) == holder then
    give_up(id, 'outage', 0, '', now)
    released = released + 1
  end
end
return released
