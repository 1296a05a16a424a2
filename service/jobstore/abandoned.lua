-- Jobs whose checkpoints nobody goes on from: they have ended, or have no record. Few are looked at, and others next time.
local found = {}
for _, id in ipairs(redis.call('SRANDMEMBER', CHECKPOINTED, AT_ONCE)) do
  local status = redis.call('HGET', JOB .. id, 'status')
  if not status or (LEGAL[status] and next(LEGAL[status]) == nil) then found[#found + 1] = id end
end
return found
