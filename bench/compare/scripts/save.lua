-- Writes a session and gives its lock back, if the caller still has it.
-- KEYS: the lock, the session, what belongs to the session.
-- ARGV: who asks; the session; how many seconds it lives.
-- Returns 1 if the session was written, 0 if somebody else has the lock.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('HSET', KEYS[3], 'SessionTimeout', ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[1])
return 1
