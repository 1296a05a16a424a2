-- ARGV: microseconds after which a request that makes a job counts as lost, most ids to look at.
-- Returns ids, each with the fence of the attempt whose results stay, 0 for none; or with '' where there is no job of
-- this id and can be none any more: a late `create` finds it marked.
local now, found = now_us(), {}
local lost = now - tonumber(ARGV[1])
bring_forward(UNSETTLED_JOBS, 0, now)
local entries = redis.call('ZRANGE', UNSETTLED_JOBS, 0, ARGV[2] - 1, 'WITHSCORES')
for place = 1, #entries, 2 do
  local id, since = entries[place], tonumber(entries[place + 1])
  local status, fence = unpack(redis.call('HMGET', JOB .. id, 'status', 'fence'))
  if status and ends(status) and not not_ours(id) then
    found[#found + 1] = { id, status == 'succeeded' and fence or '0' }
  elseif not status and since <= lost then
    redis.call('ZADD', UNSETTLED_JOBS, 0, id)
    found[#found + 1] = { id, '' }
  elseif status then -- not yet: behind the others, which are not to wait for it
    redis.call('ZADD', UNSETTLED_JOBS, text(now), id)
  end
end
return found
