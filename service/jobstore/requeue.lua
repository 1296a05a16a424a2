-- ARGV: id, fence, loss, crashes of which a job fails, error of such a job as JSON.
local id, fence, loss, max_crashes, lost_error = unpack(ARGV)
local held, status, current = holds(id, fence)
if held then
  give_up(id, loss, tonumber(max_crashes), lost_error, now_us())
elseif current ~= fence then
  return { 'stale' }
end -- otherwise this fence has given the job up already: a repeated call
return answer('ok', id)
