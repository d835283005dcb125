-- An echo server on luv with callbacks: arguments as of xpio.lua.
local uv = require "luv"

local way, collect_at = arg[1], tonumber(arg[3])
local accepted = 0

local function echo(input, output)
  input:read_start(function(_, data)
    if data then
      output:write(data)
    else
      input:close()
      if way == "pipe" then output:close() end
    end
  end)
end

local function serve_tcp()
  local listener = uv.new_tcp()
  assert(listener:bind("127.0.0.1", 0))
  assert(listener:listen(4096, function()
    local socket = uv.new_tcp()
    listener:accept(socket)
    echo(socket, socket)
    accepted = accepted + 1
    if accepted == collect_at then collectgarbage() end
  end))
  return listener
end

local function serve_udp()
  local socket = uv.new_udp()
  assert(socket:bind("127.0.0.1", 0))
  socket:recv_start(function(_, data, sender)
    if data and sender then socket:try_send(data, sender.ip, sender.port) end
  end)
  return socket
end

if way == "pipe" then
  local input, output = uv.new_pipe(), uv.new_pipe()
  assert(input:open(0))
  assert(output:open(1))
  echo(input, output)
else
  local socket = way == "tcp" and serve_tcp() or serve_udp()
  print("127.0.0.1:" .. socket:getsockname().port)
  io.stdout:flush()
end
uv.run()
