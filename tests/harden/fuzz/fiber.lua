-- Coroutines, and the blocking calls in them.
local schedule = require "schedule"
local world = require "world"
local xpio = require "xpio"

local fiber = { running = nil }

local check, say = world.check, world.say

-- A coroutine that runs the function as the task of the record.
function fiber.new(record, body)
  local new = { name = world.name "c", record = record }
  new.thread = coroutine.create(function() body(new) end)
  say("%s = coroutine.create(...) -- with %s", new.name, record.name)
  world.fibers[#world.fibers + 1] = new
  return new
end

-- The call that blocks the fiber is no longer scheduled, however it goes on.
local function unblock(of)
  local call = of.call
  of.call = nil
  if not call then return end
  if call.record.queue and call.record.call == call then schedule.stop(call.record) end
  if call.before then call.before() end
end

local function resume_thread(of, ...)
  if of.record.task then return xpio.resume(of.record.task, of.thread, ...) end
  return coroutine.resume(of.thread, ...)
end

-- After a yield: the task of the call that it is blocked in was scheduled.
local function note_yield(of, value)
  if value ~= xpio.waiting then
    check(value == "pause", "%s yielded %s", of.name, tostring(value))
    return
  end
  local call = of.pending
  check(call, "%s yielded outside of any call", of.name)
  say("-- %s is blocked", of.name)
  of.call = call
  schedule.start(call.record, call.handle, call.direction, call)
end

-- Resumes the fiber with these values.
function fiber.resume(of, ...)
  if not of.thread or coroutine.status(of.thread) ~= "suspended" then return end
  say("xpio.resume(%s, %s%s) -- %s", of.record.name, of.name,
    select("#", ...) > 0 and ", <values>" or "", of.call and "blocked" or "not blocked")
  of.passed = of.call and select("#", ...) > 0 and table.pack(...) or nil
  unblock(of)
  local before, current = fiber.running, xpio.getCurrentTask()
  fiber.running, world.depth = of, world.depth + 1
  local results = table.pack(resume_thread(of, ...))
  fiber.running, world.depth = before, world.depth - 1
  if not results[1] then
    error(debug.traceback(of.thread, results[2], 0), 0)
  end
  check(not of.record.task or xpio.getCurrentTask() == current, "the current task is another one")
  if coroutine.status(of.thread) == "suspended" then note_yield(of, results[2]) end
  schedule.verify()
end

-- Resumes those whose tasks wait has returned, but for what `delays` says yes to.
function fiber.resume_all(returned, delays)
  for _, element in ipairs(returned) do
    local call = element.call
    if call and call.fiber.call == call and not delays() then fiber.resume(call.fiber) end
  end
end

function fiber.close(of)
  if coroutine.status(of.thread) ~= "suspended" then return end
  say("coroutine.close(%s)", of.name)
  unblock(of)
  check(coroutine.close(of.thread), "coroutine.close failed")
end

-- What a call that could not be done at once, and did not block either, says.
local function check_refusal(call, message)
  if not call.record then
    check(message:find("no current task", 1, true), "no refusal: %s", message)
  elseif call.record.queue then
    check(message:find("already scheduled", 1, true), "no refusal: %s", message)
  else
    check(false, "the call raised: %s", message)
  end
end

-- Makes a blocking call of the running fiber. Returns "block" and its results; or nil when it was
-- cut short, by values that it was resumed with or by a refusal to wait.
function fiber.block(call, handle, name, ...)
  local of = fiber.running
  call.fiber, call.handle, call.record = of, handle, schedule.current()
  of.pending = call
  local results = table.pack(pcall(world.method, handle, name, ...))
  of.pending = nil
  local passed = of.passed
  of.passed = nil
  if passed then
    check(results[1] and results.n - 1 == passed.n, "other values came back than were passed")
    for i = 1, passed.n do
      check(results[i + 1] == passed[i], "another value came back than was passed")
    end
    return nil
  end
  if not results[1] then
    check_refusal(call, results[2])
    return nil
  end
  local takes_none = call.record and call.record.home.closed
  if takes_none and handle.open and results[4] == "EBADF" then return nil end
  return "block", table.unpack(results, 2, results.n)
end

return fiber
