-- ARGV: id, revision of the record that it replaces or '', then fields and values of a record that has ended.
local id, seen = ARGV[1], ARGV[2]
local job, record = JOB .. id, {}
for place = 3, #ARGV, 2 do record[ARGV[place]] = ARGV[place + 1] end
local old = redis.pcall('HMGET', job, 'status', 'kind', 'external_id', 'revision')
if old.err then
  old = {} -- something else is there
elseif (old[4] or '') ~= seen then
  return 'changed'
elseif redis.call('EXISTS', job) == 0 and redis.call('ZSCORE', UNWRITTEN, id) then
  return 'deleted' -- since its record was read
end
if old[1] and old[2] then
  take(by_status(old[1], old[2], old[3]), id)
  take(for_good(old[2], old[3]), id)
end
take(for_good(record.kind, record.external_id), id) -- where only the hash was lost, its own time is not another's
for index, place in pairs(PLACES) do take({ index, STRAYS .. place[1] }, id) end
redis.call('DEL', job)
if redis.call('EXISTS', JOBS) == 0 then redis.call('SET', INDEXED, '-inf') end
local created = tonumber(record.created)
while redis.call('ZCOUNT', JOBS, text(created), text(created)) > 0 do created = created + 1 end
redis.call('HSET', job, unpack(ARGV, 3))
redis.call('HSET', job, 'created', text(created))
redis.call('SADD', KINDS, record.kind)
put(for_good(record.kind, record.external_id), text(created), id)
put(by_status(record.status, record.kind, record.external_id), text(created), id)
if record.idempotency and record.idempotency_body then
  redis.call('HSETNX', IDEMPOTENCY .. record.idempotency, 'id', id)
  redis.call('HSETNX', IDEMPOTENCY .. record.idempotency, 'body', record.idempotency_body)
end
redis.call('ZREM', UNWRITTEN, id)
redis.call('ZADD', UNSETTLED_JOBS, text(now_us()), id) -- nobody may have looked yet for what its attempts have left
redis.call('SADD', WRITTEN, id)
redis.call('PUBLISH', REVISIONS, id .. ' ' .. record.revision .. ' ' .. record.status)
return 'restored'
