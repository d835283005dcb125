-- 100,000 children, of all kinds: waited for, left to the collector, closed at once, leaders of
-- groups, killed; some that cannot be started; some through which a stream goes that is checked.
local soak = require "soak"
local stream = require "stream"
local xpio = require "xpio"

local AT_A_TIME <const> = 20
local SIZE <const> = 20000 -- bytes through a child
local subject = { short = { amount = 100, rounds = 6 }, full = { amount = 10000, rounds = 12 } }

local kinds = {}

local function runs(attrs)
  local process = assert(xpio.spawn({ "/bin/true" }, nil, nil, attrs))
  local how, status = process:wait()
  assert(how == "exit" and status == 0)
end

for kind = 0, 9 do kinds[kind] = function() runs() end end

--- Left to itself, with or without the collector's help.
kinds[1] = function() assert(xpio.spawn { "/bin/true" }) end
kinds[2] = function() local _ <close> = assert(xpio.spawn { "/bin/true" }) end

kinds[3] = function()
  local process, _, code = xpio.spawn { "/no/such/program" }
  assert(not process and code == "ENOENT")
end

kinds[4] = function() runs { pgroup = true } end

kinds[5] = function()
  local reader, writer = assert(xpio.pipe())
  local process = assert(xpio.spawn({ "cat" }, nil, { [0] = reader }, { pgroup = true }))
  assert(process:kill("TERM", "group"))
  local how, signal = process:wait()
  assert(how == "signal" and signal == 15)
  writer:close()
end

kinds[6] = function(number)
  local input, sink = assert(xpio.pipe())
  local source, output = assert(xpio.pipe())
  local process = assert(xpio.spawn({ "cat" }, nil, { [0] = input, [1] = output }))
  soak.together(
    function()
      assert(stream.write(sink, number, 0, SIZE) == SIZE)
      sink:close()
    end,
    function()
      assert(stream.read(source, number, 0, SIZE) == SIZE)
      stream.read_end(source)
    end)
  source:close()
  local how, status = process:wait()
  assert(how == "exit" and status == 0)
end

function subject.round()
  local started = 0
  for _ = 1, AT_A_TIME do
    soak.start(function()
      while started < subject.amount do
        started = started + 1
        soak.progress(started, subject.amount)
        kinds[started % 10](started)
      end
    end)
  end
end

soak.run(subject)
