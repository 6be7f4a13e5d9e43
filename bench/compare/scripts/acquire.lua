-- Takes the lock of a session and reads it.
-- KEYS: the lock, the session, what belongs to the session.
-- ARGV: who asks; how many seconds the lock lives.
-- Returns who has the lock and, to him, the session and the seconds it lives.
local holder = ARGV[1]
if not redis.call('SET', KEYS[1], holder, 'NX', 'EX', ARGV[2]) then
  return {redis.call('GET', KEYS[1]), '', ''}
end
local session = redis.call('GET', KEYS[2])
local life = redis.call('HGET', KEYS[3], 'SessionTimeout')
if life then
  redis.call('EXPIRE', KEYS[2], life)
  redis.call('EXPIRE', KEYS[3], life)
end
return {holder, session or '', life or ''}
