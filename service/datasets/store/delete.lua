-- ARGV: id, number of this operation, milliseconds for which a repeated call finds what it deleted.
local id, operation, keep = unpack(ARGV)
local grave = 'deeplimit:dataset-deleted:' .. operation
local key = 'deeplimit:dataset:' .. id
if redis.call('EXISTS', grave) == 0 then
  local record = redis.call('HGET', key, 'record')
  if not record then return { 'unknown' } end
  redis.call('ZREM', 'deeplimit:datasets', id)
  redis.call('RENAME', key, grave)
  redis.call('PEXPIRE', grave, keep)
  redis.call('ZADD', 'deeplimit:datasets:unsettled', 0, cjson.decode(record).object.path)
end
return { 'ok', redis.call('HGET', grave, 'record'), redis.call('HGET', grave, 'created') }
