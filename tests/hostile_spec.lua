local capability = require "capability"
local xpio = require "xpio"
local support = require "support"

local queue, a, b

local function setup_pair()
  queue = xpio.tqueue()
  a, b = assert(xpio.socketpair())
end

local function close_pair()
  a:close()
  b:close()
end

describe("a method called on something else", function()
  before_each(setup_pair)
  after_each(close_pair)

  --- Call every function of a metatable on every value that is none of its type.
  ---@return integer calls how many functions there were
  local function call_all(object, name, others)
    local calls = 0
    for _, f in pairs(getmetatable(object)) do
      if type(f) == "function" then
        calls = calls + 1
        for _, other in ipairs(others) do
          assert.error_matches(function() f(other, 1) end, name .. " expected, got ")
        end
        assert.error_matches(function() f() end, name .. " expected, got n")
        assert.error_matches(function() f(nil) end, name .. " expected, got nil")
      end
    end
    return calls
  end

  local function others(...)
    local task = { _queue = queue }
    a:when_read(task)
    return { false, 0, "socket", {}, print, io.stdout, coroutine.create(print), xpio.waiting, xpio,
      task._dequeuedata, setmetatable({}, getmetatable(a)), setmetatable({}, getmetatable(queue)), ... }
  end

  it("raises an argument error: every method of a socket", function()
    assert.is_true(call_all(a, "xpio%.socket", others(queue)) >= 25)
    assert.is_false(queue:isEmpty())
  end)

  it("raises an argument error: every method of a task queue", function()
    assert.equal(4, call_all(queue, "xpio%.tqueue", others(a)))
    assert.is_false(queue:isEmpty())
  end)

  it("gives nothing away of _dequeuedata", function()
    local task = { _queue = queue }
    a:when_read(task)
    local data = task._dequeuedata
    assert.is_nil(data.anything)
    assert.is_false(pcall(function() data.anything = 1 end))
    assert.is_false(pcall(setmetatable, data, {}))
    assert.is_false(pcall(function() local _ <close> = data; error "scope left" end))
    b:write "x"
    support.wait_for(queue, task)
  end)
end)

describe("a task whose _queue is read by a function", function()
  before_each(setup_pair)
  after_each(close_pair)

  local function reading(f)
    return setmetatable({}, { __index = function(_, name)
      if name == "_queue" then return f() end
    end })
  end

  it("is ready at once when that closes the socket", function()
    local task = reading(function()
      a:close()
      return queue
    end)
    assert.is_true(a:when_read(task))
    support.wait_for(queue, task)
  end)

  it("is not scheduled when that finalizes the queue", function()
    local task = reading(function()
      getmetatable(queue).__gc(queue)
      return queue
    end)
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { a:when_read(task) })
    assert.is_nil(next(task))
    assert.is_true(queue:isEmpty())
  end)

  it("is not scheduled when that yields or raises an error", function()
    for _, f in ipairs { coroutine.yield, error } do
      local task = reading(f)
      assert.is_false(coroutine.resume(coroutine.create(function() a:when_read(task) end)))
      assert.is_nil(next(task))
    end
    assert.is_true(queue:isEmpty())
  end)

  it("makes a blocking call raise the error, with nothing scheduled", function()
    local task = reading(function() error "mine" end)
    task.coroutine = coroutine.create(function() return a:read(1) end)
    local ok, message = support.resume(task)
    assert.is_false(ok)
    assert.matches("mine", message)
    assert.is_nil(rawget(task, "_dequeue"))
    b:write "x"
    assert.equal("x", a:read(1))
  end)
end)

