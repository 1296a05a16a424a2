-- ARGV: id of a job that is to be made, and for which objects are about to be written.
redis.call('ZADD', UNSETTLED_JOBS, text(now_us()), ARGV[1])
