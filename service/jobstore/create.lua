-- ARGV: id, kind, external id or '', digest of the idempotency key or '', digest of the body, most jobs that may wait,
-- list of hints, a hint for it or '', whether its objects were announced or '', then fields and values of the record.
-- A new job is answered by its time of creation alone: the caller knows the rest.
local id, kind, external_id, digest, body, max_queued, hints, hint, announced = unpack(ARGV, 1, 9)
local job = JOB .. id
if redis.call('EXISTS', job) == 1 then return answer('created', id) end -- the reply to a first call was lost
if digest ~= '' then
  local seen = redis.call('HMGET', IDEMPOTENCY .. digest, 'id', 'body')
  if seen[1] then
    if seen[2] ~= body then return { 'reused' } end
    return answer('replayed', seen[1])
  end
end
if announced ~= '' and tonumber(redis.call('ZSCORE', UNSETTLED_JOBS, id) or 0) == 0 then return { 'late' } end
if redis.call('ZCARD', QUEUED) + redis.call('ZCARD', DEFERRED) >= tonumber(max_queued) then return { 'full' } end

local created = next_time(JOBS)
redis.call('ZREM', UNSETTLED_JOBS, id)
if redis.call('EXISTS', JOBS) == 0 then redis.call('SET', INDEXED, '-inf') end
redis.call('HSET', job, 'id', id, 'kind', kind, 'status', 'queued', 'revision', 0, 'attempt', 1, 'fence', 0,
  'schema_version', SCHEMA, 'created', created, unpack(ARGV, 10))
redis.call('SADD', KINDS, kind)
redis.call('ZADD', QUEUED, created, id)
if external_id ~= '' then redis.call('HSET', job, 'external_id', external_id) else external_id = nil end
put(for_good(kind, external_id), created, id)
put(by_status('queued', kind, external_id), created, id)
if digest ~= '' then
  redis.call('HSET', job, 'idempotency', digest, 'idempotency_body', body)
  redis.call('HSET', IDEMPOTENCY .. digest, 'id', id, 'body', body)
end
if hint ~= '' then redis.call('LPUSH', hints, hint) end
revise(id, tonumber(created))
return { 'new', created }
