-- The calls that are about tasks, queues and coroutines.
local fiber = require "fiber"
local input = require "input"
local schedule = require "schedule"
local world = require "world"
local xpio = require "xpio"

local tasks = {}

local check, say = world.check, world.say

-- More than these at a time show nothing new.
local MOST_FIBERS = 8

local function delays()
  return input.rarely(5)
end

local function wait(timeout)
  local queue = schedule.living_queue()
  if timeout == nil and not schedule.will_return(queue) then return end
  local into = input.rarely(4) and { "left over", 1, 2, 3 } or nil
  fiber.resume_all(schedule.wait(queue, timeout, into), delays)
end

function tasks.poll()
  wait(0)
end

function tasks.wait_a_little()
  wait(input.choose(3) / 1000)
end

function tasks.wait()
  wait(nil)
end

function tasks.add()
  schedule.new_or_old()
end

function tasks.dequeue()
  local record = input.pick(world.filter(world.records, function(record)
    return record.task and record.queue
  end))
  if not record then return end
  say("%s:_dequeue()", record.name)
  local queue = record.queue
  if queue.object then
    record.task:_dequeue()
    schedule.stop(record)
  elseif record.task._dequeue then -- of a queue that is garbage, it may be gone any time
    record.task:_dequeue()
    schedule.stop(record)
  end
end

-- Fields that are another task's, or were a task's own, must do nothing but raise an error.
function tasks.forge()
  local one, other = schedule.pick(), schedule.pick()
  if not one or one == other then return end
  local dequeue, data = one.task._dequeue, one.task._dequeuedata
  local function call(with)
    one.task._dequeuedata = with
    local ok = pcall(dequeue or tasks.kept, one.task)
    check(not ok, "%s was dequeued with other fields", one.name)
  end
  if not (dequeue or tasks.kept) then return end
  say("-- %s is dequeued with fields of %s", one.name, other.name)
  call(other.task._dequeuedata)
  call(1)
  if not dequeue then call(nil) end
  -- Its queue may have been collected meanwhile.
  one.task._dequeuedata = one.task._dequeue and data
  tasks.kept = dequeue or tasks.kept
end

-- The program lets go of a task; its queue does not, if it is scheduled.
function tasks.drop()
  local record = schedule.pick()
  if not record then return end
  say("%s = nil", record.name)
  record.dropped = setmetatable({ record.task }, { __mode = "v" })
  record.task = nil
end

-- From now on the task waits on another queue.
function tasks.move()
  local record, queue = schedule.pick(), schedule.living_queue()
  if not record then return end
  say("%s._queue = %s", record.name, queue.name)
  record.task._queue, record.home = queue.object, queue
end

local function inherit(queue, heir)
  for _, record in ipairs(world.records) do
    if record.home == queue then
      -- One that the program has let go of may be that of a blocked call.
      local task = record.task or record.dropped[1]
      record.home = heir
      if task then task._queue = heir.object end
    end
  end
end

-- Nobody has the queue any more; a new one takes its place for those whose it was.
function tasks.abandon()
  local queue = schedule.living_queue()
  inherit(queue, schedule.new_queue())
  say("%s = nil", queue.name)
  queue.object = nil
end

-- A program can do what the collector does.
function tasks.finalize()
  local queue = schedule.living_queue()
  say("getmetatable(%s).__gc(%s)", queue.name, queue.name)
  getmetatable(queue.object).__gc(queue.object)
  queue.closed = true
  for _, record in ipairs(world.records) do
    if record.queue == queue then schedule.stop(record) end
  end
  -- It is of no use but to see that it takes no tasks.
  if input.rarely(2) then inherit(queue, schedule.new_queue()) end
end

local function suspended()
  return world.filter(world.fibers, function(of)
    return of.thread and coroutine.status(of.thread) == "suspended"
  end)
end

-- Starts a coroutine in which calls are made, of which those that block do.
function tasks.start()
  if #suspended() >= MOST_FIBERS then return end
  local record = input.rarely(3) and schedule.pick() or schedule.new_or_old()
  local steps = input.choose(8)
  local new = fiber.new(record, function()
    for _ = 1, steps do
      if input.is_over() then return end
      tasks.step(input.rarely(2))
    end
  end)
  fiber.resume(new)
end

function tasks.resume()
  local of = input.pick(suspended())
  if of then fiber.resume(of) end
end

function tasks.resume_with_values()
  local of = input.pick(suspended())
  if not of then return end
  if input.rarely(3) then return fiber.resume(of, nil) end
  fiber.resume(of, nil, "timeout", of.name)
end

function tasks.close()
  local of = input.pick(suspended())
  if of then fiber.close(of) end
end

-- The coroutine becomes garbage, perhaps while it is blocked.
function tasks.forget()
  local of = input.pick(suspended())
  if not of then return end
  say("%s = nil", of.name)
  of.thread = nil
end

function tasks.yield()
  if not fiber.running then return end
  say("coroutine.yield('pause')")
  coroutine.yield "pause"
end

-- Blocking calls schedule the current task, whosever it is; without one they raise an error.
function tasks.set_current()
  local record = schedule.pick()
  if not fiber.running or not record then return end
  if input.rarely(4) then
    say("xpio.setCurrentTask(nil)")
    return xpio.setCurrentTask(nil)
  end
  say("xpio.setCurrentTask(%s)", record.name)
  xpio.setCurrentTask(record.task)
end

return tasks
