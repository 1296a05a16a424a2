-- ARGV: id, record as JSON without its time, most records there may be.
-- Times are whole microseconds, unique, and written without an exponent.
local ROOT = 'deeplimit:datasets'
local id, record, most = unpack(ARGV)
local key = 'deeplimit:dataset:' .. id
if redis.call('EXISTS', key) == 1 then
  return { 'existing', redis.call('HGET', key, 'record'), redis.call('HGET', key, 'created') }
end
if redis.call('ZCARD', ROOT) >= tonumber(most) then return { 'full' } end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1e6 + tonumber(time[2])
local newest = redis.call('ZREVRANGE', ROOT, 0, 0, 'WITHSCORES')[2]
local created = string.format('%.0f', math.max(now, newest and tonumber(newest) + 1 or 0))
redis.call('HSET', key, 'record', record, 'created', created)
redis.call('ZADD', ROOT, created, id)
return { 'created', record, created }
