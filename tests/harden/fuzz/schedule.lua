-- Tasks and their queues: who is scheduled where, what each waits for, and what wait may return.
local input = require "input"
local world = require "world"
local xpio = require "xpio"

local schedule = {}

local check, say = world.check, world.say

-- More than these at a time show nothing new.
local MOST_TASKS = 12

function schedule.new_queue()
  local queue = { name = world.name "q", object = xpio.tqueue(), waiting = {}, count = 0 }
  say("%s = xpio.tqueue()", queue.name)
  world.queues[#world.queues + 1] = queue
  return queue
end

-- A task, whose record goes on when the program has let go of it.
function schedule.new_record(queue)
  local record = { name = world.name "t", home = queue }
  record.id = #world.records + 1
  record.task = { _queue = queue.object, id = record.id, name = record.name }
  say("%s = { _queue = %s }", record.name, queue.name)
  world.records[record.id] = record
  return record
end

function schedule.current()
  local task = xpio.getCurrentTask()
  return task and world.records[task.id]
end

-- Whether the event may have come, is sure to be there, or will come by itself.
function schedule.may(handle, direction)
  return not handle.open or handle:may(direction)
end

local function must(record)
  return not record.handle.open or record.handle:must(record.direction)
end

local function will(record)
  return not record.handle.open or record.handle:will(record.direction)
end

-- It is not scheduled any more.
function schedule.stop(record)
  record.queue.waiting[record.id] = nil
  record.queue.count = record.queue.count - 1
  record.queue, record.call = nil, nil
end

-- The task of the record has been scheduled, by a blocked call or else `call` is nil.
function schedule.start(record, handle, direction, call)
  if record.queue then
    check(not record.queue.object, "%s was scheduled twice", record.name)
    schedule.stop(record) -- that queue has been collected
  end
  record.queue, record.handle, record.direction, record.call = record.home, handle, direction, call
  record.may = schedule.may(handle, direction)
  record.home.waiting[record.id] = record
  record.home.count = record.home.count + 1
end

local function in_order(queue)
  local records = {}
  for _, record in pairs(queue.waiting) do records[#records + 1] = record end
  table.sort(records, function(a, b) return a.id < b.id end)
  return records
end

-- After whatever may have been an event.
function schedule.refresh()
  for _, queue in ipairs(world.queues) do
    for _, record in pairs(queue.waiting) do
      record.may = record.may or schedule.may(record.handle, record.direction)
    end
  end
end

-- A queue that is not referred to any more: until it is collected, its tasks may be scheduled.
local function resolve(queue)
  for _, record in ipairs(in_order(queue)) do
    if not record.task or not record.task._dequeue then schedule.stop(record) end
  end
end

local function verify_queue(queue)
  local object = queue.object
  check(object:isEmpty() == (queue.count == 0), "%s:isEmpty() is wrong", queue.name)
  local waiting, ready = tostring(object):match "^task queue %((%d+) waiting, (%d+) ready%)$"
  check(waiting + ready == queue.count, "%s has %d tasks scheduled and says: %s", queue.name,
    queue.count, object)
end

-- Whether what can be seen of tasks and queues is what it ought to be.
function schedule.verify()
  schedule.refresh()
  for _, queue in ipairs(world.queues) do
    if queue.object then verify_queue(queue) else resolve(queue) end
  end
  for _, record in ipairs(world.records) do
    if record.task and (not record.queue or record.queue.object) then
      check((record.task._dequeue ~= nil) == (record.queue ~= nil), "%s is %sscheduled",
        record.name, record.queue and "not " or "")
      check((record.task._dequeuedata ~= nil) == (record.queue ~= nil), "%s has half its fields",
        record.name)
    end
  end
end

-- Checks an array that wait has returned: each task was scheduled there, and had an event.
local function take_returned(queue, tasks)
  local records = {}
  for i, task in ipairs(tasks) do
    local record = world.records[task.id]
    check(record.queue == queue, "%s was returned and is not scheduled there", record.name)
    check(record.may, "%s was returned without an event", record.name)
    check(task._dequeue == nil and task._dequeuedata == nil, "%s was returned and has _dequeue",
      record.name)
    records[i] = { record = record, call = record.call }
    schedule.stop(record)
  end
  return records
end

local function check_missed(sure)
  for _, record in ipairs(sure) do
    check(not record.queue, "%s was ready and not returned", record.name)
  end
end

-- Those whose event is sure to be there.
local function sure_of(queue)
  return world.filter(in_order(queue), must)
end

-- Calls wait and returns, for each task, its record and the call that was blocked.
function schedule.wait(queue, timeout, into)
  schedule.refresh()
  local sure, count = sure_of(queue), queue.count
  local start = xpio.gettime()
  local tasks = world.method(queue, "wait", timeout, into)
  if queue.closed or not timeout and count == 0 then
    check(tasks == nil, "wait did not return nil")
    return {}
  end
  check(type(tasks) == "table", "wait returned %s", tostring(tasks))
  check(not into or tasks == into, "wait returned another table")
  if #tasks == 0 then
    local elapsed = xpio.gettime() - start
    check(timeout and elapsed >= timeout, "wait was over after %s seconds", elapsed)
  end
  local records = take_returned(queue, tasks)
  check_missed(sure)
  return records
end

-- Whether a wait without a timeout will return.
function schedule.will_return(queue)
  if queue.count == 0 then return true end
  return #world.filter(in_order(queue), will) > 0
end

-- How many tasks of the queue are still to come by themselves.
function schedule.outstanding(queue)
  return world.filter(in_order(queue), will)
end

function schedule.living_queue()
  return input.pick(world.filter(world.queues, function(queue) return queue.object end))
end

local function living_records()
  return world.filter(world.records, function(record) return record.task end)
end

-- A record whose task the program still has.
function schedule.pick()
  return input.pick(living_records())
end

-- A record of a new task, unless there are enough of them.
function schedule.new_or_old()
  local living = living_records()
  if #living >= MOST_TASKS then return input.pick(living) end
  return schedule.new_record(schedule.living_queue())
end

return schedule
