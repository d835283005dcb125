--- A plain dispatcher: functions as tasks that take turns where they block.
local xpio = require "xpio"
local resume = xpio.resume
local queue = xpio.tqueue()
local sleepers = {} -- the sleeping tasks, the next one to wake last
local spare -- an array for the ready ones, while it is not in use

local function describe(message)
  local ok, text = pcall(tostring, message)
  return ok and text or ("(error object is a %s value)"):format(type(message))
end

--- Whatever goes wrong here, the other tasks go on.
local function report(task, message)
  local co = task.coroutine
  pcall(function() io.stderr:write(debug.traceback(co, describe(message)), "\n") end)
  -- Its <close> variables are still open; but one that runs, and has scheduled itself, goes on.
  if coroutine.status(co) == "dead" then coroutine.close(co) end
end

--- Resume tasks without values, for a blocked call would take them for its results. The
--- array is used again: what it held it would keep.
local function resume_all(tasks)
  for i = 1, #tasks do
    local task = tasks[i]
    tasks[i] = false
    local ok, message = resume(task, task.coroutine)
    if not ok then report(task, message) end
  end
end

--- Start `f(...)` as a task. It runs at once, until it blocks.
---@param f function
local function start(f, ...)
  local task = { _queue = queue, coroutine = coroutine.create(f) }
  local ok, message = resume(task, task.coroutine, ...)
  if not ok then report(task, message) end
end

--- Let the other tasks run for at least so many seconds; 0 gives each a turn.
---@param seconds number
local function sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then
    error("bad argument #1 to 'sleep' (a number of seconds expected)", 2)
  end
  if not coroutine.isyieldable() then error("sleep: the coroutine cannot yield here", 2) end
  local task, place = xpio.getCurrentTask(), #sleepers
  task.wake = xpio.gettime() + seconds
  while place > 0 and sleepers[place].wake <= task.wake do place = place - 1 end
  table.insert(sleepers, place + 1, task)
  coroutine.yield(xpio.waiting)
end

--- Seconds until the next sleeper wakes, of those that there are.
local function until_wake() return math.max(0, sleepers[#sleepers].wake - xpio.gettime()) end

--- Wait, and run the tasks that are ready. Returns false when there is none to wait for.
local function pass(timeout)
  local array, sleeping = spare or {}, sleepers[1]
  spare = nil -- a task may call step, too
  if sleeping then timeout = math.min(until_wake(), timeout or math.huge) end
  local ready = queue:wait(timeout, array)
  local now = sleeping and xpio.gettime()
  if ready then resume_all(ready) end
  spare = array
  while now and sleepers[1] and sleepers[#sleepers].wake <= now do
    resume_all { table.remove(sleepers) }
  end
  return ready ~= nil
end

--- Wait, for at most so many seconds, and run the tasks that are ready. Returns the
--- seconds until it wants to be called again in any case, math.huge for only when an
--- event has come; nil when no task is left.
---@param timeout? number
---@return number?
local function step(timeout)
  if not sleepers[1] and queue:isEmpty() then timeout = 0 end
  pass(timeout)
  if sleepers[1] then return until_wake() end
  return not queue:isEmpty() and math.huge or nil
end

--- Run until no task waits for anything.
local function run()
  while pass() do end
end

return { start = start, sleep = sleep, step = step, run = run }
