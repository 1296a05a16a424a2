-- ARGV: id, fence, checkpoints as JSON. No revision: nobody is shown them.
local id, fence, checkpoints = unpack(ARGV)
local held, status = holds(id, fence)
if not held then return 'lost' end
redis.call('HSET', JOB .. id, 'checkpoints', checkpoints)
return status == 'cancelling' and 'cancel_requested' or 'held'
