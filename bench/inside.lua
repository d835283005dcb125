#!/usr/bin/env lua5.4
-- What calls cost that need no other process: nanoseconds of the processor, medians.
--
--   bench/inside.lua [BUILD [ROUNDS]]
--
-- BUILD is the folder of the programs in C, build/bench. scripts/bench calls it.
local folder = arg[0]:match "^(.*)/bench/[^/]*$" or "."
package.path = folder .. "/bench/?.lua;" .. package.path
local process = require "process"
local xpio = require "xpio"

local build, rounds = arg[1] or "build/bench", tonumber(arg[2] or 5)

--- Nanoseconds for each of so many calls.
local function clock(count, f)
  collectgarbage()
  local began = os.clock()
  for _ = 1, count do f() end
  return (os.clock() - began) / count * 1e9
end

local measures = {}

function measures.libuv_nowait()
  return tonumber((process.output { build .. "/nowait", "300000" }))
end

function measures.xpio_wait(into)
  local queue, a, b = xpio.tqueue(), assert(xpio.socketpair())
  a:when_read { _queue = queue }
  local result = clock(300000, function() queue:wait(0, into) end)
  a:close()
  b:close()
  return result
end

function measures.luv_wait()
  local uv = require "luv"
  local pipe = assert(uv.pipe { nonblock = true })
  local poll = uv.new_poll(pipe.read)
  poll:start("r", function() end)
  return clock(300000, function() uv.run "nowait" end)
end

function measures.cqueues_wait()
  local cqueues = require "cqueues"
  local a = require "cqueues.socket".pair()
  local controller = cqueues.new()
  controller:wrap(function() a:read(1) end)
  controller:step(0)
  return clock(300000, function() controller:step(0) end)
end

function measures.schedule()
  local queue, a, b = xpio.tqueue(), assert(xpio.socketpair())
  local task = { _queue = queue }
  local result = clock(500000, function()
    a:when_read(task)
    task:_dequeue()
  end)
  a:close()
  b:close()
  return result
end

--- Schedule tasks on one socket, and wake them all: both, for each.
local function wake(count)
  local queue, a, b = xpio.tqueue(), assert(xpio.socketpair())
  local tasks = {}
  for i = 1, count do tasks[i] = { _queue = queue } end
  local function all()
    for i = 1, count do a:when_read(tasks[i]) end
    b:write "x"
    assert(#queue:wait() == count)
    a:read(1)
  end
  all()
  local result = clock(math.max(1, 200000 // count), all) / count
  a:close()
  b:close()
  return result
end

--- Children that end all at once: what it costs the parent to spawn one and wait for it.
local function spawn(count)
  local queue = xpio.tqueue()
  local gate, opener = assert(xpio.pipe())
  local number = gate:fileno()
  collectgarbage()
  local began = os.clock()
  for _ = 1, count do
    local child = assert(xpio.spawn({ "/bin/cat" }, nil, { [0] = number }))
    child:when_wait { _queue = queue }
  end
  opener:close()
  while not queue:isEmpty() do queue:wait() end
  gate:close()
  return (os.clock() - began) / count * 1e9
end

local function median_of(f, ...)
  local numbers = {}
  for round = 1, rounds do
    io.stderr:write(("\r\27[Kround %d of %d "):format(round, rounds))
    local ok, number = pcall(f, ...)
    if not ok or not number then return nil end
    numbers[#numbers + 1] = number
  end
  io.stderr:write "\r\27[K"
  table.sort(numbers)
  return numbers[(#numbers + 1) // 2]
end

local function print_line(name, number, base)
  if not number then return print(("| %s | not installed | |"):format(name)) end
  print(("| %s | %.0f | %s |"):format(name, number, base and ("%.2f"):format(number / base) or ""))
end

print "\n### Inside one process\n"
print "| what | CPU ns | to C |\n|---|--:|--:|"
local base = median_of(measures.libuv_nowait)
print_line("C libuv, uv_run(UV_RUN_NOWAIT) with one handle", base, base)
print_line("xpio, an empty wait(0)", median_of(measures.xpio_wait), base)
print_line("xpio, an empty wait(0, into)", median_of(measures.xpio_wait, {}), base)
print_line("luv, an empty run(\"nowait\")", median_of(measures.luv_wait), base)
print_line("cqueues, an empty step(0)", median_of(measures.cqueues_wait), base)
print_line("xpio, when_read and _dequeue", median_of(measures.schedule))

print "\n### Tasks that are woken at once\n"
print "| tasks | CPU ns each, scheduled and woken |\n|--:|--:|"
for _, count in ipairs { 1, 10, 100, 1000, 10000, 100000 } do
  print(("| %d | %.0f |"):format(count, median_of(wake, count)))
end

print "\n### Children that end at once\n"
print "| children | CPU us each, of the parent |\n|--:|--:|"
for _, count in ipairs { 1, 10, 100, 1000, 5000 } do
  local nanoseconds = median_of(spawn, count)
  print(nanoseconds and ("| %d | %.1f |"):format(count, nanoseconds / 1000)
    or ("| %d | not possible here |"):format(count))
end
