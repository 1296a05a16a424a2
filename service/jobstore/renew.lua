-- ARGV: id, fence, lease in microseconds.
local id, fence, lease = unpack(ARGV)
local held, status = holds(id, fence)
if not held then return 'lost' end
redis.call('ZADD', LEASES, text(now_us() + tonumber(lease)), id)
return status == 'cancelling' and 'cancel_requested' or 'held'
