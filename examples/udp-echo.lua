--- Sends every UDP datagram back to where it came from:
---
---     lua udp-echo.lua [ADDRESS]
---
--- On the main thread a blocking call just waits, so a program that does one
--- thing at a time needs no dispatcher.
local xpio = require "xpio"

local LARGEST = 65507 -- bytes in a UDP datagram over IPv4

local address = arg[1] or "127.0.0.1:0"
if arg[2] then
  io.stderr:write("usage: ", arg[0], " [ADDRESS]\n")
  os.exit(2)
end

local socket = assert(xpio.socket "UDP")
assert(socket:bind(address))
print("listening on " .. socket:getsockname())
io.stdout:flush()

local function echo_all()
  while true do
    -- An empty datagram is "", not the end of anything.
    local data, sender = assert(socket:recvfrom(LARGEST))
    local sent, message = socket:sendto(data, sender)
    -- One peer that cannot be reached is no reason to stop.
    if not sent then io.stderr:write(sender, ": ", message, "\n") end
  end
end

-- Ctrl-C raises an error here.
local _, message = pcall(echo_all)
io.stderr:write(tostring(message), "\n")
os.exit(1)
