-- ARGV: microseconds after which an upload counts as lost, most paths to return.
-- What is returned can no longer become a data set: a late `create` finds it marked.
bring_forward(UNSETTLED, 0, now_us())
local lost = text(now_us() - tonumber(ARGV[1]))
local paths = redis.call('ZRANGEBYSCORE', UNSETTLED, '-inf', lost, 'LIMIT', 0, ARGV[2])
for _, path in ipairs(paths) do redis.call('ZADD', UNSETTLED, 0, path) end
return paths
