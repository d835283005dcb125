-- A million times: connect, a request, its answer, close. Half of the connections are closed by
-- the client first, half by the server.
local soak = require "soak"
local stream = require "stream"

local AT_A_TIME <const> = 64
local subject = { short = { amount = 1000, rounds = 6 }, full = { amount = 100000, rounds = 12 } }

--- Sizes of the request and of the answer, as the number says.
local function sizes(number) return 8 + number % 500, 1 + number % 700 end

local function serve(connection)
  local header = assert(connection:read(8))
  assert(#header == 8) -- it was written in one piece with what follows
  local number = string.unpack("<i8", header)
  local request, answer = sizes(number)
  assert(stream.read(connection, number, 8, request) == request)
  assert(stream.write(connection, number, 0, answer) == answer)
  if number % 2 == 0 then stream.read_end(connection) end
end

function subject.round(listener) soak.serve(listener, subject.amount, serve) end

local function ask(address, number)
  local connection <close> = soak.connect(address)
  local request, answer = sizes(number)
  assert(connection:write(string.pack("<i8", number) .. stream.piece(number, 8, request - 8)))
  assert(stream.read(connection, number, 0, answer) == answer)
  if number % 2 == 1 then stream.read_end(connection) end
end

function subject.peer(address)
  local started = 0
  for _ = 1, AT_A_TIME do
    soak.start(function()
      while started < subject.amount do
        started = started + 1
        ask(address, started)
      end
    end)
  end
end

soak.run(subject)
