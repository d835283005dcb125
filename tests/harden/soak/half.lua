-- Half-open peers, in four kinds: one that has shut down writing and reads on, one to which this
-- side has done that, one that falls silent in the middle of its request and is given up, and
-- one whose process is killed while both sides write.
local soak = require "soak"
local stream = require "stream"

local SIZE <const> = 150000 -- bytes: more than fit into the system's buffers at first
local subject = { short = { amount = 80, rounds = 4 }, full = { amount = 400, rounds = 25 } }
local ENDLESS <const> = 1 << 40 -- bytes
local VICTIMS <const> = 20 -- connections of the process that is killed
local kinds = {}

--- The peer writes all, shuts down, and then reads all.
kinds[0] = {
  serve = function(connection, number)
    assert(stream.read(connection, number, 8, SIZE) == SIZE)
    stream.read_end(connection)
    assert(stream.write(connection, -number, 0, SIZE) == SIZE)
  end,
  use = function(connection, number)
    assert(stream.write(connection, number, 8, SIZE) == SIZE)
    assert(connection:shutdown "w")
    assert(stream.read(connection, -number, 0, SIZE) == SIZE)
    stream.read_end(connection)
  end
}

--- The same, begun by this side.
kinds[1] = {
  serve = function(connection, number)
    assert(stream.write(connection, -number, 0, SIZE) == SIZE)
    assert(connection:shutdown "w")
    assert(stream.read(connection, number, 8, SIZE) == SIZE)
    stream.read_end(connection)
  end,
  use = function(connection, number)
    assert(stream.read(connection, -number, 0, SIZE) == SIZE)
    stream.read_end(connection)
    assert(stream.write(connection, number, 8, SIZE) == SIZE)
  end
}

--- The peer stops after half of it. This side waits for a while, and closes.
kinds[2] = {
  serve = function(connection, number)
    local reader = soak.task()
    soak.start(function()
      soak.sleep(0.05)
      soak.cancel(reader)
    end)
    local reached, message = stream.read(connection, number, 8, SIZE)
    assert(reached <= SIZE // 2 and message == "cancelled")
  end,
  use = function(connection, number)
    local reached = stream.write(connection, number, 8, SIZE // 2)
    assert(reached <= SIZE // 2)
    assert(not connection:read(1)) -- until the other side gives up
  end
}

--- Both sides write and read without an end; when all connections have come so far, the process
--- of the peers is killed.
local function serve_victim(connection, number, all_under_way)
  soak.together(
    function()
      assert(stream.read(connection, number, 8, SIZE) == SIZE)
      all_under_way()
      local reached, message, code = stream.read(connection, number, SIZE, ENDLESS)
      assert(reached < ENDLESS and (message == nil or code == "ECONNRESET"), message)
    end,
    function()
      local reached, message, code = stream.write(connection, -number, 0, ENDLESS)
      assert(reached < ENDLESS and (code == "EPIPE" or code == "ECONNRESET"), message)
    end)
end

function subject.victim(address)
  for number = -VICTIMS, -1 do
    soak.start(function()
      local connection = soak.connect(address)
      assert(connection:write(string.pack("<i8", number)))
      soak.together(
        function() stream.write(connection, number, 8, ENDLESS) end,
        function() stream.read(connection, -number, 0, ENDLESS) end)
    end)
  end
end

function subject.round(listener)
  local victim = soak.child("victim", assert(listener:getsockname()))
  local all_under_way = soak.barrier(VICTIMS + 1)
  soak.start(function()
    all_under_way()
    assert(victim:kill())
    local how, signal = victim:wait()
    assert(how == "signal" and signal == 9)
  end)
  soak.serve(listener, subject.amount + VICTIMS, function(connection)
    local number = string.unpack("<i8", assert(connection:read(8)))
    if number < 0 then return serve_victim(connection, number, all_under_way) end
    kinds[number % 3].serve(connection, number)
  end)
end

function subject.peer(address)
  for number = 1, subject.amount do
    soak.start(function()
      local connection <close> = soak.connect(address)
      assert(connection:write(string.pack("<i8", number)))
      kinds[number % 3].use(connection, number)
    end)
  end
end

soak.run(subject)
