-- Does at random what programs do with sockets, queues, tasks, coroutines and processes, and
-- lets go of them, also out of finalizers, metamethods and <close> variables:
--   lua5.4 random.lua SEED STEPS
-- The same seed does the same, as far as the system does. Prints nothing; a crash, or an error
-- that is none of its own, is a failure.
local xpio = require "xpio"

local seed, steps = tonumber(arg[1]), tonumber(arg[2])
math.randomseed(seed)

-- What the program holds; places that are nil have been let go of.
local PLACES = 12
local sockets, queues, tasks, coroutines, processes = {}, {}, {}, {}, {}

local depth, started = 0, 0
local step -- does something

local function any(objects) return objects[math.random(PLACES)] end

local function keep(objects, object)
  if object then objects[math.random(PLACES)] = object end
end

--- Something within something else, but not without an end.
local function within()
  if depth > 3 then return end
  depth = depth + 1
  local ok, message = pcall(step)
  depth = depth - 1
  if not ok then error(message, 0) end
end

--- An error that says that the program has done wrong is not one of xpio's.
local expected = { "expected, got", "already scheduled", "not scheduled", "another task's", "cannot yield",
  "no current task", "stack overflow", "no second time", "current task:", "cannot close", "outside the data" }

local function try(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  for _, text in ipairs(expected) do
    if tostring(results[2]):find(text, 1, true) then return end
  end
  error(results[2], 0)
end

local function new_task()
  local task, metatable = { _queue = any(queues) }, {}
  if math.random(4) == 1 then
    local queue = task._queue
    task._queue = nil
    metatable.__index = function(_, name)
      if name ~= "_queue" then return nil end
      if math.random(8) == 1 then error("no second time", 0) end
      within()
      return queue
    end
  end
  if math.random(4) == 1 then metatable.__gc = within end
  return setmetatable(task, metatable)
end

local blocking = {
  function(socket) return socket:read(math.random(3)) end,
  function(socket) return socket:write(("x"):rep(math.random(300000))) end,
  function(socket) return socket:write { 1, "x", ("y"):rep(math.random(300000)) } end,
  function(socket) return socket:accept() end,
  function(socket) return socket:recvfrom(10) end,
  function(socket) return socket:connect "127.0.0.1:1" end,
  function()
    local process = any(processes)
    return process and process:wait()
  end,
}

--- Starts a coroutine that blocks again and again.
local function block()
  local task, socket = any(tasks), any(sockets)
  if not task or not socket then return end
  local call = blocking[math.random(#blocking)]
  local co = coroutine.create(function()
    local _ <close> = math.random(2) == 1 and setmetatable({}, { __close = within }) or nil
    local other <close> = math.random(8) == 1 and xpio.socketpair() or nil
    for _ = 1, 3 do
      try(call, other or socket)
      within()
    end
  end)
  keep(coroutines, co)
  try(xpio.resume, task, co)
end

local function wait()
  local queue = any(queues)
  if not queue then return end
  local ready = queue:wait(0, math.random(3) == 1 and any(tasks) or nil) or {}
  for i = 1, #ready do
    local task = ready[i]
    assert(type(task) == "table")
  end
end

local function schedule()
  local task, socket, process = any(tasks), any(sockets), any(processes)
  if not task then return end
  if process and math.random(4) == 1 then return try(process.when_wait, process, task) end
  if socket then try(math.random(2) == 1 and socket.when_read or socket.when_write, socket, task) end
end

local function finalize(object)
  if object then getmetatable(object).__gc(object) end
end

local all = { sockets, queues, tasks, coroutines, processes }

local function pair()
  local one, other = xpio.socketpair()
  keep(sockets, one)
  keep(sockets, other)
end

local actions = {
  function()
    local one, other = xpio.pipe()
    keep(sockets, one)
    keep(sockets, other)
  end,
  function()
    local socket = xpio.socket(math.random(2) == 1 and "TCP" or "UDP")
    socket:bind "127.0.0.1:0"
    socket:listen()
    keep(sockets, socket)
  end,
  function() keep(queues, xpio.tqueue()) end,
  function() keep(tasks, new_task()) end,
  schedule, schedule, schedule, wait, wait, block, block,
  function()
    local task = any(tasks)
    local dequeue = task and rawget(task, "_dequeue")
    if dequeue then try(dequeue, task) end
  end,
  function()
    local co, task = any(coroutines), any(tasks)
    if co and task then xpio.resume(task, co, table.unpack({ 1, 2, 3 }, 1, math.random(0, 3))) end
  end,
  function()
    local co = any(coroutines)
    if co then try(coroutine.close, co) end
  end,
  function()
    local socket = any(sockets)
    if socket then socket:try_write(("x"):rep(math.random(1000))) end
  end,
  function()
    local socket = any(sockets)
    if socket then socket:try_read(1000) end
  end,
  pair, pair,
  function()
    local _ <close> = math.random(3) == 1 and any(sockets) or nil
  end,
  function()
    local socket = math.random(3) == 1 and any(sockets)
    if socket then socket:close() end
  end,
  function()
    if math.random(5) == 1 then finalize(any(all[math.random(2)])) end
  end,
  function() finalize(any(processes)) end,
  function() all[math.random(#all)][math.random(PLACES)] = nil end,
  function() collectgarbage(math.random(10) == 1 and "collect" or "step") end,
  function() xpio.setCurrentTask(any(tasks)) end,
  function()
    if started == 20 or math.random(10) > 1 then return end
    started = started + 1
    keep(processes, xpio.spawn({ "true" }, {}, { [0] = any(sockets) }))
  end,
}

function step()
  actions[math.random(#actions)]()
end

collectgarbage "restart"
for _ = 1, steps do step() end
for _, objects in ipairs(all) do
  for place = 1, PLACES do objects[place] = nil end
end
