-- ARGV: path of an object that is about to be written.
local time = redis.call('TIME')
redis.call('ZADD', 'deeplimit:datasets:unsettled', string.format('%.0f', tonumber(time[1]) * 1e6 + tonumber(time[2])), ARGV[1])
