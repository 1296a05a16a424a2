-- ARGV: id, record as JSON without its time, most records there may be, path of its object, which was announced.
-- Times are whole microseconds, unique, and written without an exponent.
local ROOT, UNSETTLED = 'deeplimit:datasets', 'deeplimit:datasets:unsettled'
local id, record, most, path = unpack(ARGV)
local key = 'deeplimit:dataset:' .. id
if redis.call('EXISTS', key) == 1 then
  redis.call('ZADD', UNSETTLED, 'XX', 0, path) -- not there where this is a repeated call
  return { 'existing', redis.call('HGET', key, 'record'), redis.call('HGET', key, 'created') }
end
local since = redis.call('ZSCORE', UNSETTLED, path)
if not since or tonumber(since) == 0 then return { 'late' } end
if redis.call('ZCARD', ROOT) >= tonumber(most) then
  redis.call('ZADD', UNSETTLED, 'XX', 0, path)
  return { 'full' }
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1e6 + tonumber(time[2])
local newest = redis.call('ZREVRANGE', ROOT, 0, 0, 'WITHSCORES')[2]
local created = string.format('%.0f', math.max(now, newest and tonumber(newest) + 1 or 0))
redis.call('ZREM', UNSETTLED, path)
redis.call('HSET', key, 'record', record, 'created', created)
redis.call('ZADD', ROOT, created, id)
return { 'created', record, created }
