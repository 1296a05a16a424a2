-- ARGV: id, record as JSON without its time, time of creation. Returns 1 where it was put back, 0 where there is one.
local id, record, created = unpack(ARGV)
local key = DATASET .. id
if redis.call('EXISTS', key) == 1 then return 0 end
created = tonumber(created)
while redis.call('ZCOUNT', DATASETS, text(created), text(created)) > 0 do created = created + 1 end
redis.call('HSET', key, 'record', record, 'created', text(created))
redis.call('ZADD', DATASETS, text(created), id)
return 1
