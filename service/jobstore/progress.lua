-- ARGV: id, fence, progress as JSON, its fraction, least interval between two revisions in microseconds.
local id, fence, progress, fraction, interval = unpack(ARGV)
local held, status = holds(id, fence)
if not held then return 'lost' end
if status == 'cancelling' then return 'cancel_requested' end
local now = now_us()
local job = JOB .. id
local seen = redis.call('HMGET', job, 'progressed', 'progress', 'fraction')
if seen[1] and now - tonumber(seen[1]) < tonumber(interval) then return 'held' end
if seen[3] and tonumber(seen[3]) > tonumber(fraction) then fraction = seen[3] end
if seen[2] ~= progress or seen[3] ~= fraction then
  redis.call('HSET', job, 'progress', progress, 'fraction', fraction, 'progressed', text(now))
  revise(id, now)
end
return 'held'
