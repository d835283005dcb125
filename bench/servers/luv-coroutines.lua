-- An echo server on luv with a coroutine a connection. Arguments: tcp SIZE
-- [COLLECT_AT], as of xpio.lua.
local uv = require "luv"

local way, collect_at = arg[1], tonumber(arg[3])
local accepted = 0

if way ~= "tcp" then os.exit(3) end

-- What has come before the coroutine asks for it waits in an array.
local function new_reader(socket)
  local thread, pending, first, last = coroutine.running(), {}, 1, 0
  local waiting, ended = false, false
  socket:read_start(function(_, data)
    if waiting then
      waiting = false
      assert(coroutine.resume(thread, data))
    elseif data then
      last = last + 1
      pending[last] = data
    else
      ended = true
    end
  end)
  return function()
    if first <= last then
      local data = pending[first]
      pending[first] = nil
      first = first + 1
      return data
    end
    if ended then return nil end
    waiting = true
    return coroutine.yield()
  end
end

-- What can be written at once needs no request.
local function write(socket, data)
  local written = socket:try_write(data) or 0
  if written == #data then return end
  local thread, waiting, done = coroutine.running(), false, false
  local function on_written(message)
    done = true
    if waiting then assert(coroutine.resume(thread, message)) end
  end
  assert(socket:write(data:sub(written + 1), on_written))
  if done then return end
  waiting = true
  return coroutine.yield()
end

local function echo(socket)
  local read = new_reader(socket)
  for data in read do
    if write(socket, data) then break end
  end
  socket:close()
end

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(4096, function()
  local socket = uv.new_tcp()
  listener:accept(socket)
  coroutine.wrap(echo)(socket)
  accepted = accepted + 1
  if accepted == collect_at then collectgarbage() end
end))
print("127.0.0.1:" .. listener:getsockname().port)
io.stdout:flush()
uv.run()
