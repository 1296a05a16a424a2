-- ARGV: id, kind, external id or '', digest of the idempotency key or '', digest of the body, most jobs that may wait,
-- then fields and values of the record.
local id, kind, external_id, digest, body, max_queued = unpack(ARGV, 1, 6)
local job = JOB .. id
if redis.call('EXISTS', job) == 1 then return answer('created', id) end -- the reply to a first call was lost
if digest ~= '' then
  local seen = redis.call('HMGET', IDEMPOTENCY .. digest, 'id', 'body')
  if seen[1] then
    if seen[2] ~= body then return { 'reused' } end
    return answer('replayed', seen[1])
  end
end
if redis.call('ZCARD', QUEUED) >= tonumber(max_queued) then return { 'full' } end

local created = next_time(JOBS)
redis.call('HSET', job, 'id', id, 'kind', kind, 'status', 'queued', 'revision', 0, 'attempt', 1, 'fence', 0,
  'created', created, unpack(ARGV, 7))
redis.call('ZADD', JOBS, created, id)
redis.call('ZADD', QUEUED, created, id)
redis.call('ZADD', JOBS_BY_STATUS .. 'queued', created, id)
redis.call('ZADD', JOBS_BY_KIND .. kind, created, id)
if external_id ~= '' then
  redis.call('HSET', job, 'external_id', external_id)
  redis.call('ZADD', JOBS_BY_EXTERNAL_ID .. external_id, created, id)
end
if digest ~= '' then
  redis.call('HSET', job, 'idempotency', digest)
  redis.call('HSET', IDEMPOTENCY .. digest, 'id', id, 'body', body)
end
revise(id, tonumber(created))
return answer('created', id)
