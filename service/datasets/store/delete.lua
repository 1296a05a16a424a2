-- ARGV: id, number of this operation, milliseconds for which a repeated call finds what it deleted.
local id, operation, keep = unpack(ARGV)
local grave = DELETED_DATASET .. operation
local key = DATASET .. id
if redis.call('EXISTS', grave) == 0 then
  local record = redis.call('HGET', key, 'record')
  if not record then return { 'unknown' } end
  redis.call('ZREM', DATASETS, id)
  redis.call('RENAME', key, grave)
  redis.call('PEXPIRE', grave, keep)
  redis.call('ZADD', UNSETTLED, 0, cjson.decode(record).object.path)
end
return { 'ok', redis.call('HGET', grave, 'record'), redis.call('HGET', grave, 'created') }
