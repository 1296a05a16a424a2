-- ARGV: id, record as JSON without its time, time of creation. Returns 1 where it was put back, 0 where there is one
-- or its object is about to go, as that of a deleted data set is.
local id, record, created = unpack(ARGV)
local key, path = DATASET .. id, cjson.decode(record).object.path
if redis.call('EXISTS', key) == 1 or tonumber(redis.call('ZSCORE', UNSETTLED, path) or 1) == 0 then return 0 end
redis.call('ZREM', UNSETTLED, path)
created = tonumber(created)
while redis.call('ZCOUNT', DATASETS, text(created), text(created)) > 0 do created = created + 1 end
redis.call('HSET', key, 'record', record, 'created', text(created))
redis.call('ZADD', DATASETS, text(created), id)
return 1
