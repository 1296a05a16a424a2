-- ARGV: most jobs to look at, then every status that there is.
-- Brings the sets for several filters up to date: those of stores that knew none, and what a worker of an earlier version
-- does to a job beside this one. Such a job is in the set of its new status and not in that with its kind as well, so the
-- numbers of jobs tell. And notes those that have ended and whose records nobody has written or is about to write.
-- Returns how many were looked at, and 1 where all is well.
local limit = table.remove(ARGV, 1)
local indexed = redis.call('GET', INDEXED)
local kinds = redis.call('SMEMBERS', KINDS)
if indexed == '-inf' then
  local unwritten = -redis.call('SCARD', WRITTEN) - redis.call('ZCARD', UNWRITTEN)
  for _, status in ipairs(ARGV) do
    local jobs = redis.call('ZCARD', JOBS_BY_STATUS .. status)
    for _, kind in ipairs(kinds) do jobs = jobs - redis.call('ZCARD', JOBS_BY_STATUS_AND_KIND .. status .. ':' .. kind) end
    if jobs ~= 0 then indexed = false end
    if ends(status) then unwritten = unwritten + redis.call('ZCARD', JOBS_BY_STATUS .. status) end
  end
  if unwritten > 0 then indexed = false end
  if indexed then return { 0, 1 } end
end
if not indexed then -- from the start: what is in a set and no job of its status is found here alone
  for _, status in ipairs(ARGV) do
    for _, kind in ipairs(kinds) do redis.call('UNLINK', JOBS_BY_STATUS_AND_KIND .. status .. ':' .. kind) end
  end
  indexed = '+inf'
end
local jobs = redis.call('ZREVRANGEBYSCORE', JOBS, '(' .. indexed, '-inf', 'WITHSCORES', 'LIMIT', 0, limit)
for place = 1, #jobs, 2 do
  local id, created = jobs[place], text(tonumber(jobs[place + 1]))
  local held = redis.pcall('HMGET', JOB .. id, 'status', 'kind', 'external_id')
  if not held.err and held[1] and held[2] then
    for _, status in ipairs(ARGV) do
      if status ~= held[1] then take(by_status(status, held[2], held[3]), id) end
    end
    put(by_status(held[1], held[2], held[3]), created, id)
    put(for_good(held[2], held[3]), created, id)
    redis.call('SADD', KINDS, held[2])
    if ends(held[1]) and redis.call('SISMEMBER', WRITTEN, id) == 0 then
      redis.call('ZADD', UNWRITTEN, 'NX', text(now_us()), id)
    end
  else -- an id without a record is in no list
    redis.call('ZREM', JOBS, id)
  end
  indexed = created
end
local done = #jobs < 2 * tonumber(limit)
if done then -- nor in the set of a status, where it would be counted for ever, and nothing of it is to be written
  for _, status in ipairs(ARGV) do
    local index = JOBS_BY_STATUS .. status
    for _, id in ipairs(redis.call('ZDIFF', 2, index, JOBS)) do
      take({ index, UNWRITTEN }, id)
      redis.call('SREM', WRITTEN, id)
    end
  end
end
redis.call('SET', INDEXED, done and '-inf' or indexed)
return { #jobs / 2, done and 1 or 0 }
