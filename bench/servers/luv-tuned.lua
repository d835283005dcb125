-- An echo server on luv, tuned by hand: what can be written at once needs no request.
-- Arguments: tcp SIZE [COLLECT_AT], as of xpio.lua.
local uv = require "luv"

local way, collect_at = arg[1], tonumber(arg[3])
local accepted = 0

if way ~= "tcp" then os.exit(3) end

local function echo(socket)
  local try_write, write = socket.try_write, socket.write
  socket:read_start(function(_, data)
    if not data then
      socket:close()
      return
    end
    local written = try_write(socket, data) or 0
    if written < #data then write(socket, data:sub(written + 1)) end
  end)
end

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(4096, function()
  local socket = uv.new_tcp()
  listener:accept(socket)
  echo(socket)
  accepted = accepted + 1
  if accepted == collect_at then collectgarbage() end
end))
print("127.0.0.1:" .. listener:getsockname().port)
io.stdout:flush()
uv.run()
