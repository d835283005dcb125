#!/usr/bin/env lua5.4
-- Spawns many children and looks what is left of them:
--
--   LUA_CPATH="build/?.so;;" lua5.4 scripts/soak-spawn.lua [COUNT]
--
-- COUNT (20,000) times /bin/true, 20 at a time; some process objects are closed, some
-- left to the collector, and some spawns fail on purpose. In the end there must be no
-- zombie, no descriptor more, and no more memory than after the first tenth. Linux.
local xpio = require "xpio"

local count = tonumber(arg[1] or 20000)
local AT_A_TIME = 20
local SLACK = 256 -- KiB that memory may vary by

local function read(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

local function memory()
  collectgarbage()
  collectgarbage()
  return tonumber(read "/proc/self/status":match "VmRSS:%s*(%d+)")
end

local function descriptors()
  local open = 0
  for number = 0, 1023 do
    if read("/proc/self/fdinfo/" .. number) then open = open + 1 end
  end
  return open
end

--- How many children there are, zombies too, but for the one that looks.
local function children()
  local reader, writer = assert(xpio.pipe())
  local script = [==[exec grep -lsE "^PPid:[[:space:]]*$PPID$" /proc/[0-9]*/status]==]
  local process = assert(xpio.spawn({ "sh", "-c", script }, nil, { [1] = writer }))
  local text = ""
  for piece in function() return reader:read(65536) end do text = text .. piece end
  process:wait()
  return select(2, text:gsub("\n", "")) - 1
end

local queue, running = xpio.tqueue(), 0

local function wait_for_some()
  for _, task in ipairs(queue:wait()) do
    assert(select(2, task.process:wait()) == 0)
    running = running - 1
  end
end

local function start(i)
  if i % 10 == 0 then
    -- Left to itself, with or without the collector's help.
    local process = assert(xpio.spawn { "/bin/true" })
    if i % 20 == 0 then local _ <close> = process end
    return
  end
  if i % 10 == 1 then assert(not xpio.spawn { "/no/such/program" }) end
  local attrs = i % 10 == 2 and { pgroup = true } or nil
  local process = assert(xpio.spawn({ "/bin/true" }, nil, nil, attrs))
  assert(process:when_wait { _queue = queue, process = process })
  running = running + 1
end

local function finish()
  while running > 0 do wait_for_some() end
  collectgarbage()
  collectgarbage()
  local deadline = xpio.gettime() + 10
  while children() > 0 and xpio.gettime() < deadline do queue:wait(0.01) end
end

local first
for i = 1, count do
  start(i)
  while running >= AT_A_TIME do wait_for_some() end
  if i == count // 10 then
    finish()
    first = { memory = memory(), descriptors = descriptors() }
  end
  if i % (count // 10) == 0 then io.stderr:write(("\r%d of %d"):format(i, count)) end
end
finish()
io.stderr:write "\n"
local last = { memory = memory(), descriptors = descriptors(), children = children() }
print(("after %7d: %d KiB, %d descriptors"):format(count // 10, first.memory, first.descriptors))
print(("after %7d: %d KiB, %d descriptors, %d children"):format(
  count, last.memory, last.descriptors, last.children))
local ok = last.children == 0 and last.descriptors == first.descriptors
  and last.memory <= first.memory + SLACK
print(ok and "nothing is left" or "SOMETHING IS LEFT")
os.exit(ok)
