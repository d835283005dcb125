#!/usr/bin/env lua5.4
-- Measures how fast children are started and waited for, beside other ways to do it:
--
--   LUA_CPATH="build/?.so;;" lua5.4 scripts/measure-spawn.lua [COUNT [ROUNDS]]
--
-- COUNT children of /bin/true one by one and 50 at a time, by a parent that is empty
-- and by one that holds 800 MiB; the median of ROUNDS rounds, all ways taking turns.
-- The figure of posix_spawn in C is 1. Ways that are not installed are left out.
local xpio = require "xpio"

local script = arg[0]
local folder = script:match "^(.*/)" or "./"

--- Keep so much memory, in strings that all differ.
local function hold(mebibytes)
  local held = {}
  for i = 1, mebibytes do held[i] = ("x"):rep(1 << 20) .. i end
  return held
end

-- Each way spawns `count` children, `most` at a time.
local ways = {}

function ways.xpio(count, most)
  local queue, running = xpio.tqueue(), 0
  local args = { "/bin/true" }
  local function wait_for_some()
    for _, task in ipairs(queue:wait()) do
      assert(select(2, task.process:wait()) == 0)
      running = running - 1
    end
  end
  for _ = 1, count do
    local process = assert(xpio.spawn(args))
    if most == 1 then
      assert(select(2, process:wait()) == 0)
    else
      running = running + 1
      assert(process:when_wait { _queue = queue, process = process })
      while running >= most do wait_for_some() end
    end
  end
  while running > 0 do wait_for_some() end
end

function ways.luv(count, most)
  local uv = require "luv"
  local running = 0
  local options = { args = {} }
  local function spawn()
    local handle
    handle = assert(uv.spawn("/bin/true", options, function(status)
      assert(status == 0)
      running = running - 1
      handle:close()
    end))
    running = running + 1
  end
  for _ = 1, count do
    spawn()
    while running >= most do uv.run "once" end
  end
  uv.run()
end

ways["os.execute"] = function(count, most)
  if most > 1 then return false end
  for _ = 1, count do assert(os.execute "/bin/true") end
end

if arg[1] == "--way" then
  local way, count, most, mebibytes = arg[2], tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
  local held <const> = hold(mebibytes)
  local begin, used = xpio.gettime(), os.clock()
  if ways[way](count, most) == false then os.exit(3) end
  print(("%.9f %.9f"):format(xpio.gettime() - begin, os.clock() - used))
  os.exit(#held == mebibytes)
end

local count, rounds = tonumber(arg[1] or 500), tonumber(arg[2] or 5)

--- Run a program to its end. Returns what it prints, if it succeeds.
local function output_of(args)
  local reader, writer = assert(xpio.pipe())
  local process = assert(xpio.spawn(args, nil, { [1] = writer, [2] = 2 }))
  local text = ""
  for piece in function() return reader:read(4096) end do text = text .. piece end
  local how, status = process:wait()
  return how == "exit" and status == 0 and text or nil
end

local program = os.tmpname()
local compile = { "cc", "-O2", "-D_GNU_SOURCE", "-o", program, folder .. "posix-spawn.c" }
assert(output_of(compile), "cc failed")

--- The arguments of a program that measures one way.
local function command(way, most, mebibytes)
  if way == "posix_spawn" then
    return { program, tostring(count), tostring(most), tostring(mebibytes) }
  end
  return { arg[-1], script, "--way", way, tostring(count), tostring(most), tostring(mebibytes) }
end

local function median(numbers)
  table.sort(numbers)
  return numbers[#numbers // 2 + 1]
end

local names = { "posix_spawn", "xpio", "os.execute" }
if pcall(require, "luv") then table.insert(names, 3, "luv") else print "luv is not installed" end

--- The median seconds, and processor seconds of the parent, of each way.
local function measure(most, mebibytes)
  local seconds, used = {}, {}
  for _ = 1, rounds do
    for _, way in ipairs(names) do
      local text = output_of(command(way, most, mebibytes))
      if text then
        local elapsed, processor = text:match "(%S+) (%S+)"
        seconds[way], used[way] = seconds[way] or {}, used[way] or {}
        table.insert(seconds[way], tonumber(elapsed))
        table.insert(used[way], tonumber(processor))
      end
    end
  end
  return seconds, used
end

print(("%-12s %9s %8s %10s %9s %14s %9s"):format(
  "way", "at a time", "MiB", "a second", "to C", "CPU us, parent", "to C"))
for _, most in ipairs { 1, 50 } do
  for _, mebibytes in ipairs { 0, 800 } do
    local seconds, used = measure(most, mebibytes)
    local base, base_used
    for _, way in ipairs(names) do
      if seconds[way] then
        local elapsed, processor = median(seconds[way]), median(used[way])
        base, base_used = base or elapsed, base_used or processor
        print(("%-12s %9d %8d %10.0f %9.2f %14.1f %9.2f"):format(
          way, most, mebibytes, count / elapsed, base / elapsed,
          processor / count * 1e6, processor / base_used))
      end
    end
  end
end
os.remove(program)
