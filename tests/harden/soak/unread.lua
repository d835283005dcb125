-- Peers that never read. Writing to them fills the buffers of the system and waits; the
-- process grows no more, and others are served as before. Half of the writers are cancelled,
-- the others wait until the peer has gone.
local holdings = require "holdings"
local soak = require "soak"
local stream = require "stream"

local subject = { short = { amount = 40, rounds = 4 }, full = { amount = 200, rounds = 12 } }
local ENDLESS <const> = 1 << 40 -- bytes
local ECHOES <const> = 200
local GROWTH <const> = 512 -- KiB: garbage of the echoes

local function write_in_vain(connection, number)
  local reached, message, code = stream.write(connection, -number, 0, ENDLESS)
  assert(reached < ENDLESS and message)
  if number % 2 == 1 then return assert(message == "cancelled") end
  assert(code == "ECONNRESET" or code == "EPIPE", message)
end

--- Each message is echoed while the others wait.
local function echo(connection)
  for i = 0, ECHOES - 1 do
    assert(stream.read(connection, 0, 100 * i, 100 * i + 100) == 100 * i + 100)
    assert(stream.write(connection, 0, 100 * i, 100 * i + 100) == 100 * i + 100)
  end
end

--- On the one connection that is read.
local function serve_reader(connection, writers)
  echo(connection)
  local before = holdings.resident()
  echo(connection)
  assert(holdings.resident() <= before + GROWTH, "memory grows while nobody reads")
  for _, task in ipairs(writers) do soak.cancel(task) end
  assert(connection:write "!")
end

function subject.round(listener)
  local writers, all_there = {}, soak.barrier(subject.amount + 1)
  soak.serve(listener, subject.amount + 1, function(connection)
    local number = string.unpack("<i8", assert(connection:read(8)))
    if number % 2 == 1 then writers[#writers + 1] = soak.task() end
    all_there()
    if number == 0 then return serve_reader(connection, writers) end
    write_in_vain(connection, number)
  end)
end

--- Both echoes.
local function talk(connection)
  for _ = 1, 2 do
    for i = 0, ECHOES - 1 do
      assert(stream.write(connection, 0, 100 * i, 100 * i + 100) == 100 * i + 100)
      assert(stream.read(connection, 0, 100 * i, 100 * i + 100) == 100 * i + 100)
    end
  end
end

function subject.peer(address)
  soak.start(function()
    local sockets = {}
    for number = 0, subject.amount do
      sockets[number] = soak.connect(address)
      assert(sockets[number]:write(string.pack("<i8", number)))
    end
    talk(sockets[0])
    assert(sockets[0]:read(1) == "!") -- half of the writers are cancelled
    for number = 0, subject.amount do sockets[number]:close() end
  end)
end

soak.run(subject)
