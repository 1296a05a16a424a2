-- ARGV: id, fence, loss, number of these of which a job fails, error of such a job as JSON.
local id, fence, loss, most, lost_error = unpack(ARGV)
local held, status, current = holds(id, fence)
if held then
  give_up(id, loss, tonumber(most), lost_error, now_us())
elseif current ~= fence then
  return { 'stale' }
end -- otherwise this fence has given the job up already: a repeated call
return answer('ok', id)
