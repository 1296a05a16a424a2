-- ARGV: id, kind, external id or '', digest of the idempotency key or '', digest of the body, most jobs that may wait,
-- then fields and values of the record.
local id, kind, external_id, digest, body, max_queued = unpack(ARGV, 1, 6)
local job = job_key(id)
if redis.call('EXISTS', job) == 1 then return answer('created', id) end -- the reply to a first call was lost
if digest ~= '' then
  local seen = redis.call('HMGET', idempotency_key(digest), 'id', 'body')
  if seen[1] then
    if seen[2] ~= body then return { 'reused' } end
    return answer('replayed', seen[1])
  end
end
if redis.call('ZCARD', QUEUE) >= tonumber(max_queued) then return { 'full' } end

local now = now_us()
local newest = redis.call('ZREVRANGE', JOBS, 0, 0, 'WITHSCORES')[2]
local created = text(math.max(now, newest and tonumber(newest) + 1 or 0))
redis.call('HSET', job, 'id', id, 'kind', kind, 'status', 'queued', 'revision', 0, 'attempt', 1, 'fence', 0,
  'created', created, unpack(ARGV, 7))
redis.call('ZADD', JOBS, created, id)
redis.call('ZADD', QUEUE, created, id)
redis.call('ZADD', status_index('queued'), created, id)
redis.call('ZADD', kind_index(kind), created, id)
if external_id ~= '' then
  redis.call('HSET', job, 'external_id', external_id)
  redis.call('ZADD', external_index(external_id), created, id)
end
if digest ~= '' then
  redis.call('HSET', job, 'idempotency', digest)
  redis.call('HSET', idempotency_key(digest), 'id', id, 'body', body)
end
revise(id, math.max(now, tonumber(created)))
return answer('created', id)
