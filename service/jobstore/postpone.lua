-- ARGV: id. Its record cannot be written or deleted now: others come first, unless somebody was quicker.
redis.call('ZADD', UNWRITTEN, 'XX', text(now_us()), ARGV[1])
