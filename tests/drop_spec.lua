-- Sockets, queues and tasks that the program lets go of, in every order and at every point
-- of a wait, while the collector runs between.
local xpio = require "xpio"
local support = require "support"

--- Calls f with every order of the names.
local function each_order(names, f, chosen, taken)
  chosen, taken = chosen or {}, taken or {}
  if #chosen == #names then return f(chosen) end
  for _, name in ipairs(names) do
    if not taken[name] then
      taken[name] = true
      chosen[#chosen + 1] = name
      each_order(names, f, chosen, taken)
      chosen[#chosen] = nil
      taken[name] = nil
    end
  end
end

--- How the collector may run between two of them.
local collectors = {
  { "nothing", function() end },
  { "a whole collection", function() collectgarbage() end },
  { "a step", function() collectgarbage "step" end },
  { "a collection of the young", function()
    local mode = collectgarbage "generational"
    collectgarbage "step"
    collectgarbage(mode)
  end },
}

--- A queue, a task on it, and the sockets of a pair.
local function make()
  local socket, peer = assert(xpio.socketpair())
  local queue = xpio.tqueue()
  return { queue = queue, task = { _queue = queue }, socket = socket, peer = peer }
end

local other = xpio.tqueue() -- whose waits run the loop

--- Up to where the task got when the objects are dropped.
local points = {
  { "before it is scheduled", function() end },
  { "while it waits", function(objects)
    assert(objects.socket:when_read(objects.task))
    other:wait(0)
  end },
  { "when it is ready and not yet returned", function(objects)
    assert(objects.socket:when_read(objects.task))
    assert(objects.peer:write "x")
    while tostring(objects.queue) ~= "task queue (0 waiting, 1 ready)" do other:wait(0.01) end
  end },
  { "when it is ready because its socket is closed", function(objects)
    assert(objects.socket:when_read(objects.task))
    objects.socket:close()
  end },
  { "when it was returned", function(objects)
    assert(objects.socket:when_write(objects.task))
    support.wait_for(objects.queue, objects.task)
  end },
  { "when it was dequeued", function(objects)
    assert(objects.socket:when_read(objects.task))
    objects.task:_dequeue()
  end },
  { "while its coroutine is blocked", function(objects)
    local task, socket = objects.task, objects.socket
    task.coroutine = coroutine.create(function() return socket:read(1) end)
    assert(support.resume(task))
  end },
  { "when its blocked coroutine is closed", function(objects)
    local task, socket = objects.task, objects.socket
    task.coroutine = coroutine.create(function() return socket:read(1) end)
    assert(support.resume(task))
    assert(coroutine.close(task.coroutine))
  end },
}

--- Everything that is left of what was dropped does its part when the loop runs.
local function settle()
  other:wait(0)
  collectgarbage()
  collectgarbage()
  other:wait(0)
  assert(other:isEmpty())
end

for _, point in ipairs(points) do
  for _, collector in ipairs(collectors) do
    local title = ("objects dropped %s, with %s between, are collected"):format(point[1], collector[1])
    it(title, function()
      local weak = setmetatable({}, { __mode = "k" })
      each_order({ "queue", "task", "socket", "peer" }, function(order)
        local objects = make()
        for _, object in pairs(objects) do weak[object] = true end
        point[2](objects)
        for _, name in ipairs(order) do
          objects[name] = nil
          collector[2]()
          other:wait(0)
        end
      end)
      settle()
      assert.is_nil(next(weak))
    end)
  end
end

describe("a process, its queue and its task", function()
  --- Up to where the task got; the process runs until it is killed.
  local process_points = {
    { "before it is scheduled", function() end },
    { "while it waits", function(objects) assert(objects.process:when_wait(objects.task)) end },
    { "when it is ready and not yet returned", function(objects)
      assert(objects.process:when_wait(objects.task))
      assert(objects.process:kill())
      while tostring(objects.queue) ~= "task queue (0 waiting, 1 ready)" do other:wait(0.01) end
    end },
    { "while its coroutine is blocked", function(objects)
      local task, process = objects.task, objects.process
      task.coroutine = coroutine.create(function() return process:wait() end)
      assert(support.resume(task))
    end },
  }

  for _, point in ipairs(process_points) do
    it(("dropped %s, are collected"):format(point[1]), function()
      local weak, writers = setmetatable({}, { __mode = "k" }), {}
      for _, collector in ipairs(collectors) do
        each_order({ "queue", "task", "process" }, function(order)
          local process, writer = support.sleeper()
          local queue = xpio.tqueue()
          local objects = { process = process, queue = queue, task = { _queue = queue } }
          process, queue = nil, nil -- luacheck: ignore 311
          for _, object in pairs(objects) do weak[object] = true end
          point[2](objects)
          for _, name in ipairs(order) do
            objects[name] = nil
            collector[2]()
            other:wait(0)
          end
          writers[#writers + 1] = writer
        end)
      end
      settle()
      assert.is_nil(next(weak))
      for _, writer in ipairs(writers) do writer:close() end
    end)
  end
end)

describe("objects whose finalizers are called by hand", function()
  --- Finalizes what has a finalizer, and lets go of the task.
  local function finalize(objects, name)
    if name == "task" then objects.task = nil
    else getmetatable(objects[name]).__gc(objects[name]) end
  end

  for _, point in ipairs(points) do
    it(("in every order, %s, are collected"):format(point[1]), function()
      local weak = setmetatable({}, { __mode = "k" })
      each_order({ "queue", "task", "socket", "peer" }, function(order)
        local objects = make()
        for _, object in pairs(objects) do weak[object] = true end
        point[2](objects)
        for _, name in ipairs(order) do
          finalize(objects, name)
          other:wait(0)
        end
        assert.is_true(objects.queue:isEmpty())
        assert.is_nil(objects.queue:wait())
        assert.same({ nil, "Bad file descriptor", "EBADF" }, { objects.socket:try_read(1) })
      end)
      settle()
      assert.is_nil(next(weak))
    end)
  end
end)

describe("in the middle of a wait", function()
  --- Many tasks on a queue, all ready, and a finalizer that runs when the wait allocates
  --- its array and takes part of it all away.
  local function wait_while(take)
    local runs = 0
    for _ = 1, 50 do
      local objects, tasks = make(), {}
      for i = 1, 20 do
        tasks[i] = { _queue = objects.queue }
        assert(objects.socket:when_write(tasks[i]))
      end
      other:wait(0)
      local queue = objects.queue
      setmetatable({}, { __gc = function()
        runs = runs + 1
        take(objects, tasks)
        objects, tasks = nil, nil
      end })
      local ready = support.collecting(queue.wait, queue, 0) or {}
      for _, task in ipairs(ready) do assert.is_nil(task._dequeue) end
      local left = queue:wait(0) or {}
      assert.is_true(#ready + #left <= 20)
    end
    return runs
  end

  for name, take in pairs {
    ["let go of everything"] = function() end,
    ["close the sockets"] = function(objects)
      objects.socket:close()
      objects.peer:close()
    end,
    ["finalize the queue"] = function(objects) getmetatable(objects.queue).__gc(objects.queue) end,
    ["finalize the socket"] = function(objects) getmetatable(objects.socket).__gc(objects.socket) end,
    ["dequeue the tasks"] = function(_, tasks)
      for _, task in ipairs(tasks) do
        if task._dequeue then task:_dequeue() end
      end
    end,
    ["wait on the queue"] = function(objects) objects.queue:wait(0) end,
  } do
    it("a finalizer may " .. name, function()
      assert.equal(50, wait_while(take))
    end)
  end

  it("the array that is used again may hold what is dropped", function()
    local into = {}
    for _ = 1, 20 do
      local objects = make()
      assert(objects.socket:when_write(objects.task))
      into[1], into[2], into[3] = objects.queue, objects.socket, objects.peer
      local queue, task = objects.queue, objects.task
      objects = nil -- luacheck: ignore 311
      assert.same({ task }, queue:wait(support.patience, into))
      collectgarbage()
      other:wait(0)
    end
    assert.equal(1, #into)
  end)
end)

-- Fewer where all of them are gone through at every allocation.
local many = os.getenv "XPIO_COLLECT" == "every" and 600 or 6000

-- Run in an interpreter of its own: the last line is how it ends.
local thousands = [[
  local xpio = require "xpio"
  local queues, sockets = {}, {}
  for i = 1, 100 do
    queues[i] = xpio.tqueue()
    sockets[2 * i - 1], sockets[2 * i] = assert(xpio.socketpair())
  end
  local process = assert(xpio.spawn({ "true" }, nil, { [0] = assert(xpio.pipe()) }))
  kept = setmetatable({}, { __mode = "k" })
  for i = 1, %d do
    local socket, task = sockets[i %% #sockets + 1], { _queue = queues[i %% #queues + 1] }
    if i %% 3 == 0 then
      task.coroutine = coroutine.create(function()
        local _ <close> = socket
        socket:read(1)
      end)
      assert(xpio.resume(task, task.coroutine))
    elseif i %% 3 == 1 then
      assert(socket:when_write(task))
    else
      assert(process:when_wait(task))
    end
    kept[task] = true
    setmetatable(task, { __gc = function(self)
      if i %% 5 == 0 then socket:close() end
      if i %% 7 == 0 and self._dequeue then self:_dequeue() end
      if i %% 11 == 0 then self._queue:wait(0) end
    end })
  end
  queues[1]:wait(0)
  print "made"
  %s
]]

describe("lua_close with thousands of tasks", function()
  for how, leave in pairs {
    ["at the end of the program"] = "all = { queues, sockets, process }",
    ["when nothing refers to them any more"] = "queues, sockets, process = nil, nil, nil",
    ["after a collection of half of them"] = [[
      for i = 1, 50 do queues[i], sockets[i] = nil, nil end
      collectgarbage()]],
    ["by os.exit, in the middle of a task"] = [[
      xpio.resume({}, coroutine.create(function() os.exit(0, true) end))]],
    ["by os.exit, in a finalizer"] = [[
      setmetatable({}, { __gc = function() os.exit(0, true) end })
      collectgarbage()]],
  } do
    it("comes to its end " .. how, function()
      local output, status = support.lua(thousands:format(many, leave))
      assert.equal("made\n", output)
      assert.equal(0, status)
    end)
  end
end)
