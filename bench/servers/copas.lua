-- An echo server on copas and LuaSocket. Arguments: tcp SIZE [COLLECT_AT], as of
-- xpio.lua. LuaSocket selects: descriptors above 1,023 are beyond it.
package.path = package.path .. ";/usr/share/lua/5.2/?.lua" -- Debian's copas is there
local copas = require "copas"
local socket = require "socket"

local way, size, collect_at = arg[1], tonumber(arg[2]), tonumber(arg[3])
local accepted = 0

if way ~= "tcp" then os.exit(3) end

local listener = assert(socket.bind("127.0.0.1", 0, 4096))
copas.addserver(listener, function(connection)
  accepted = accepted + 1
  if accepted == collect_at then collectgarbage() end
  connection:setoption("tcp-nodelay", true) -- it sends 8 KiB at a time
  while true do
    local data, problem, part = copas.receivePartial(connection, size)
    data = data or part
    if problem and #data == 0 then break end
    if not copas.send(connection, data) then break end
  end
  connection:close()
end)
local address, port = listener:getsockname()
print(address .. ":" .. port)
io.stdout:flush()
copas.loop()
