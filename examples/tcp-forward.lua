--- Forwards every TCP connection that it accepts to another address:
---
---     lua tcp-forward.lua TARGET [ADDRESS]
---
--- Both directions are copied at the same time. When one side has sent all that
--- it has to send, the other side is told so and may go on sending: half-closed
--- connections stay half-closed. An error on one side ends both.

local xpio = require "xpio"
local dispatcher = require "xpio.dispatcher"

io.stderr:setvbuf "no" -- Windows would keep it until the end

local CHUNK = 65536 -- bytes in memory for each direction

--- Copy up to the end of the stream, and pass that on too.
---@return boolean # whether there was no error
local function copy(from, to)
  while true do
    local data, message = from:read(CHUNK)
    if message then return false end
    if not data then return to:shutdown "w" == true end
    -- A slow reader holds up the reading here: no more than a chunk piles up.
    if not to:write(data) then return false end
    -- If both peers are fast, neither call blocks: give way to the others.
    dispatcher.sleep(0)
  end
end

local function connect(address)
  local socket, message = xpio.socket "TCP"
  if not socket then return nil, message end
  local connected
  connected, message = socket:connect(address)
  if connected then return socket end
  socket:close()
  return nil, message
end

local function forward(client, target)
  local server, message = connect(target)
  if not server then
    io.stderr:write(target, ": ", message, "\n")
    client:close()
    return
  end
  -- What comes in small pieces goes on in small pieces.
  client:setsockopt("TCP_NODELAY", true)
  server:setsockopt("TCP_NODELAY", true)

  local directions = 2
  local function run_direction(from, to)
    local ok = copy(from, to)
    directions = directions - 1
    if ok and directions > 0 then return end
    -- Should the other direction still wait, this wakes it: its call fails.
    client:close()
    server:close()
  end
  dispatcher.start(run_direction, client, server)
  dispatcher.start(run_direction, server, client)
end

local function accept_all(listener, target)
  while true do
    local client, message = listener:accept()
    if client then
      dispatcher.start(forward, client, target)
      dispatcher.sleep(0)
    else
      -- Most likely there is no descriptor left. The listener stays readable, so
      -- trying again at once would spin until some connection ends.
      io.stderr:write("accept: ", message, "\n")
      dispatcher.sleep(0.2)
    end
  end
end

local target, address = arg[1], arg[2] or "127.0.0.1:0"
if not target or arg[3] then
  io.stderr:write("usage: ", arg[0], " TARGET [ADDRESS]\n")
  os.exit(2)
end

local listener = assert(xpio.socket "TCP")
assert(listener:setsockopt("SO_REUSEADDR", true))
assert(listener:bind(address))
assert(listener:listen())
print("listening on " .. listener:getsockname())
io.stdout:flush()

dispatcher.start(accept_all, listener, target)
-- Ctrl-C raises an error here.
local _, message = pcall(dispatcher.run)
io.stderr:write(tostring(message), "\n")
os.exit(1)
