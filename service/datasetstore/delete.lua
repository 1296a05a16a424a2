-- ARGV: id, number of this operation, milliseconds for which a repeated call finds what it deleted.
local id, operation, keep = unpack(ARGV)
local grave = 'deeplimit:dataset-deleted:' .. operation
local key = 'deeplimit:dataset:' .. id
if redis.call('EXISTS', grave) == 0 then
  if redis.call('EXISTS', key) == 0 then return { 'unknown' } end
  redis.call('ZREM', 'deeplimit:datasets', id)
  redis.call('RENAME', key, grave)
  redis.call('PEXPIRE', grave, keep)
end
return { 'ok', redis.call('HGET', grave, 'record'), redis.call('HGET', grave, 'created') }
