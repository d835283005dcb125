-- An echo server on xpio and its plain dispatcher. Arguments: tcp|udp|pipe SIZE [COLLECT_AT],
-- the last for a full collection when so many connections were accepted.
local xpio = require "xpio"
local dispatcher = require "xpio.dispatcher"

local way, size, collect_at = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function echo(input, output)
  while true do
    local data = input:read(size)
    if not data or not output:write(data) then break end
  end
  input:close()
end

local function echo_datagrams(socket)
  while true do
    local data, sender = socket:recvfrom(size)
    if data then socket:sendto(data, sender) end
  end
end

local function accept_all(listener)
  local accepted = 0
  while true do
    local socket = assert(listener:accept())
    dispatcher.start(echo, socket, socket)
    accepted = accepted + 1
    if accepted == collect_at then collectgarbage() end
    -- Under load the next one is there already: the others have their turn, too.
    if accepted % 16 == 0 then dispatcher.sleep(0) end
  end
end

if way == "pipe" then
  dispatcher.start(echo, assert(xpio.fdopen(0)), assert(xpio.fdopen(1)))
else
  local socket = assert(xpio.socket(way:upper()))
  assert(socket:bind "127.0.0.1:0")
  if way == "tcp" then assert(socket:listen()) end
  print(socket:getsockname())
  io.stdout:flush()
  dispatcher.start(way == "tcp" and accept_all or echo_datagrams, socket)
end
dispatcher.run()
