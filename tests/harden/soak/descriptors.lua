-- Descriptors run out, in every call that makes one, and are freed again: the error is EMFILE,
-- nothing is half made, and no connection that waits at a listener is lost.
local soak = require "soak"
local stream = require "stream"
local xpio = require "xpio"

local FREE <const> = 8 -- descriptors for the connections of a round
local SIZE <const> = 20000 -- bytes
local subject = { short = { amount = 60, rounds = 10 }, full = { amount = 60, rounds = 500 } }

--- The peers' process has all of its connections open at once.
function subject.descriptors(amount) return amount + 30 end

local makers = {
  function() return xpio.socket "TCP" end,
  function() return xpio.socket "UDP" end,
  xpio.socketpair,
  xpio.pipe,
  xpio.openpty,
  function() return xpio.fdopen(0) end,
}

local function close_all(objects)
  for _, object in ipairs(objects) do object:close() end
end

--- Make objects until there is no descriptor left.
local function exhaust(make)
  local objects = {}
  while true do
    local one, other, code = make()
    if not one then
      assert(code == "EMFILE", other)
      return objects
    end
    table.move({ one, other }, 1, 2, #objects + 1, objects)
  end
end

--- A process takes a pipe here, and a few descriptors in the child.
local function try_to_spawn(reader, left)
  local process, message, code, step = xpio.spawn({ "true" }, nil, { [0] = reader })
  if process then
    return assert(left > 1 and process:wait() == "exit" and not reader:fileno())
  end
  assert(left < 8 and code == "EMFILE" and (step == "pipe" or step == "descriptor"), message)
  assert(reader:fileno()) -- it is open still
end

--- With so many descriptors left, everything takes what it gets, and leaves nothing open.
local function try_with(left)
  local others = exhaust(makers[1])
  for _ = 1, left do table.remove(others):close() end
  for i, make in ipairs(makers) do
    close_all(exhaust(make))
    local sockets = exhaust(makers[1])
    assert(#sockets == left, "maker " .. i)
    close_all(sockets)
  end
  try_to_spawn(others[1], left)
  close_all(others)
end

local pool_is_open = false

--- What watches foreign descriptors needs one itself, from the first of them on.
local function watch_without()
  local a, b <close> = assert(xpio.socketpair())
  local foreign <close> = assert(xpio.fdopen(a:fileno()))
  local task, others = { _queue = xpio.tqueue() }, exhaust(makers[1])
  local scheduled, message, code = foreign:when_read(task)
  assert(pool_is_open and scheduled or code == "EMFILE", message)
  close_all(others)
  if not scheduled then assert(foreign:when_read(task)) end
  pool_is_open = true
  a:close()
  assert(b:write "x" == 1 and task._queue:wait()[1] == task and foreign:try_read(9) == "x")
end

local function exchange(connection, reads, writes, first)
  soak.together(
    function() assert(stream.write(connection, writes, first, SIZE) == SIZE) end,
    function() assert(stream.read(connection, reads, first, SIZE) == SIZE) end)
end

local served = {}

local function serve(connection)
  local _ <close> = connection
  local number = string.unpack("<i8", assert(connection:read(8)))
  assert(not served[number])
  served[number] = true
  exchange(connection, number, -number, 8)
  stream.read_end(connection)
end

--- Those accepted at first are kept open until the descriptors have run out.
local function accept_all(listener)
  local kept, count, others = {}, 0, exhaust(makers[1])
  for _ = 1, FREE do table.remove(others):close() end
  while count < subject.amount do
    local connection, message, code = listener:accept()
    if connection then count = count + 1 end
    if not connection then
      assert(code == "EMFILE", message)
      for _, waiting in ipairs(kept or {}) do soak.start(serve, waiting) end
      kept = nil
      soak.sleep(0.001) -- the listener stays readable, so waiting for it would be in vain
    elseif kept then
      kept[#kept + 1] = connection
    else
      soak.start(serve, connection)
    end
  end
  assert(not kept)
  close_all(others)
end

function subject.round(listener)
  for _, left in ipairs { 0, 1, 2, 3, 4, 8 } do try_with(left) end
  watch_without()
  soak.start(accept_all, listener)
end

function subject.check()
  assert(#served == subject.amount)
  served = {}
end

function subject.peer(address)
  for number = 1, subject.amount do
    soak.start(function()
      local connection <close> = soak.connect(address)
      assert(connection:write(string.pack("<i8", number)))
      exchange(connection, -number, number, 8)
    end)
  end
end

soak.run(subject)
