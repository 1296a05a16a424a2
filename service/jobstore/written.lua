-- ARGV: id, time of its entry when its record was read.
-- The record of a job that has ended is beside its objects, or that of a deleted one is not. Where the job was deleted
-- since, or somebody else was quicker, who may have been slower than that, it is looked at again.
local id, seen = ARGV[1], tonumber(ARGV[2])
local since = redis.call('ZSCORE', UNWRITTEN, id)
if since and tonumber(since) == seen then
  redis.call('ZREM', UNWRITTEN, id)
  if redis.call('EXISTS', JOB .. id) == 1 then redis.call('SADD', WRITTEN, id) end
elseif not since then
  redis.call('ZADD', UNWRITTEN, text(now_us()), id)
end
