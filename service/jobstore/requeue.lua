-- ARGV: id, fence, '1' where the attempt counts, most attempts, error of a job without attempts as JSON.
local id, fence, counts, max_attempts, lost_error = unpack(ARGV)
local held, status, current = holds(id, fence)
if held then
  give_up(id, counts == '1', tonumber(max_attempts), lost_error, now_us())
elseif current ~= fence then
  return { 'stale' }
end -- otherwise this fence has given the job up already: a repeated call
return answer('ok', id)
