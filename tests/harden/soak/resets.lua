-- Connections that are broken in the middle of a write, by SO_LINGER 0: the peer's closing sends
-- a reset, and what is on the way is lost. What arrived before is right, and both the reader and
-- the writer on this side are told.
local native = require "native"
local soak = require "soak"
local stream = require "stream"

local subject = { short = { amount = 100, rounds = 5 }, full = { amount = 1000, rounds = 12 } }
local AT_A_TIME <const> = 50
local ENDLESS <const> = 1 << 40 -- bytes

--- Reads from a peer and writes to it until it breaks the connection. Of the two one gets
--- the reset; the other finds the end of the stream, or a pipe without a reader.
local function exchange(connection, reads, writes)
  local reader_got, writer_got
  soak.together(
    function()
      local reached, message, code = stream.read(connection, reads, 0, ENDLESS)
      assert(reached < ENDLESS and (message == nil or code == "ECONNRESET"), message)
      reader_got = code
    end,
    function()
      local reached, message, code = stream.write(connection, writes, 0, ENDLESS)
      assert(reached < ENDLESS and (code == "ECONNRESET" or code == "EPIPE"), message)
      writer_got = code
    end)
  assert(reader_got == "ECONNRESET" or writer_got == "ECONNRESET")
end

--- Reads and writes some, and breaks the connection while it is full in both directions.
local function break_off(connection, reads, writes)
  local last = math.random(200000)
  local writer = soak.start(function()
    local reached, message, code = stream.write(connection, writes, 0, ENDLESS)
    assert(reached < ENDLESS and (code == "EBADF" or code == "ECONNRESET"), message)
  end)
  assert(stream.read(connection, reads, 0, last) == last)
  native.reset(connection:fileno())
  assert(writer and connection:close())
end

--- Odd ones are broken by the peer, even ones by this side.
local function serve(connection)
  local header = connection:read(8)
  if not header then return end -- broken before it was accepted
  local number = string.unpack("<i8", header)
  if number % 2 == 1 then exchange(connection, number, -number) end
  if number % 2 == 0 then break_off(connection, number, -number) end
end

function subject.round(listener) soak.serve(listener, subject.amount, serve) end

local function use(address, number)
  local connection <close> = soak.connect(address)
  if number % 10 == 0 then return native.reset(connection:fileno()) end
  assert(connection:write(string.pack("<i8", number)))
  if number % 2 == 1 then break_off(connection, -number, number) end
  if number % 2 == 0 then exchange(connection, -number, number) end
end

function subject.peer(address)
  local started = 0
  for _ = 1, AT_A_TIME do
    soak.start(function()
      while started < subject.amount do
        started = started + 1
        use(address, started)
      end
    end)
  end
end

soak.run(subject)
