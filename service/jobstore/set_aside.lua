-- ARGV: number of the operation that claimed a job whose record cannot be read.
-- The job waits as before, and for nobody: its entry of the queue is set aside.
local id = redis.call('GET', CLAIM .. ARGV[1])
local job = id and redis.call('HMGET', JOB .. id, 'status', 'operation')
if job and job[1] == 'running' and job[2] == ARGV[1] then
  local now = now_us()
  move(id, 'queued', now)
  set_aside(id, QUEUED, now)
end
return id or ''
