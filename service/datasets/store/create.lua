-- ARGV: id, record as JSON without its time, most records there may be, path of its object, which was announced.
local id, record, most, path = unpack(ARGV)
local key = DATASET .. id
if redis.call('EXISTS', key) == 1 then
  redis.call('ZADD', UNSETTLED, 'XX', 0, path) -- not there where this is a repeated call
  return { 'existing', redis.call('HGET', key, 'record'), redis.call('HGET', key, 'created') }
end
local since = redis.call('ZSCORE', UNSETTLED, path)
if not since or tonumber(since) == 0 then return { 'late' } end
if redis.call('ZCARD', DATASETS) >= tonumber(most) then
  redis.call('ZADD', UNSETTLED, 'XX', 0, path)
  return { 'full' }
end
local created = next_time(DATASETS)
redis.call('ZREM', UNSETTLED, path)
redis.call('HSET', key, 'record', record, 'created', created)
redis.call('ZADD', DATASETS, created, id)
return { 'created', record, created }
