-- 15,000 connections at once, with data in both directions on each: some when it has just been
-- opened, some when all are open. Half are closed by the client first, half by the server.
local soak = require "soak"
local stream = require "stream"

local AT_A_TIME <const> = 500 -- connecting: a listener keeps only so many waiting
local HALF <const> = 8192 -- bytes, of each stream
local subject = { short = { amount = 1000, rounds = 3 }, full = { amount = 15000, rounds = 4 } }

function subject.descriptors(amount) return amount + 100 end

--- Both streams of a connection, from one position up to another.
local function exchange(connection, reads, writes, first, last)
  soak.together(
    function() assert(stream.read(connection, reads, first, last) == last) end,
    function() assert(stream.write(connection, writes, first, last) == last) end)
end

local open, most = 0, 0

local function serve(connection)
  open = open + 1
  most = math.max(most, open)
  local number = string.unpack("<i8", assert(connection:read(8)))
  exchange(connection, number, -number, 8, HALF)
  exchange(connection, number, -number, HALF, 2 * HALF)
  if number % 2 == 0 then stream.read_end(connection) end
  open = open - 1
end

function subject.round(listener)
  soak.serve(listener, subject.amount, serve)
end

--- After a round.
function subject.check()
  assert(most == subject.amount and open == 0)
  most = 0
end

local function begin(address, number)
  local connection = soak.connect(address)
  assert(connection:write(string.pack("<i8", number)))
  exchange(connection, -number, number, 8, HALF)
  return connection
end

local function go_on(connection, number)
  local _ <close> = connection
  exchange(connection, -number, number, HALF, 2 * HALF)
  if number % 2 == 1 then stream.read_end(connection) end
end

function subject.peer(address)
  local all_open, started = soak.barrier(subject.amount), 0
  for _ = 1, AT_A_TIME do
    soak.start(function()
      while started < subject.amount do
        started = started + 1
        local number = started
        soak.start(function(connection)
          all_open()
          go_on(connection, number)
        end, begin(address, number))
      end
    end)
  end
end

soak.run(subject)
