-- ARGV: worker, number of this operation, lease in microseconds.
local worker, operation, lease = unpack(ARGV)
local made = CLAIM .. operation
local id = redis.call('GET', made)
if id then -- the reply to a first call was lost
  local job = redis.call('HMGET', JOB .. id, 'status', 'operation')
  if job[1] == 'running' and job[2] == operation then return answer('claimed', id) end
  return { 'none' }
end
local now = now_us()
queue_due(now)
local place = 0 -- behind those that wait for a worker of a later version
repeat
  id = redis.call('ZRANGE', QUEUED, place, place)[1]
  if not id then return { 'none' } end
  local ours = fits(id, QUEUED, now)
  if ours and not_ours(id) then
    ours, place = false, place + 1
  end
until ours
local job = JOB .. id
local fence = tonumber(redis.call('HGET', job, 'fence') or 0)
if fence > 0 then redis.call('HSET', job, 'claimed_before', 1) end
-- The time, so that a server which was set back to an earlier state gives none for a second time.
redis.call('HINCRBY', job, 'fence', text(math.max(now - fence, 1)))
redis.call('HSET', job, 'worker', worker, 'operation', operation)
redis.call('HSETNX', job, 'started', text(now))
redis.call('ZADD', LEASES, text(now + tonumber(lease)), id)
move(id, 'running', now)
redis.call('SET', made, id, 'PX', text(math.ceil(tonumber(lease) / 1000)))
return answer('claimed', id)
