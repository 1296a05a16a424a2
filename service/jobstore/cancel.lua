-- ARGV: id.
local id = ARGV[1]
local status = redis.call('HGET', JOB .. id, 'status')
if not status then return { 'unknown' } end
if not_ours(id) then return { 'not_understood' } end
if status == 'queued' then
  move(id, 'cancelled', now_us())
elseif status == 'running' then
  move(id, 'cancelling', now_us())
elseif status ~= 'cancelling' and status ~= 'cancelled' then
  return answer('finished', id)
end
return answer('ok', id)
