-- The benchmark itself: that it runs, and what of it cannot be noise.
local capability = require "capability"
local support = require "support"

local build = os.getenv "XPIO_BENCH"

describe("the benchmark", function()
  if not build then
    return it("runs", function() pending "for Linux, and not where it is disabled" end)
  end

  local function run(arguments)
    local command = ("exec timeout %d %s bench/run.lua --build '%s' --lua '%s' --rounds 1 %s 2>&1"):format(
      support.patience, support.command(support.interpreter), build, support.interpreter, arguments)
    local file <close> = assert(io.popen(command))
    local text = file:read "a"
    return text, select(3, file:close())
  end

  it("runs rows of every kind, and compares xpio with C", function()
    for _, row in ipairs { "1,000", "16 KiB", "connect", "bulk, 1 MiB", "UDP", "pipes" } do
      local text = run(("--scale 0.02 --cpu-only --servers xpio --rows '%s'"):format(row))
      assert.matches("| C epoll | %d+ | [%d.]+ | ", text)
      assert.matches("| xpio | %d+ | [%d.]+ | ", text)
    end
  end)

  it("says what it does not know, and where there is nothing to measure", function()
    local text, status = run "--rows nonsense"
    assert.matches("no row has a name that contains nonsense", text, 1, true)
    assert.equal(2, status)
    assert.matches("unknown option %-%-quick", (run "--quick"))
    assert.matches("a value is missing after %-%-rows", (run "--rows"))
    assert.matches("usage: bench/run.lua", (run "--help"))
  end)
end)

describe("a message that the echo server serves", function()
  local function measured(what, row, ...)
    package.path = "bench/?.lua;" .. package.path
    local measure = require "measure"
    local servers = require "servers"
    measure.places.build, measure.places.lua = build, support.interpreter
    for _, server in ipairs(servers) do
      if server.name == "xpio" then return measure[what](server, row, ...) end
    end
  end

  -- Before it sleeps, a wait looks at the handler of SIGINT: see src/loop.c.
  it("costs a read, a write, a wait and a look at Ctrl-C, when it comes alone", function()
    if not build then return pending "for Linux, and not where it is disabled" end
    if not capability.strace then return pending(capability.reason "strace") end
    if not capability.plain_build then return pending(capability.reason "plain_build") end
    local row = { way = "tcp", load = { "-c", 1 }, calls = 500 }
    local all = assert(measured("calls", row))
    local looks = assert(measured("calls", row, "rt_sigaction"))
    assert.is_true(all - looks > 2.9 and all - looks < 3.1, "a message costs " .. all - looks)
    assert.is_true(looks > 0.9 and looks < 1.1, "it looks so often: " .. looks)
  end)

  -- About 6,000, of which Lua's own part depends on its version and compiler.
  it("costs at most 7,000 instructions in user space", function()
    if not build then return pending "for Linux, and not where it is disabled" end
    if not capability.callgrind then return pending(capability.reason "callgrind") end
    if not capability.plain_build then return pending(capability.reason "plain_build") end
    local row = { way = "tcp", load = { "-c", 50 }, instructions = 2000 }
    local instructions = assert(measured("instructions", row))
    assert.is_true(instructions > 1000 and instructions < 7000, "a message costs " .. instructions)
  end)
end)
