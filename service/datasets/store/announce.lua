-- ARGV: path of an object that is about to be written.
redis.call('ZADD', UNSETTLED, text(now_us()), ARGV[1])
