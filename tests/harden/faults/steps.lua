-- The steps of scenarios: calls that may meet the fault of the case.
--
-- A call that has reported the fault is made again and must succeed then: nothing may have
-- happened when it failed. So a scenario comes to its end in any case, and what it moves must be
-- there once and in order. Only for want of Lua's memory it may end early.

local steps = {
  MIDDLE = {}, -- the error that ends a scenario in its middle
}

local fault -- what the case is, and functions: see case.c
local xpio
local kept = {} -- all that was made, until the scenario forgets it
local reported = false

--- To be called before all else; xpio may come later.
function steps.begin(case, module)
  fault, xpio = case, module
end

--- Returns what it is given.
function steps.keep(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "userdata" or type(value) == "table" then kept[#kept + 1] = value end
  end
  return ...
end

function steps.forget()
  kept = {}
  collectgarbage()
  collectgarbage()
end

--- The place for lua_close to come at.
function steps.middle()
  if fault.closes then error(steps.MIDDLE) end
end

--- Whether this is what the fault had to be reported as. It is, once.
function steps.is_report(code)
  if reported or code == nil or code ~= fault.code or fault.hits() ~= 1 then return false end
  reported = true
  fault.report()
  return true
end

--- Whether it is what a lack of memory is raised as: of Lua's, and of xpio's for an object.
-- Where Lua's stack cannot grow, Lua does not say why.
function steps.is_memory_error(message)
  if type(message) ~= "string" then return false end
  if fault.ofLua and message:find "stack overflow" then return true end
  return message == "not enough memory" and (fault.ofLua or steps.is_report "ENOMEM")
end

local function settle(f, a, b, c, ok, first, second, third, ...)
  local memory = not ok and steps.is_memory_error(first)
  if not ok and not memory then error(first, 0) end
  if memory or (first == nil and steps.is_report(third)) then return steps.keep(f(a, b, c)) end
  return steps.keep(first, second, third, ...)
end

--- Calls a function, perhaps twice, and returns what it does.
function steps.attempt(f, a, b, c)
  return settle(f, a, b, c, pcall(f, a, b, c))
end

--- The same, but that there is no second time when memory ran out.
function steps.attempt_or_end(f, ...)
  if fault.ofLua then return steps.keep(f(...)) end
  return steps.attempt(f, ...)
end

local function succeeded(first, second, third, ...)
  if first == nil then
    error(("%s (%s), though the fault was %s"):format(second, third, fault.code), 3)
  end
  return first, second, third, ...
end

--- The same where a failure is a defect.
function steps.must(...)
  return succeeded(steps.attempt(...))
end

function steps.check(truth, message)
  if not truth then error(message or "a check has failed", 2) end
end

--- Writes all, from this byte on. How much was written before memory ran out is not known.
function steps.write(object, data, first)
  local count, message, code, written = object:write(data, first)
  if not count and steps.is_report(code) then
    steps.check(written >= 0, "written")
    count, message = object:write(data, (first or 1) + written)
  end
  steps.check(count, message)
end

--- Reads so many bytes, or to the end. What was read when there is no memory for it is lost.
function steps.read(object, size)
  local parts, length = {}, 0
  while length < (size or math.huge) do
    local part, message, code = steps.attempt_or_end(object.read, object, 16384)
    steps.check(part or not code, message)
    if not part then break end
    parts[#parts + 1] = part
    length = length + #part
  end
  return table.concat(parts)
end

--- A text in which every part is another.
local function text_of(size)
  local parts, rest = {}, ("."):rep(94)
  for i = 1, size // 100 do parts[i] = ("%05d "):format(i) .. rest end
  return table.concat(parts)
end

steps.TEXT = text_of(80000)

function steps.same(one, other)
  steps.check(one == other, ("%d bytes came, or others, where %d were sent"):format(#one, #other))
end

--- Runs functions as tasks until all have returned.
function steps.run(...)
  local queue, left = steps.must(xpio.tqueue), 0
  local function resume(task)
    local ok, message = xpio.resume(task, task.coroutine)
    if not ok then error(message, 0) end
    if coroutine.status(task.coroutine) == "dead" then left = left - 1 end
  end
  for _, body in ipairs { ... } do
    left = left + 1
    resume(steps.keep { _queue = queue, coroutine = coroutine.create(body) })
  end
  while left > 0 do
    local ready = steps.attempt(queue.wait, queue)
    steps.check(ready, "a task is lost")
    for _, task in ipairs(ready) do resume(task) end
  end
end

function steps.connected_pair()
  local listener = steps.must(xpio.socket, "TCP")
  steps.must(listener.setsockopt, listener, "SO_REUSEADDR", true)
  steps.must(listener.bind, listener, "127.0.0.1:0")
  steps.must(listener.listen, listener)
  local address = steps.must(listener.getsockname, listener)
  local client = steps.must(xpio.socket, "TCP")
  steps.must(client.connect, client, address)
  local server = steps.must(listener.accept, listener)
  steps.same(steps.must(server.getpeername, server), steps.must(client.getsockname, client))
  return client, server, listener
end

--- What is written in all ways at one end comes out of the other.
function steps.transfer(writer, reader, size)
  local text, received = steps.TEXT:sub(1, size), nil
  local half = #text // 2
  steps.run(function()
    received = steps.read(reader, #text)
  end, function()
    steps.write(writer, text:sub(1, half))
    steps.middle()
    steps.write(writer, { text:sub(half + 1, half + 8), "", text:sub(half + 9) })
  end)
  steps.same(received, text)
end

function steps.wait_for(process, how, status)
  local ended, number, code = steps.attempt(process.wait, process)
  if not ended and code == "ECHILD" and fault.code == "ECHILD" and fault.hits() == 1 then
    steps.check(select(3, process:wait()) == "ECHILD", "a lost status has come back")
    fault.report()
    return
  end
  steps.check(ended == how and number == status, ("the child's end: %s %s"):format(ended, number))
end

--- Starts a child. The objects of a failed attempt are as they were.
function steps.spawn(...)
  local files = select(3, ...)
  local process, message, code, step = xpio.spawn(...)
  if not process and steps.is_report(code) then
    steps.check(step, "no step")
    for _, object in pairs(files or {}) do
      steps.check(not object or object:getsockopt "O_NONBLOCK" == true, "O_NONBLOCK was not restored")
    end
    process, message = xpio.spawn(...)
  end
  steps.check(process, message)
  return steps.keep(process)
end

function steps.cat(attributes)
  local from, to = steps.must(xpio.pipe)
  local out, into = steps.must(xpio.pipe)
  local process = steps.spawn({ "cat" }, { LC_ALL = "C" }, { [0] = from, [1] = into }, attributes)
  return process, to, out
end

return steps
