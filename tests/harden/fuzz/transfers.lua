-- The calls that read and write.
local fiber = require "fiber"
local input = require "input"
local schedule = require "schedule"
local sockets = require "sockets"
local stream = require "stream"
local world = require "world"

local transfers = {}

local check = world.check

-- The most that one read returns.
local LONGEST_READ = 1 << 20

local closed_errors = world.codes "EBADF"

local sizes = { 1, 7, 100, 4096, 65536, 65536, 1000000, 0 }

local function check_read(handle, size, ...)
  if size == 0 then
    check(... == "" and select("#", ...) == 1, "read(0) is not empty")
  elseif not handle.open then
    world.check_error(closed_errors, ...)
  elseif handle.kind == "device" then
    check(... == ("\0"):rep(math.min(size, LONGEST_READ)), "/dev/zero has other bytes")
  elseif handle.kind == "stream" then
    stream.check_read(handle.endpoint, size, ...)
  end
end

local function read(handle)
  local size = input.pick(sizes)
  sockets.if_done(handle, function(_, ...) check_read(handle, size, ...) end,
    sockets.perform(handle, { direction = "read" }, "read", size))
end

function transfers.read()
  local handle = sockets.pick("stream", "device", "loose")
  if handle then read(handle) end
end

-- Where a coroutine cannot yield, a call that would have to wait raises an error.
function transfers.read_without_yield()
  local handle = sockets.pick "stream"
  if not handle or not fiber.running then return end
  local results
  local ok, message = pcall(string.gsub, "x", "x", function()
    results = table.pack(world.method(handle, "read", 100))
  end)
  if ok then
    sockets.if_done(handle, function(_, ...) check_read(handle, 100, ...) end, "block",
      table.unpack(results, 1, results.n))
  else
    check(message:find("cannot yield", 1, true), "the read raised: %s", message)
    check(not (handle.open and handle:must "read"), "the read would not have had to wait")
  end
end

local LONGEST_WRITE = 300000

local lengths = { 1, 2, 8, 100, 1001, 5000, 65536, 70000, LONGEST_WRITE, LONGEST_WRITE, 0 }

-- The data as it is; in pieces; or with something before the first byte to be written.
local function arguments(data)
  local form = input.choose(4)
  if form == 3 then
    local middle = input.choose(#data + 1) - 1
    return { data:sub(1, middle), "", data:sub(middle + 1) }
  elseif form == 4 then
    return "before" .. data, 7
  end
  return data
end

local function written(handle, length, sure, slot, first, second, third, fourth)
  local endpoint = handle.endpoint
  if first then
    check(first <= length and (first > 0 or length == 0), "%s of %d bytes written", first, length)
    if slot then stream.finish(slot, first) end
    if slot then stream.note_write(endpoint, first) end
  elseif second == "retry" then
    check(not sure or length == 0, "retry, but there is room")
    if slot then stream.finish(slot, 0) end
    if slot then stream.note_write(endpoint, nil) end
  else
    if slot then stream.finish(slot, fourth or 0) end
    if not handle.open then return world.check_error(closed_errors, first, second, third, fourth) end
    stream.check_write_error(endpoint, first, second, third, fourth)
  end
end

-- Whether a write of so much comes to its end with nobody reading meanwhile.
local function fits(handle, length)
  local channel = handle.endpoint.outgoing
  if not handle.open or not channel or channel.ended then return true end
  return handle:will "write" and (length <= 1001 or stream.is_gone(channel.reader))
end

local function write_stream(handle, length)
  local endpoint = handle.endpoint
  local channel, sure = endpoint.outgoing, not handle.open or handle:must "write"
  local returns = fits(handle, length)
  local slot, data = nil, ("x"):rep(length)
  if channel and handle.open then
    slot, data = stream.begin(channel, length)
    if not slot then return end
    stream.attempts_write(endpoint)
  end
  local function before()
    if channel then channel.is_full, channel.is_drained = false, false end
  end
  local call = { direction = "write", returns = returns, before = before }
  local done = sockets.if_done(handle, function(form, count, ...)
    check(count or ... == "retry" or select(2, ...), "a write returned nothing")
    check(not count or form == "try" or count == length, "%s of %d bytes written", count, length)
    written(handle, length, sure, slot, count, ...)
  end, sockets.perform(handle, call, "write", arguments(data)))
  if not done and channel then before() end
end

local function check_device_write(handle, first, ...)
  if handle.open then return check(first == 4, "/dev/zero does not take everything") end
  world.check_error(closed_errors, first, ...)
end

function transfers.write()
  local handle = sockets.pick("stream", "device", "loose")
  if not handle then return end
  if handle.kind == "stream" then return write_stream(handle, input.pick(lengths)) end
  sockets.if_done(handle, function(_, ...) check_device_write(handle, ...) end,
    sockets.perform(handle, { direction = "write" }, "write", arguments "data"))
end

local function never()
  return false
end

-- More is written than there is room for, and read at the other end as it comes.
function transfers.flow()
  local handle = sockets.pick "stream"
  local peer = handle and handle.peer
  if not peer or not peer.object or peer.kind ~= "stream" then return end
  local record = schedule.new_or_old()
  fiber.resume(fiber.new(record, function() write_stream(handle, LONGEST_WRITE) end))
  for _ = 1, input.choose(8) do
    if not peer.object then return end
    read(peer)
    if record.home.object then fiber.resume_all(schedule.wait(record.home, 0), never) end
  end
end

return transfers
