-- Shared by every script, those of the data sets too: time, the indices, and the one way in which a job changes its state.
-- The names in capitals are keys, spelt in keys.py; they, LEGAL, the contract's table of moves, and SCHEMA, its version of
-- the record, are put before this text when the scripts are loaded. Times are whole microseconds; they fit a double exactly, and '%.0f' writes them
-- without an exponent.

local MICROSECONDS = 1e6
local DEFER_US, LONGEST_DEFER_US = 1e6, 60e6
local AT_ONCE = 200 -- jobs that one call looks at

local function text(number) return string.format('%.0f', number) end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * MICROSECONDS + tonumber(time[2])
end

-- Time of creation of one more record: later than that of any other in this index.
local function next_time(index)
  local newest = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]
  return text(math.max(now_us(), newest and tonumber(newest) + 1 or 0))
end

-- Is it a state that never changes?
local function ends(status) return LEGAL[status] and next(LEGAL[status]) == nil end

-- The sets that hold a job for each choice of filters with its status among them, and for each without.
local function by_status(status, kind, external_id)
  local found = { JOBS_BY_STATUS .. status, JOBS_BY_STATUS_AND_KIND .. status .. ':' .. kind }
  if external_id then
    found[3] = JOBS_BY_STATUS_AND_EXTERNAL_ID .. status .. ':' .. external_id
    found[4] = JOBS_BY_ALL_THREE .. status .. ':' .. kind .. ':' .. external_id
  end
  return found
end

local function for_good(kind, external_id)
  local found = { JOBS, JOBS_BY_KIND .. kind }
  if external_id then
    found[3] = JOBS_BY_EXTERNAL_ID .. external_id
    found[4] = JOBS_BY_KIND_AND_EXTERNAL_ID .. kind .. ':' .. external_id
  end
  return found
end

local function put(indices, created, id)
  for _, index in ipairs(indices) do redis.call('ZADD', index, created, id) end
end

local function take(indices, id)
  for _, index in ipairs(indices) do redis.call('ZREM', index, id) end
end

local function answer(code, id) return { code, redis.call('HGETALL', JOB .. id) } end

-- One more revision: counted, dated, announced.
local function revise(id, now)
  local job = JOB .. id
  redis.call('HSET', job, 'updated', text(now))
  local revision = redis.call('HINCRBY', job, 'revision', 1)
  redis.call('PUBLISH', REVISIONS, id .. ' ' .. text(revision) .. ' ' .. redis.call('HGET', job, 'status'))
end

-- Move a job to another state. False, and nothing done, when the contract knows no such move.
local function move(id, to, now)
  local job = JOB .. id
  local from, created, kind, external_id = unpack(redis.call('HMGET', job, 'status', 'created', 'kind', 'external_id'))
  if not (LEGAL[from] and LEGAL[from][to]) then return false end
  redis.call('HSET', job, 'status', to)
  take(by_status(from, kind, external_id), id)
  put(by_status(to, kind, external_id), created, id)
  if to == 'queued' then
    redis.call('ZADD', QUEUED, created, id)
  else
    take({ QUEUED, DEFERRED }, id)
  end
  if to ~= 'running' and to ~= 'cancelling' then
    redis.call('ZREM', LEASES, id)
    redis.call('HDEL', job, 'worker')
  end
  if ends(to) then
    redis.call('HSET', job, 'finished', text(now))
    redis.call('ZADD', UNWRITTEN, text(now), id)
    local fence, before = unpack(redis.call('HMGET', job, 'fence', 'claimed_before'))
    local left = before or (to ~= 'succeeded' and tonumber(fence) > 0) -- by all attempts but the one that succeeded
    if redis.call('HDEL', job, 'checkpoints') == 1 or left then redis.call('ZADD', UNSETTLED_JOBS, text(now), id) end
  end
  revise(id, now)
  return true
end

-- Does this fence hold the job? A fence is the number of a claim, higher than any before.
local function holds(id, fence)
  local job = redis.call('HMGET', JOB .. id, 'fence', 'status')
  return job[1] == fence and (job[2] == 'running' or job[2] == 'cancelling'), job[2], job[1]
end

