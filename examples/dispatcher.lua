--- The plain dispatcher: functions as tasks that take turns where they block.
local xpio = require "xpio"
local queue = xpio.tqueue()
local sleepers = {} -- the sleeping tasks, the next one to wake last

local function resume(task, ...)
  local caller = xpio.getCurrentTask()
  xpio.setCurrentTask(task)
  local ok, message = coroutine.resume(task.coroutine, ...)
  xpio.setCurrentTask(caller)
  if ok then return end
  io.stderr:write(debug.traceback(task.coroutine, tostring(message)), "\n")
  coroutine.close(task.coroutine) -- its <close> variables are still open
end

--- Start `f(...)` as a task. It runs at once, until it blocks.
local function start(f, ...)
  resume({ _queue = queue, coroutine = coroutine.create(f) }, ...)
end

--- Let the other tasks run for at least so many seconds; 0 gives each a turn.
local function sleep(seconds)
  local task, place = xpio.getCurrentTask(), #sleepers
  task.wake = xpio.gettime() + seconds
  while place > 0 and sleepers[place].wake <= task.wake do place = place - 1 end
  table.insert(sleepers, place + 1, task)
  coroutine.yield(xpio.waiting)
end

--- Run until no task waits for anything.
local function run()
  repeat
    local ready = queue:wait(sleepers[1] and sleepers[#sleepers].wake - xpio.gettime())
    local now = xpio.gettime()
    for _, task in ipairs(ready or {}) do resume(task) end -- values would be its call's results
    while sleepers[1] and sleepers[#sleepers].wake <= now do resume(table.remove(sleepers)) end
  until not ready
end

return { start = start, sleep = sleep, run = run }
