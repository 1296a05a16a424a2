-- ARGV: microseconds after which an upload counts as lost, most paths to return.
-- Returns paths, each followed by 0 where it can get no record any more, else by the time of its announcement.
bring_forward(UNSETTLED, 0, now_us())
local lost = text(now_us() - tonumber(ARGV[1]))
return redis.call('ZRANGEBYSCORE', UNSETTLED, '-inf', lost, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
