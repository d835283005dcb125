-- Handles, and the calls that make them, close them and wait for them.
local fiber = require "fiber"
local input = require "input"
local schedule = require "schedule"
local stream = require "stream"
local world = require "world"
local xpio = require "xpio"

local sockets = {}

local check, say = world.check, world.say

local MOST_HANDLES = 10

local function no()
  return false
end

local function yes()
  return true
end

-- A handle for an object. `must`, `will` and `may` tell of an open one, given the direction,
-- whether its event is sure to be there, will come, or could be there.
function sockets.new(kind, object, fields)
  local handle = fields or {}
  handle.name, handle.kind, handle.object, handle.open = world.name "s", kind, object, true
  handle.must, handle.will = handle.must or no, handle.will or no
  handle.may = handle.may or yes
  world.handles[#world.handles + 1] = handle
  return handle
end

local stream_readiness = {}
for _, question in ipairs { "must", "will", "may" } do
  local read, write = stream[question .. "_read"], stream[question .. "_write"]
  stream_readiness[question] = function(handle, direction)
    return (direction == "read" and read or write)(handle.endpoint)
  end
end

function sockets.become_stream(handle, endpoint)
  handle.kind, handle.endpoint = "stream", endpoint
  for question, answer in pairs(stream_readiness) do handle[question] = answer end
  return handle
end

-- A stream's end, be it that of a pair, a pipe or a connection.
function sockets.new_stream(object, endpoint)
  return sockets.become_stream(sockets.new("stream", object), endpoint)
end

-- Turns a handle into one of which not much is known.
function sockets.loosen(handle)
  if handle.on_release then handle.on_release(true) end
  if handle.on_loosen then handle.on_loosen() end
  handle.kind, handle.must, handle.will, handle.may = "loose", no, no, yes
end

-- A handle that the program still has, seldom a closed one, often that of the last time or its
-- peer; of one of these kinds, if given.
function sockets.pick(...)
  local kinds = select("#", ...) > 0 and world.codes(...)
  local whim = input.choose(8)
  local function fits(handle)
    return handle.object and (handle.open or whim == 8) and (not kinds or kinds[handle.kind])
  end
  local favorite = world.favorite
  if favorite and whim <= 2 then favorite = favorite.peer end
  if whim > 5 or not favorite or not fits(favorite) then
    favorite = input.pick(world.filter(world.handles, fits))
  end
  world.favorite = favorite
  return favorite
end

-- Few that have much to do with each other show more than many.
function sockets.has_room()
  return #world.filter(world.handles, function(handle) return handle.object and handle.open end)
    < MOST_HANDLES
end

-- What is written to one is read from the other.
function sockets.are_peers(one, other)
  one.peer, other.peer = other, one
end

function sockets.pair()
  local one, other = stream.channel(true), stream.channel(true)
  local a, b = world.call("xpio.socketpair", xpio.socketpair)
  check(a and b, "no pair: %s", tostring(b))
  local first = sockets.new_stream(a, stream.endpoint(one, other))
  local second = sockets.new_stream(b, stream.endpoint(other, one))
  sockets.are_peers(first, second)
  say("-- they are %s, %s", first.name, second.name)
end

function sockets.pipe()
  local channel = stream.channel(true)
  local reader, writer = world.call("xpio.pipe", xpio.pipe)
  check(reader and writer, "no pipe: %s", tostring(writer))
  local first = sockets.new_stream(reader, stream.endpoint(channel, nil))
  local second = sockets.new_stream(writer, stream.endpoint(nil, channel))
  sockets.are_peers(first, second)
  say("-- they are %s, %s", first.name, second.name)
  return first, second
end

function sockets.pty()
  local master, slave = world.call("xpio.openpty", xpio.openpty)
  check(master and slave, "no terminal: %s", tostring(slave))
  say("-- they are %s, %s", sockets.new("loose", master).name, sockets.new("loose", slave).name)
end

-- What is ready at any time, without being watched.
function sockets.device()
  local file <close> = assert(io.open("/dev/zero", "r+"))
  local handle = sockets.new("device", assert(xpio.fdopen(file)), { must = yes, will = yes })
  say("%s = xpio.fdopen(io.open('/dev/zero', 'r+'))", handle.name)
end

-- One more object for the same end.
function sockets.duplicate()
  local handle = sockets.pick "stream"
  if not handle or not handle.open then return end
  local copy = assert(xpio.fdopen(handle.object:fileno()))
  handle.endpoint.open = handle.endpoint.open + 1
  local new = sockets.new_stream(copy, handle.endpoint)
  say("%s = xpio.fdopen(%s:fileno())", new.name, handle.name)
end

local function released(handle, maybe)
  if handle.endpoint then stream.release(handle.endpoint, maybe) end
  if handle.on_release then handle.on_release(maybe) end
end

-- Its descriptor is closed now, by whatever call.
function sockets.closed(handle, maybe)
  handle.open = false
  released(handle, maybe)
end

local closers = {
  function(handle)
    local first, second = world.method(handle, "close")
    if handle.open then
      check(first == true and second == nil, "close: %s", tostring(second))
    else
      check(first == nil and second == "already closed", "second close: %s", tostring(second))
    end
  end,
  function(handle)
    say("do local s <close> = %s end", handle.name)
    local _ <close> = handle.object
  end,
  function(handle)
    say("getmetatable(%s).__gc(%s)", handle.name, handle.name)
    getmetatable(handle.object).__gc(handle.object)
  end,
}

function sockets.close()
  local handle = sockets.pick()
  if not handle then return end
  if handle.kind == "process" then return handle.close() end
  closers[input.rarely(3) and input.choose(3) or 1](handle)
  if handle.open then sockets.closed(handle) end
end

-- The program lets go of the object: it is closed when it is collected.
function sockets.drop()
  local handle = sockets.pick()
  if not handle then return end
  say("%s = nil", handle.name)
  world.favorite = nil
  handle.object = nil
  if handle.open then released(handle, true) end
end

local function is_held(handle)
  for _, record in ipairs(world.records) do
    if record.queue and record.handle == handle then return true end
  end
  for _, of in ipairs(world.fibers) do
    if of.thread and of.call and of.call.handle == handle then return true end
  end
  return false
end

-- All garbage has been collected: what nobody has is closed.
function sockets.collected()
  for _, handle in ipairs(world.handles) do
    if not handle.object and handle.open and not is_held(handle) then
      handle.open = false
      if handle.endpoint then stream.settle(handle.endpoint) end
    end
  end
end

-- Makes a call that may have to wait: returns nil if it was cut short; or its form, "block" or
-- "try", and its results. `call` has the direction, and whether the call `returns` if it blocks the
-- thread: elsewhere than in a fiber it may not unless.
function sockets.perform(handle, call, name, ...)
  local returns = call.returns
  if returns == nil then returns = not handle.open or handle:will(call.direction) end
  if input.rarely(4) or not fiber.running and not returns then
    return "try", world.method(handle, "try_" .. name, ...)
  elseif fiber.running then
    return fiber.block(call, handle, name, ...)
  end
  return "block", world.method(handle, name, ...)
end

local function check_loose(first, second, third)
  check(first ~= nil or second == nil or second == "retry" or type(third) == "string",
    "neither a result nor an error: %s, %s", tostring(second), tostring(third))
end

-- Calls f with the form and the results of a call that was not cut short.
function sockets.if_done(handle, f, form, ...)
  if not form then return end
  check(form == "try" or select(2, ...) ~= "retry", "a blocking call returned retry")
  if handle.kind == "loose" then check_loose(...) else f(form, ...) end
  return form
end

local mistakes = {
  { "read", -1 },
  { "read", "x" },
  { "try_read", 0 / 0 },
  { "try_write" },
  { "try_write", { "good", {} } },
  { "write", "data", 6 },
  { "when_read", 1 },
  { "when_write", {} },
  { "when_write", { _queue = 1 } },
  { "setsockopt", "SO_SNDBUF", -1 },
  { "try_connect" },
  { "shutdown" },
}

-- Wrong arguments raise an error, and do nothing.
function sockets.misuse()
  local handle = sockets.pick()
  if not handle or handle.kind == "process" then return end
  local mistake = input.pick(mistakes)
  local ok, message = pcall(world.method, handle, table.unpack(mistake))
  check(not ok and message:find "bad argument #%d", "%s took a wrong argument: %s", mistake[1],
    tostring(message))
end

local shutdown_errors = world.codes("ENOTSOCK", "ENOTCONN", "EINVAL", "EBADF")

function sockets.shutdown()
  local handle = sockets.pick()
  if not handle or handle.kind == "process" then return end
  local what = input.pick { "w", "w", "r", "rw", "", "x" }
  local done, message, code = world.method(handle, "shutdown", what)
  if code ~= "EINVAL" and handle.kind ~= "stream" then sockets.loosen(handle) end
  if not done then return world.check_error(shutdown_errors, done, message, code) end
  check(handle.open and what:find "^[rw]+$", "shutdown succeeded")
  if handle.kind == "stream" then stream.shut(handle.endpoint, what) end
end

local method_of = { read = "when_read", write = "when_write", wait = "when_wait" }

-- Schedules a task to wait for an event of the handle.
local function schedule_for(handle, direction, record)
  local ok, result, message, code = pcall(world.method, handle, method_of[direction], record.task)
  if record.queue and (record.queue.object or not ok) then
    check(not ok and result:find("already scheduled", 1, true), "scheduled twice")
  elseif record.home.closed then
    check(ok and code == "EBADF", "scheduled on a queue that takes no tasks")
  else
    check(ok and result == true, "not scheduled: %s", tostring(ok and message or result))
    schedule.start(record, handle, direction)
  end
end

local function pick_direction(handle)
  return handle.kind == "process" and "wait" or input.pick { "read", "write" }
end

function sockets.when()
  local handle, record = sockets.pick(), schedule.pick()
  if handle and record then schedule_for(handle, pick_direction(handle), record) end
end

-- Several tasks wait for the same object.
function sockets.crowd()
  local handle = sockets.pick()
  if not handle then return end
  for _ = 1, input.choose(5) do
    schedule_for(handle, pick_direction(handle), schedule.new_or_old())
  end
end

return sockets
