-- Peers that read slowly, and the same the other way round: a few bytes at a time, with pauses,
-- out of small buffers of the system's, so that the writer waits again and again.
local soak = require "soak"
local stream = require "stream"

local SMALL <const> = 4096 -- bytes: buffers
local subject = { short = { amount = 40, rounds = 2 }, full = { amount = 400, rounds = 6 } }
local SIZE <const> = 40000 -- bytes, of each stream

local function make_small(connection)
  assert(connection:setsockopt("SO_RCVBUF", SMALL))
  assert(connection:setsockopt("SO_SNDBUF", SMALL))
end

--- Reads all of the stream, slowly.
local function sip(connection, seed)
  local position = 0
  while position < SIZE do
    local last = math.min(position + math.random(3 * SMALL), SIZE)
    assert(stream.read(connection, seed, position, last, math.random(SMALL)) == last)
    position = last
    soak.sleep(math.random(10) / 1000)
  end
end

local function write_all(connection, seed)
  assert(stream.write(connection, seed, 0, SIZE) == SIZE)
end

local function serve(connection)
  make_small(connection)
  local number = string.unpack("<i8", assert(connection:read(8)))
  soak.together(
    function() write_all(connection, -number) end,
    function() if number % 2 == 0 then sip(connection, number) end end)
  if number % 2 == 0 then stream.read_end(connection) end
end

function subject.round(listener) soak.serve(listener, subject.amount, serve) end

local function use(address, number)
  local connection <close> = soak.connect(address)
  make_small(connection)
  assert(connection:write(string.pack("<i8", number)))
  soak.together(
    function() sip(connection, -number) end,
    function() if number % 2 == 0 then write_all(connection, number) end end)
  if number % 2 == 1 then stream.read_end(connection) end
end

function subject.peer(address)
  for number = 1, subject.amount do soak.start(use, address, number) end
end

soak.run(subject)