describe("a task with fields that a program has written", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("counts as scheduled when _dequeue is set, to whatever", function()
    for _, value in ipairs { true, 0, print, "x" } do
      local task = { _queue = queue, _dequeue = value }
      assert.error_matches(function() a:when_read(task) end, "already scheduled")
      assert.equal(value, task._dequeue)
    end
    assert.error_matches(function() a:when_read { _queue = queue, _dequeue = false } end, "already scheduled")
    assert.is_true(queue:isEmpty())
  end)

  it("does not count as scheduled for a _dequeue of its class", function()
    local class = { _queue = queue, _dequeue = print }
    local task = setmetatable({}, { __index = class })
    assert.is_true(a:when_read(task))
    assert.not_equal(print, task._dequeue)
    task:_dequeue()
    assert.is_true(queue:isEmpty())
    assert.equal(print, task._dequeue)
  end)

  it("is held although it is a weak table, or has a finalizer", function()
    local finalized = 0
    for _, mode in ipairs { "k", "v", "kv" } do
      a:when_read(setmetatable({ _queue = queue }, { __mode = mode }))
    end
    a:when_read(setmetatable({ _queue = queue }, { __gc = function() finalized = finalized + 1 end }))
    collectgarbage()
    collectgarbage()
    assert.equal(0, finalized)
    b:write "x"
    assert.equal(4, #queue:wait(support.patience))
    collectgarbage()
    collectgarbage()
    assert.equal(1, finalized)
  end)

  -- One who clears the fields by hand can have a task wait twice. It is returned
  -- twice; nothing worse.
  it("is returned once for each time that it was scheduled by force", function()
    local task = { _queue = queue }
    a:when_read(task)
    local first_dequeue, first_data = task._dequeue, task._dequeuedata
    task._dequeue = nil
    a:when_read(task)
    b:write "x"
    assert.same({ task, task }, queue:wait(support.patience))
    assert.is_true(queue:isEmpty())
    task._dequeuedata = first_data
    assert.error_matches(function() first_dequeue(task) end, "not scheduled")
  end)
end)

describe("a coroutine that is dead, or dies", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("has its task returned like any other", function()
    local task = support.task(queue, function() end)
    assert.is_true(support.resume(task))
    a:when_read(task)
    b:write "x"
    support.wait_for(queue, task)
    assert.same({ false, "cannot resume dead coroutine" }, { support.resume(task) })
  end)

  it("leaves nothing behind by an error in __close while it is blocked", function()
    local task = support.blocked(queue, function()
      local _ <close> = setmetatable({}, { __close = function() error "in __close" end })
      a:read(1)
    end)
    local ok, message = coroutine.close(task.coroutine)
    assert.is_false(ok)
    assert.matches("in __close", message)
    assert.is_nil(task._dequeue)
    assert.is_true(queue:isEmpty())
  end)

  it("is told EBADF when its queue was finalized by hand", function()
    local task = support.blocked(queue, function() return a:read(1) end)
    getmetatable(queue).__gc(queue)
    assert.is_nil(task._dequeue)
    assert.same({ true, nil, "Bad file descriptor", "EBADF" }, { support.resume(task) })
  end)

  it("is collected with its queue although it is blocked", function()
    local weak = setmetatable({}, { __mode = "v" })
    do
      local task = support.blocked(xpio.tqueue(), function() return a:read(1) end)
      weak.task, weak.coroutine, weak.queue = task, task.coroutine, task._queue
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
    b:write "x"
    assert.equal("x", a:read(1))
  end)

  it("gets as many values as it is resumed with", function()
    local task = support.blocked(queue, function() return select("#", a:read(1)) end)
    assert.same({ true, 100000 }, { support.resume(task, table.unpack({}, 1, 100000)) })
    assert.is_true(queue:isEmpty())
  end)

  -- Taking the task out takes room on the stack, too.
  capability.it "fixed_stack" ("leaves its queue when it is resumed with as many values as fit", function()
    local function read_deep_down(depth)
      if depth == 0 then return a:read(1) end
      return (read_deep_down(depth - 1))
    end
    local function accepts(count)
      local task = support.blocked(queue, function() return read_deep_down(1000) end)
      local called, _, message = pcall(coroutine.resume, task.coroutine, table.unpack({}, 1, count))
      assert.is_true(called)
      if message == "too many arguments to resume" then
        task:_dequeue()
        return false
      end
      assert.is_true(queue:isEmpty())
      assert.is_nil(task._dequeue)
      return true
    end
    local fits, too_many = 1, 998000 -- of a million places that a stack has
    while too_many - fits > 1 do
      local middle = (fits + too_many) // 2
      if accepts(middle) then fits = middle else too_many = middle end
    end
    assert.is_true(fits > 900000)
  end)

  capability.it "fixed_stack" ("schedules a task wholly or not at all when its stack is full", function()
    local half = 0
    local function deeper()
      local task = { _queue = queue }
      local ok = pcall(a.when_read, a, task)
      if ok ~= (task._dequeue ~= nil) or ok ~= (task._dequeuedata ~= nil) then half = half + 1 end
      if task._dequeue then task:_dequeue() end
      return 1 + deeper()
    end
    local ok, message = coroutine.resume(coroutine.create(deeper))
    assert.is_false(ok)
    assert.matches("stack overflow", message)
    assert.equal(0, half)
    assert.is_true(queue:isEmpty())
  end)

  capability.it "fixed_stack" ("blocks as ever after its stack was full", function()
    local function deeper()
      return 1 + deeper(a:try_read(1))
    end
    -- Its arguments take most of the million places that a stack has: a million calls of
    -- read would take a minute where that is slow.
    local function overflow(...)
      return pcall(deeper, (...))
    end
    local task = support.task(queue, function()
      local ok, message = overflow(table.unpack({}, 1, 995000))
      return ok, message:match "stack overflow", a:read(1)
    end)
    assert.same({ true, xpio.waiting }, { support.resume(task) })
    b:write "x"
    support.wait_for(queue, task)
    assert.same({ true, false, "stack overflow", "x" }, { support.resume(task) })
  end)
end)

describe("finalizers that run while a queue allocates", function()
  before_each(setup_pair)
  after_each(close_pair)

  --- Schedules tasks that are ready soon, round by round, while a finalizer takes
  --- away what it can. Each task must get to exactly one place.
  local function contest(take)
    local fates = setmetatable({}, { __mode = "k" })
    local scheduled, ended, runs = 0, 0, 0
    local function ends(task)
      assert(fates[task] == "scheduled", "a task has ended twice")
      assert(rawget(task, "_dequeue") == nil and rawget(task, "_dequeuedata") == nil)
      fates[task] = "ended"
      ended = ended + 1
    end
    local tasks, failure = {}, nil
    local function rearm()
      setmetatable({}, { __gc = function()
        runs = runs + 1
        local ok, message = pcall(take, tasks, ends)
        if not ok then failure = message end
      end })
    end
    local pause = support.set_pause(0)
    finally(function() support.set_pause(pause) end)
    collectgarbage "restart" -- from here, not from when the heap was larger
    for round = 1, 400 do
      tasks = {}
      for i = 1, 8 do
        local task = { _queue = queue }
        fates[task] = "scheduled"
        scheduled = scheduled + 1
        tasks[i] = task
        assert.is_true(a:when_write(task))
        rearm()
      end
      repeat
        rearm()
        -- Without a timeout: the finalizer may have left nothing to wait for.
        local ready = round % 2 == 0 and queue:wait() or queue:wait(0)
        for _, task in ipairs(ready) do ends(task) end
      until queue:isEmpty()
      assert.is_nil(failure)
    end
    assert.equal(scheduled, ended)
    assert.is_true(runs > 100)
  end

  it("may wait on the same queue: each task is returned once", function()
    contest(function(_, ends)
      for _, task in ipairs(queue:wait(0)) do ends(task) end
    end)
  end)

  it("may dequeue: what they take is not returned", function()
    contest(function(tasks, ends)
      local task = tasks[#tasks]
      if task and task._dequeue then
        task:_dequeue()
        ends(task)
      end
    end)
  end)

  it("may close the object that is waited for: its tasks are returned", function()
    contest(function()
      a:close()
      b:close()
      a, b = xpio.socketpair()
    end)
  end)
end)
