--- What a process holds: memory, descriptors, children, tasks. For Linux, by /proc.
local native = require "native"
local xpio = require "xpio"

local holdings = {}

-- KiB by which it may be more. Resident memory: freed memory goes back to the system in
-- whole pages, and how many have something left on them depends on the order in which it was
-- freed; the more there was, the more there are.
local function resident_slack(before) return 512 + before // 10 end

-- Allocated memory, and that of Lua in it, are counted exactly. But tables, and what xpio keeps
-- to use it again, grow to the largest number of tasks that ever waited at once, and to the
-- highest descriptor. How much that is differs from round to round, with how tasks overlap.
local function allocated_slack(before) return 64 + before // 20 end

local PATIENCE <const> = 10 -- seconds

local function read(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

--- The soft and the hard limit of descriptors.
---@return integer soft
---@return integer hard
function holdings.limits()
  local soft, hard = read "/proc/self/limits":match "Max open files%s+(%w+)%s+(%w+)"
  return math.tointeger(soft) or math.maxinteger, math.tointeger(hard) or math.maxinteger
end

-- The first child that has to be waited for brings an epoll, which stays.
do
  local queue, reader, writer = xpio.tqueue(), assert(xpio.pipe())
  local process <close> = assert(xpio.spawn({ "cat" }, nil, { [0] = reader }))
  assert(process:when_wait { _queue = queue })
  writer:close()
  queue:wait()
end

--- How many children this process has, zombies too, but for the one that looks.
local function count_children()
  local reader <close>, writer = assert(xpio.pipe())
  local script = [==[exec grep -lsE "^PPid:[[:space:]]*$PPID$" /proc/[0-9]*/status]==]
  local looker <close> = assert(xpio.spawn({ "sh", "-c", script }, nil, { [1] = writer }))
  local found = ""
  for piece in function() return reader:read(65536) end do found = found .. piece end
  looker:wait()
  return select(2, found:gsub("\n", "")) - 1
end

--- How many descriptors are open: none is higher than the highest there ever was.
function holdings.descriptors()
  local count, highest = 0, read "/proc/self/status":match "FDSize:%s*(%d+)"
  for number = 0, highest - 1 do
    if read("/proc/self/fdinfo/" .. number) then count = count + 1 end
  end
  return count
end

--- KiB of memory that are resident.
function holdings.resident()
  return math.tointeger(read "/proc/self/status":match "VmRSS:%s*(%d+)")
end

--- What there is now, garbage collected. Children that nobody waited for get some time to end.
---@param queue userdata whose tasks are counted
---@param expected integer number of children
function holdings.count(queue, expected)
  local held, deadline = {}, xpio.gettime() + PATIENCE
  for _ = 1, 3 do collectgarbage() end
  repeat
    held.children = count_children()
  until held.children <= expected or xpio.gettime() > deadline
  collectgarbage()
  local waiting, ready = tostring(queue):match "(%d+) waiting, (%d+) ready"
  held.tasks = waiting + ready | 0
  held.lua = collectgarbage "count" // 1 | 0 -- part of the next
  held.allocated = native.allocated() // 1024
  held.descriptors = holdings.descriptors()
  held.memory = holdings.resident()
  return held
end

--- What is more after than before: an empty string, or words.
---@return string
function holdings.compare(before, after)
  local more = {}
  local function look(name, slack)
    if after[name] > before[name] + slack then
      more[#more + 1] = ("%s: %d, were %d"):format(name, after[name], before[name])
    end
  end
  look("memory", resident_slack(before.memory))
  look("allocated", allocated_slack(before.allocated))
  look("lua", allocated_slack(before.lua))
  look("descriptors", 0)
  return table.concat(more, ", ")
end

return holdings