-- The indices that are worked through, with the name for people and the states of a job that has an entry there.
local PLACES = {
  [QUEUED] = { 'queue', { queued = true } },
  [DEFERRED] = { 'deferred', { queued = true } },
  [LEASES] = { 'leases', { running = true, cancelling = true } },
}

-- Fields that are counted with: one that holds no number would stop the script halfway.
local COUNTS = {
  'created', 'schema_version', 'revision', 'fence', 'attempt', 'crashes', 'outages', 'overruns', 'stalled', 'deferrals',
}

local function set_aside(id, index, now)
  redis.call('ZREM', index, id)
  redis.call('ZADD', STRAYS .. PLACES[index][1], text(now), id)
end

-- Does the record of an entry of an index fit it? One without such a record is set aside: it would stop all others.
local function fits(id, index, now)
  local job = redis.pcall('HMGET', JOB .. id, 'status', 'kind', unpack(COUNTS))
  local fitting = not job.err and job[2] and job[3] and PLACES[index][2][job[1]]
  for place = 3, fitting and #job or 0 do
    fitting = fitting and (not job[place] or string.match(job[place], '^%d+$'))
  end
  if not fitting then set_aside(id, index, now) end
  return fitting
end

-- Is the record one that this version must not change: of a later version, or in a state that this one does not know?
local function not_ours(id)
  local job = redis.call('HMGET', JOB .. id, 'schema_version', 'status')
  return (job[1] and (tonumber(job[1]) or math.huge) > SCHEMA) or not LEGAL[job[2]]
end

-- Put the jobs into the queue whose time has come.
local function queue_due(now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEFERRED, '-inf', text(now), 'LIMIT', 0, AT_ONCE)) do
    if fits(id, DEFERRED, now) then
      redis.call('ZREM', DEFERRED, id)
      redis.call('ZADD', QUEUED, redis.call('HGET', JOB .. id, 'created'), id)
    end
  end
end

-- Bring times forward that are further off than they can be: the server's clock was set back.
local function bring_forward(index, longest, now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. text(now + longest), '+inf', 'LIMIT', 0, AT_ONCE)) do
    redis.call('ZADD', index, text(now + longest), id)
  end
end

-- Count one more outage, and return how many there were in a row in which no attempt came further, in what it kept.
local function outages_in_a_row(job)
  redis.call('HINCRBY', job, 'outages', 1)
  local fraction, kept, before = unpack(redis.call('HMGET', job, 'fraction', 'checkpoints', 'fraction_kept'))
  if kept and (tonumber(fraction) or 0) > (tonumber(before) or 0) then
    redis.call('HSET', job, 'fraction_kept', fraction, 'stalled', 0)
  end
  return redis.call('HINCRBY', job, 'stalled', 1)
end

-- End an attempt without a result: the job waits again, or it ends where it was to be cancelled, or was lost or
-- far over its time too often.
-- `loss` is one of the contract's, `most` the number of its kind of which a job fails, with the error; what could not be
-- stored, or read by this worker's version, stays away for twice as long each time. Returns the state it is in then.
local function give_up(id, loss, most, lost_error, now)
  local job = JOB .. id
  local to = 'queued'
  if redis.call('HGET', job, 'status') == 'cancelling' then
    to = 'cancelled'
  elseif loss == 'crash' or loss == 'outage' or loss == 'overrun' then
    local times
    if loss == 'outage' then
      times = outages_in_a_row(job)
    else
      times = redis.call('HINCRBY', job, loss == 'crash' and 'crashes' or 'overruns', 1)
    end
    if times >= most then
      to = 'failed'
      redis.call('HSET', job, 'error', lost_error)
    else
      redis.call('HINCRBY', job, 'attempt', 1)
    end
  end
  -- What an attempt has left is gone on from, so that its progress counts.
  if to == 'queued' and redis.call('HEXISTS', job, 'checkpoints') == 0 then
    redis.call('HDEL', job, 'progress', 'fraction')
  end
  if move(id, to, now) and to == 'queued' and (loss == 'unstored' or loss == 'not_understood') then
    local pause = DEFER_US * 2 ^ math.min(redis.call('HINCRBY', job, 'deferrals', 1) - 1, 30)
    redis.call('ZREM', QUEUED, id)
    redis.call('ZADD', DEFERRED, text(now + math.min(pause, LONGEST_DEFER_US)), id)
  end
  return to
end
