-- Sockets with addresses: connections over TCP, and datagrams.
local input = require "input"
local schedule = require "schedule"
local sockets = require "sockets"
local stream = require "stream"
local world = require "world"
local xpio = require "xpio"

local peers = {}

local check, say = world.check, world.say

-- Any of the loopback's: an address is not to be used again for as long as it may be kept.
local address = "127.0.0.1:0"

function peers.open(ip)
  address = ip .. ":0"
end

local function is_pending(link)
  return stream.is_open(link.client)
end

-- A listener's accept queue: connections by the address of the client.
local function will_accept(handle, direction)
  if direction ~= "read" then return false end
  for _, link in pairs(handle.pending) do
    if link.connected and is_pending(link) then return true end
  end
  return false
end

local function may_accept(handle, direction)
  return direction ~= "read" or handle.strangers or next(handle.pending) ~= nil
end

-- Whoever was not accepted yet finds the connection broken.
local function break_pending(handle, maybe)
  for _, link in pairs(handle.pending) do
    link.client.reset = true
    link.client.incoming.broken, link.client.outgoing.broken = true, true
    stream.release(link.server, maybe)
  end
  handle.pending = maybe and handle.pending or {}
end

local function bound_socket(type)
  local socket = assert(xpio.socket(type))
  local done, _, code = socket:bind(address)
  check(done or code == "EADDRINUSE" or code == "ENOBUFS", "bind: %s", code)
  return done and socket or nil
end

local function new_listener(backlog)
  local socket = bound_socket "TCP"
  if not socket then return end
  check(socket:listen(backlog), "listen failed")
  local handle = sockets.new("listener", socket, {
    pending = {},
    limited = backlog < 100,
    address = socket:getsockname(),
    will = will_accept,
    may = may_accept,
  })
  handle.on_release = function(maybe) break_pending(handle, maybe) end
  say("%s = xpio.socket('TCP') bind %s listen %d", handle.name, handle.address, backlog)
  return handle
end

function peers.listener()
  new_listener(input.pick { 100, 100, 0, 1 })
end

local function will_connect(handle, direction)
  local target = handle.target
  return direction == "write" and target ~= nil and (not target.open or not target.limited)
end

function peers.client()
  local handle = sockets.new("client", assert(xpio.socket "TCP"), { will = will_connect })
  say("%s = xpio.socket('TCP')", handle.name)
  return handle
end

-- The connection that is on its way: the listener may have it before the client knows.
local function link_to(handle, target)
  local one, other = stream.channel(false), stream.channel(false)
  local link = {
    client = stream.endpoint(one, other, true),
    server = stream.endpoint(other, one, true),
    handle = handle,
    connected = false,
    orphan = not target.open,
  }
  handle.endpoint, handle.link, handle.target = link.client, link, target
  local name = handle.object:getsockname()
  if target.open and name then target.pending[name] = link end
  handle.on_loosen = function()
    target.pending[name or 0] = nil
    target.strangers = true -- it may be there all the same
    stream.run_wild(one)
    stream.run_wild(other)
  end
end

-- An orphan has reached somebody else, who has got the number of a port that was closed.
local function connected(handle)
  local link = handle.link
  link.connected = true
  if link.orphan then sockets.loosen(handle) else sockets.become_stream(handle, link.client) end
end

local connect_errors = world.codes("ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EADDRNOTAVAIL",
  "ECONNABORTED", "EPIPE")

local function note_connect(handle, first, second, third)
  if not handle.open then return world.check_error(world.codes "EBADF", first, second, third) end
  if first then
    check(first == handle.object or not handle.object, "connect returned another socket")
    if handle.kind == "client" then connected(handle) end
  elseif second ~= "retry" then
    if handle.kind == "client" then
      world.check_error(connect_errors, first, second, third)
      local target = handle.target
      local listens = target.object and target.open and target.kind == "listener"
      check(not listens or target.limited, "refused: %s", third)
      sockets.loosen(handle)
    else
      world.check_error(world.codes("EISCONN"), first, second, third)
    end
  end
end

-- The first attempt is never the blocking one: after it the client has an address.
local function begin_to_connect(handle, target)
  local first, second, third = world.method(handle, "try_connect", target.address)
  link_to(handle, target)
  note_connect(handle, first, second, third)
end

function peers.connect()
  local handle = sockets.pick "client"
  if not handle or not handle.open then return end
  local target = handle.target or sockets.pick "listener"
  if not target then return end
  if not handle.link then return begin_to_connect(handle, target) end
  sockets.if_done(handle, function(_, ...) note_connect(handle, ...) end,
    sockets.perform(handle, { direction = "write" }, "connect", target.address))
end

-- What came out of the accept queue: the server's side of the link, if it can be told which.
local function note_accepted(listener, socket)
  local peer = socket:getpeername()
  local link = listener.object and peer and listener.pending[peer]
  if not link then
    say("-- it is %s, from who knows where", sockets.new("loose", socket).name)
    return
  end
  listener.pending[peer] = nil
  local handle = sockets.new_stream(socket, link.server)
  sockets.are_peers(handle, link.handle)
  say("-- it is %s", handle.name)
