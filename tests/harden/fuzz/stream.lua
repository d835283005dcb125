-- What is on its way in one direction of a stream, and what its two ends may see of it.
--
-- Every byte says who wrote it: each write that goes on while others do (it is blocked) has a slot,
-- and the bytes of a slot count up. So what is read tells what is lost, doubled or out of order.
local world = require "world"

local stream = {}

-- Lengths of writes are no multiples of the period, so that a lost piece shows.
local PERIOD, SLOTS = 15, 16

local function text(slot, position, length)
  local period = {}
  for i = 0, PERIOD - 1 do
    period[i + 1] = string.char((slot - 1) * SLOTS + (position + i) % PERIOD)
  end
  return table.concat(period):rep(length // PERIOD + 1):sub(1, length)
end

-- is_prompt: what is written can be read at once, as within the kernel.
function stream.channel(is_prompt)
  return {
    slots = {},
    is_prompt = is_prompt,
    ended = false, -- its writer has shut it down
    broken = false, -- it may end at any time, what was in it may be lost
    is_full = false, -- there is no room, as far as is known
    is_drained = false, -- there is nothing in it
  }
end

local function new_slot(channel)
  channel.slots[#channel.slots + 1] = { least = 0, most = 0, read = 0, busy = false }
  return #channel.slots
end

-- Begins to write so many bytes: returns the slot and the data; nil if all slots are in use.
function stream.begin(channel, length)
  local index = 1
  while channel.slots[index] and channel.slots[index].busy do index = index + 1 end
  if index > SLOTS then return end
  if not channel.slots[index] then new_slot(channel) end
  local slot = channel.slots[index]
  local data = text(index, slot.most, length)
  slot.busy = true
  slot.most = slot.most + length
  channel.is_drained = false
  return slot, data
end

-- Ends a write that has written so many bytes. nil: nobody knows, and the slot is not used again.
function stream.finish(slot, count)
  if not count then return end
  slot.least = slot.least + count
  slot.most = slot.least
  slot.busy = false
  world.check(slot.read <= slot.most, "more was read than written")
end

-- Bytes that are surely there, and that may be there.
function stream.unread(channel)
  local least, most = 0, 0
  for _, slot in ipairs(channel.slots) do
    least = least + math.max(slot.least - slot.read, 0)
    most = most + slot.most - slot.read
  end
  return least, most
end

-- How many bytes of the data, from the position on, are of one slot.
local function run_length(data, position, index, expected)
  local rest = #data - position + 1
  if data:sub(position) == text(index, expected, rest) then return rest end
  local last = position
  while last < #data and data:byte(last + 1) // SLOTS + 1 == index do last = last + 1 end
  return last - position + 1
end

-- From now on nobody knows what is written to the channel.
function stream.run_wild(channel)
  channel.is_wild, channel.broken = true, true
end

-- Checks what was read.
function stream.take(channel, data)
  if channel.is_wild then return end
  local position = 1
  while position <= #data do
    local index = data:byte(position) // SLOTS + 1
    local slot = channel.slots[index]
    world.check(slot, "a byte was read that nobody wrote: %d", data:byte(position))
    local length = run_length(data, position, index, slot.read)
    world.check(slot.read + length <= slot.most, "%d bytes were read, but there were %d", length,
      slot.most - slot.read)
    world.check(data:sub(position, position + length - 1) == text(index, slot.read, length),
      "other bytes were read than the next ones")
    slot.read = slot.read + length
    position = position + length
  end
  channel.is_full = false
end

-- One end of a stream. `incoming` and `outgoing` are channels, or nil.
function stream.endpoint(incoming, outgoing, is_tcp)
  local endpoint = {
    incoming = incoming,
    outgoing = outgoing,
    open = 1, -- descriptors that are open
    maybe = 0, -- and that may be, until garbage is collected or a child has ended
    shut = false, -- for reading
    reset = false, -- a read or write may report that the other end is gone
    is_tcp = is_tcp,
  }
  if incoming then incoming.reader = endpoint end
  if outgoing then outgoing.writer = endpoint end
  return endpoint
end

function stream.is_open(endpoint)
  return endpoint.open > 0
end

function stream.is_gone(endpoint)
  return endpoint.open == 0 and endpoint.maybe == 0
end

-- What the other end may find: unread data makes the system break the connection.
local function left(endpoint)
  local incoming, outgoing = endpoint.incoming, endpoint.outgoing
  if incoming then
    incoming.is_full = false
    local writer = incoming.writer
    local _, most = stream.unread(incoming)
    if writer and most > 0 then
      writer.reset = true
      if outgoing and endpoint.is_tcp then outgoing.broken = true end
    end
  end
  if outgoing then outgoing.is_full = false end
end

-- Shuts down one direction or both. TCP resets a connection when more comes in than is wanted.
function stream.shut(endpoint, what)
  local incoming, outgoing = endpoint.incoming, endpoint.outgoing
  if what:find "w" then outgoing.ended = true end
  if what:find "r" then
    endpoint.shut = true
    if endpoint.is_tcp then incoming.broken = true end
    left(endpoint)
  end
  outgoing.is_full = false
end

-- A descriptor is closed; or may be, at some time.
function stream.release(endpoint, maybe)
  endpoint.open = endpoint.open - 1
  if maybe then endpoint.maybe = endpoint.maybe + 1 end
  if endpoint.open == 0 then left(endpoint) end
end

-- What may have been closed is closed.
function stream.settle(endpoint)
  endpoint.maybe = endpoint.maybe - 1
  if endpoint.open == 0 then left(endpoint) end
end

local function may_end(channel)
  return channel.ended or channel.broken or channel.reader.shut
    or not stream.is_open(channel.writer)
end

local function has_ended(channel)
  return channel.ended or stream.is_gone(channel.writer)
end

-- Whether nothing says that the end of the channel is near, or its other end gone.
local function is_quiet(endpoint, channel)
  return not (endpoint.reset or may_end(channel) or not stream.is_open(channel.reader))
end

-- Three questions of readiness: is it sure, will it be in time, could it be?
function stream.must_read(endpoint)
  local channel = endpoint.incoming
  return not channel or channel.is_prompt and stream.will_read(endpoint)
end

function stream.will_read(endpoint)
  local channel = endpoint.incoming
  return not channel or stream.unread(channel) > 0 or has_ended(channel)
end

function stream.may_read(endpoint)
  local channel = endpoint.incoming
  if not channel then return true end
  local _, most = stream.unread(channel)
  return most > 0 or not is_quiet(endpoint, channel)
    or endpoint.outgoing ~= nil and not is_quiet(endpoint, endpoint.outgoing)
end

function stream.must_write(endpoint)
  local channel = endpoint.outgoing
  return not channel or channel.is_prompt and stream.will_write(endpoint)
end

function stream.will_write(endpoint)
  local channel = endpoint.outgoing
  if not channel or channel.is_drained or stream.is_gone(channel.reader) then return true end
  local _, most = stream.unread(channel)
  return most == 0
end

function stream.may_write(endpoint)
  local channel = endpoint.outgoing
  return not channel or not channel.is_full or not is_quiet(endpoint, channel)
end

local read_errors = world.codes("ECONNRESET", "EPIPE", "ETIMEDOUT")

-- Checks what try_read and read have returned: ("retry" of the former only).
function stream.check_read(endpoint, size, first, ...)
  local channel = endpoint.incoming
  if not channel then return world.check_error(world.codes "EBADF", first, ...) end
  local least, _ = stream.unread(channel)
  if first then
    world.check(#first >= 1 and #first <= size, "%d bytes were read", #first)
    stream.take(channel, first)
  elseif select("#", ...) == 0 then
    world.check(may_end(channel), "end of a stream that has not ended")
    world.check(least == 0 or channel.broken, "%d bytes were lost", least)
  elseif ... == "retry" then
    world.check(not stream.must_read(endpoint), "retry, but there are %d bytes, or the end", least)
    channel.is_drained = channel.is_prompt
  else
    world.check(endpoint.reset or channel.broken, "the read failed: %s", ...)
    world.check_error(read_errors, first, ...)
  end
end

local write_errors = world.codes("EPIPE", "ECONNRESET", "ETIMEDOUT")

-- Checks that a failure to write is to be expected.
function stream.check_write_error(endpoint, ...)
  local channel = endpoint.outgoing
  if not channel then return world.check_error(world.codes "EBADF", ...) end
  local reader = channel.reader
  world.check(channel.ended or channel.broken or reader.shut or endpoint.reset
    or not stream.is_open(reader), "the write failed: %s", (select(2, ...)))
  world.check_error(write_errors, ...)
end

-- To be told of every write before it: one that nobody reads may break the connection.
function stream.attempts_write(endpoint)
  local channel = endpoint.outgoing
  if stream.is_open(channel.reader) and not channel.reader.shut then return end
  endpoint.reset = true
  if endpoint.is_tcp then endpoint.incoming.broken = true end
end

-- Takes note of how a write went, by `written` of `length` bytes (nil: it would have to wait).
function stream.note_write(endpoint, written)
  local channel = endpoint.outgoing
  channel.is_full = channel.is_prompt and not written and stream.is_open(channel.reader)
end

return stream
