-- An echo server on cqueues. Arguments: tcp SIZE [COLLECT_AT], as of xpio.lua.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local way, size, collect_at = arg[1], tonumber(arg[2]), tonumber(arg[3])
local accepted = 0

if way ~= "tcp" then os.exit(3) end

local controller = cqueues.new()

local function echo(connection)
  connection:setmode("b", "bn") -- binary; nothing stays in a buffer of output
  connection:setbufsiz(size, size)
  connection:onerror(function(_, _, code) return code end)
  while true do
    local data = connection:read(-size) -- at most so many bytes
    if not data or not connection:write(data) then break end
  end
  connection:close()
end

local listener = assert(socket.listen { host = "127.0.0.1", port = 0, nodelay = true })
assert(listener:listen())
controller:wrap(function()
  for connection in listener:clients() do
    controller:wrap(echo, connection)
    accepted = accepted + 1
    if accepted == collect_at then collectgarbage() end
  end
end)
local _, address, port = listener:localname()
print(address .. ":" .. port)
io.stdout:flush()
assert(controller:loop())