end

local accept_errors = world.codes("ECONNABORTED")

function peers.accept()
  local handle = sockets.pick "listener"
  if not handle then return end
  sockets.if_done(handle, function(_, first, ...)
    if first then
      check(handle.open, "accepted on a closed listener")
      note_accepted(handle, first)
    elseif ... ~= "retry" then
      world.check_error(handle.open and accept_errors or world.codes "EBADF", first, ...)
    end
  end, sockets.perform(handle, { direction = "read" }, "accept"))
end

-- A connection that is there, in one go.
function peers.connection()
  local target, client = new_listener(100), peers.client()
  if not target then return end
  begin_to_connect(client, target)
  if client.kind == "client" then
    note_connect(client, world.method(client, "connect", target.address))
  end
  note_accepted(target, (world.method(target, "accept")))
end

local function has_message(handle, direction)
  return direction == "read" and #handle.inbox > 0
end

local function may_have_message(handle, direction)
  return direction ~= "read" or #handle.inbox > 0
end

function peers.udp()
  local socket = bound_socket "UDP"
  if not socket then return end
  local handle = sockets.new("udp", socket, {
    inbox = {},
    address = socket:getsockname(),
    will = has_message,
    may = may_have_message,
  })
  say("%s = xpio.socket('UDP') bind %s", handle.name, handle.address)
end

local messages = 0

-- A datagram like no other, but for the empty one.
local function new_message()
  local length = input.pick { 0, 1, 10, 1000 }
  messages = messages % 255 + 1
  return string.char(messages):rep(length)
end

function peers.send()
  local handle, target = sockets.pick "udp", sockets.pick "udp"
  if not handle or not target or #target.inbox > 7 then return end
  local message = new_message()
  local item = { data = message, sender = handle.address }
  if target.open and handle.open then target.inbox[#target.inbox + 1] = item end
  sockets.if_done(handle, function(_, first, ...)
    if first then
      check(first == #message, "%s of %d bytes sent", tostring(first), #message)
    elseif ... ~= "retry" then
      world.check_error(world.codes "EBADF", first, ...)
      check(not handle.open, "not sent: %s", ...)
    else
      check(false, "a datagram that cannot be sent")
    end
  end, sockets.perform(handle, { direction = "write" }, "sendto", message, target.address))
end

local function take_message(handle, size, data, sender)
  for i, item in ipairs(handle.inbox) do
    if item.data:sub(1, size) == data and item.sender == sender then
      table.remove(handle.inbox, i)
      return
    end
  end
  check(false, "a datagram that nobody has sent")
end

function peers.receive()
  local handle = sockets.pick "udp"
  if not handle then return end
  local size = input.pick { 2000, 1, 5 }
  sockets.if_done(handle, function(_, first, ...)
    if first then
      take_message(handle, size, first, ...)
    elseif ... ~= "retry" then
      check(not handle.open, "not received: %s", ...)
      world.check_error(world.codes "EBADF", first, ...)
    end
  end, sockets.perform(handle, { direction = "read" }, "recvfrom", size))
end

local options = {
  { "TCP_NODELAY", true },
  { "SO_KEEPALIVE", true },
  { "SO_RCVBUF", 100000 },
  { "SO_SNDBUF", 1000 },
  { "SO_SNDBUF", 100000 },
  { "O_NONBLOCK", true },
  { "SO_NONSENSE", true },
}

-- Sets and gets options, and names; what it does not change it only looks at.
function peers.option()
  local handle = sockets.pick()
  if not handle or handle.kind == "process" then return end
  local option = input.pick(options)
  local done, message, code = world.method(handle, "setsockopt", option[1], option[2])
  check(done == true or type(code) == "string", "setsockopt: %s", tostring(message))
  check(not done or handle.open, "an option of a closed socket was set")
  if handle.endpoint and handle.endpoint.outgoing then handle.endpoint.outgoing.is_full = false end
  local value, _, problem = world.method(handle, "getsockopt", option[1])
  check(value ~= nil or type(problem) == "string", "getsockopt")
  check(option[1] ~= "O_NONBLOCK" or value == true or not handle.open or problem,
    "O_NONBLOCK was not set")
end

function peers.look()
  local handle = sockets.pick()
  if not handle then return end
  check(type(tostring(handle.object)) == "string", "tostring")
  if handle.kind == "process" then
    check(handle.object:pid() > 1, "pid")
    return
  end
  for _, name in ipairs { "getsockname", "getpeername", "fileno" } do
    local value, message, code = world.method(handle, name)
    check(value or type(code) == "string", "%s: %s", name, tostring(message))
    check(handle.open or code == "EBADF", "%s of a closed socket: %s", name, tostring(code))
  end
  schedule.refresh()
end

return peers
