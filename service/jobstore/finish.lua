-- ARGV: id, fence, state to end in, then fields and values of the record.
local id, fence, to = unpack(ARGV, 1, 3)
local held, status, current = holds(id, fence)
if not held then
  if current == fence and status == to then return answer('ok', id) end -- a repeated call
  return { 'stale' }
end
if not ends(to) or not LEGAL[status][to] then return answer('illegal', id) end
local job = JOB .. id
if ARGV[4] then redis.call('HSET', job, unpack(ARGV, 4)) end
if to == 'succeeded' and redis.call('HEXISTS', job, 'progress') == 1 then redis.call('HSET', job, 'fraction', '1') end
move(id, to, now_us())
return answer('ok', id)
