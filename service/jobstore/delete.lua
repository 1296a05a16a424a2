-- ARGV: id, number of this operation, milliseconds for which a repeated call finds what it deleted.
local id, operation, keep = unpack(ARGV)
local grave = DELETED_JOB .. operation
if redis.call('EXISTS', grave) == 1 then return { 'ok', redis.call('HGETALL', grave) } end
local job = JOB .. id
local fields = redis.call('HMGET', job, 'status', 'kind', 'external_id', 'idempotency')
if not fields[1] then return { 'unknown' } end
if not_ours(id) then return { 'not_understood' } end
if not ends(fields[1]) then return answer('active', id) end
take(by_status(fields[1], fields[2], fields[3]), id)
take(for_good(fields[2], fields[3]), id)
redis.call('ZREM', UNSETTLED_JOBS, id)
if fields[4] and redis.call('HGET', IDEMPOTENCY .. fields[4], 'id') == id then -- else it means another job by now
  redis.call('DEL', IDEMPOTENCY .. fields[4])
end
redis.call('SREM', WRITTEN, id)
redis.call('ZADD', UNWRITTEN, text(now_us()), id)
redis.call('RENAME', job, grave)
redis.call('PEXPIRE', grave, keep)
return { 'ok', redis.call('HGETALL', grave) }
