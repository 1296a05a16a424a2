-- ARGV: digest of the idempotency key, digest of the body.
local seen = redis.call('HMGET', IDEMPOTENCY .. ARGV[1], 'id', 'body')
if not seen[1] then return { 'new' } end
if seen[2] ~= ARGV[2] then return { 'reused' } end
return answer('replayed', seen[1])
