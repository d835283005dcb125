-- Children: their status, their signals, and the descriptors that they are granted.
local input = require "input"
local sockets = require "sockets"
local stream = require "stream"
local world = require "world"
local xpio = require "xpio"

local processes = { count = 0 }

local check, say = world.check, world.say

-- Starting one is slow beside all the rest.
local MOST = 3

-- What a pipe holds in any case.
local ROOM = 4096

-- Whether it surely ends by itself: nobody writes to it any more, or it never waits for that.
local function will_end(handle)
  local channel = handle.channel
  if not channel or handle.signalled then return true end
  local _, most = stream.unread(channel)
  return stream.is_gone(channel.writer) and (most < ROOM or stream.is_gone(channel.reader))
end

local function close_process(handle)
  return function()
    say("getmetatable(%s).__close(%s)", handle.name, handle.name)
    getmetatable(handle.object).__close(handle.object)
    handle.open = false
  end
end

local function new_process(object)
  local handle = sockets.new("process", object, { will = will_end, granted = {} })
  handle.close = close_process(handle)
  processes.count = processes.count + 1
  return handle
end

-- What was granted is closed here, and open in the child for as long as it runs.
local function grant(process, handle)
  sockets.closed(handle, true)
  process.granted[#process.granted + 1] = handle
end

local function spawn(arguments, files)
  say("xpio.spawn({ %q }, nil, { [0] = %s, %s })", arguments[1],
    files[0] and files[0].name or "nil", files[1] and files[1].name or "nil")
  local objects = {}
  for number, handle in pairs(files) do objects[number] = handle.object end
  return xpio.spawn(arguments, nil, objects)
end

local function note_spawned(object, files)
  local process = new_process(object)
  say("--> %s", process.name)
  for _, handle in pairs(files) do
    if handle.open then grant(process, handle) end
    check(handle.object:fileno() == nil, "%s was granted and is open", handle.name)
  end
  return process
end

-- A stream. What is granted becomes blocking, also for a duplicate that shares the open file; so it
-- must not have any.
local function grantable()
  local handle = sockets.pick "stream"
  if not handle or not handle.open or input.rarely(3) then return end
  return handle.endpoint.open + handle.endpoint.maybe == 1 and handle or nil
end

function processes.spawn_true()
  if processes.count >= MOST then return end
  local files = { [0] = grantable(), [1] = grantable() }
  local object, message = spawn({ "/bin/true" }, files)
  check(object, "not spawned: %s", tostring(message))
  note_spawned(object, files)
end

-- A program that is not there: then nothing has changed.
function processes.fail()
  local files = { [0] = grantable(), [1] = grantable() }
  local object, _, code, step = spawn({ "/no/such/program" }, files)
  check(object == nil and code == "ENOENT" and step == "exec", "spawned: %s", tostring(code))
  for _, handle in pairs(files) do
    check(handle.object:fileno(), "%s is closed after a spawn that failed", handle.name)
  end
end

-- What is written to it comes back: for the model, one channel through both its pipes.
function processes.spawn_echo()
  if processes.count >= MOST then return end
  local reader, writer = world.call("xpio.pipe", xpio.pipe)
  local back, forth = world.call("xpio.pipe", xpio.pipe)
  local process = new_process(assert(xpio.spawn({ "/bin/cat" }, nil, { [0] = reader, [1] = forth })))
  local channel = stream.channel(false)
  process.channel = channel
  local near = sockets.new_stream(writer, stream.endpoint(nil, channel))
  local far = sockets.new_stream(back, stream.endpoint(channel, nil))
  sockets.are_peers(near, far)
  say("-- %s is a child that echoes what is written to %s, to %s", process.name, near.name, far.name)
end

-- Nobody has what was granted to it any more.
local function note_ended(handle)
  if handle.ended then return end
  handle.ended = true
  for _, granted in ipairs(handle.granted) do stream.settle(granted.endpoint) end
  if handle.channel then handle.channel.broken = true end
end

local function check_status(handle, how, number)
  local was = handle.status
  check(not was or was[1] == how and was[2] == number, "another status than before")
  handle.status = { how, number }
  if how == "exit" then
    check(number == 0 or handle.channel, "it ended with %d", number)
  else
    check(how == "signal" and (handle.signalled or number == 13 and handle.channel),
      "it ended by signal %s", tostring(number))
  end
end

local function note_wait(handle, first, second, third)
  if first then
    check_status(handle, first, second)
    note_ended(handle)
  elseif second ~= "retry" then
    world.check_error(world.codes "ECHILD", first, second, third)
    check(not handle.open, "the status is lost")
  else
    check(not handle.status and handle.open, "no status any more")
  end
end

function processes.wait()
  local handle = sockets.pick "process"
  if not handle then return end
  sockets.if_done(handle, function(_, ...) note_wait(handle, ...) end,
    sockets.perform(handle, { direction = "wait" }, "wait"))
end

function processes.kill()
  local handle = sockets.pick "process"
  if not handle then return end
  local signal = input.pick { "KILL", "TERM", 0 }
  local done, message, code = world.method(handle, "kill", signal)
  if not done then
    local channel = handle.channel
    check(not handle.open or handle.ended or will_end(handle) or channel.broken
      or not stream.is_open(channel.reader) or not stream.is_open(channel.writer),
      "it cannot be killed: %s", tostring(message))
    return world.check_error(world.codes "ESRCH", done, message, code)
  end
  check(not handle.status and handle.open, "killed after its end")
  if signal == 0 then return end
  handle.signalled = true
  if handle.channel then handle.channel.broken = true end
end

return processes
