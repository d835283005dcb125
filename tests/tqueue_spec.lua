local xpio = require "xpio"
local support = require "support"

describe("tqueue:wait", function()
  local queue, reader, writer

  before_each(function()
    queue = xpio.tqueue()
    reader, writer = assert(xpio.pipe())
  end)

  after_each(function()
    reader:close()
    writer:close()
  end)

  local function schedule()
    local task = { _queue = queue }
    assert.is_true(reader:when_read(task))
    return task
  end

  it("returns nil at once when nothing is scheduled and there is no timeout", function()
    assert.same({ n = 1 }, table.pack(queue:wait()))
    assert.same({ n = 1 }, table.pack(queue:wait(nil)))
    assert.same({ n = 1 }, table.pack(queue:wait(false)))
  end)

  it("returns an empty array when the timeout is over before a task is ready", function()
    local task = schedule()
    assert.same({}, queue:wait(0.01))
    assert.is_false(queue:isEmpty())
    assert.is_function(task._dequeue)
  end)

  it("sleeps for the timeout when nothing is scheduled", function()
    local start = xpio.gettime()
    assert.same({}, queue:wait(0.05))
    assert.is_true(xpio.gettime() - start >= 0.05)
  end)

  it("never returns before the timeout while no task is ready", function()
    schedule()
    for _, timeout in ipairs { 0.0001, 0.0005, 0.001, 0.0015, 0.0033, 0.01 } do
      for _ = 1, 10 do
        local start = xpio.gettime()
        assert.same({}, queue:wait(timeout))
        assert.is_true(xpio.gettime() - start >= timeout)
      end
    end
  end)

  -- uv_run calls the timers that are due before it polls, and after that polled
  -- for ever: a pass whose timer had run out by then never ended.
  it("returns when the timeout was over before the loop began to poll", function()
    if not os.getenv "XPIO_DELAY" then return pending "libuv is no shared library of a Linux" end
    -- Loaded first and for all, it has its uv_run called instead of libuv's.
    local output, status = support.lua(([[
      assert(package.loadlib(%q, "*"))
      local xpio = require "xpio"
      local queue = xpio.tqueue()
      local reader, writer = xpio.pipe()
      reader:when_read { _queue = queue }
      local start = xpio.gettime()
      io.write(#queue:wait(0.001), xpio.gettime() - start >= 0.005 and " late" or " at once")
      writer:close()
    ]]):format(os.getenv "XPIO_DELAY"))
    assert.same("0 late", output)
    assert.equal(0, status)
  end)

  it("takes a timeout of 0 or less as not to wait at all", function()
    for _, timeout in ipairs { 0, 0.0, -0.0, -1, -1e300, -math.huge, math.mininteger } do
      assert.same({}, queue:wait(timeout))
    end
  end)

  it("waits for ever when the timeout is math.huge, until a task is ready", function()
    local task = schedule()
    writer:write "x"
    assert.same({ task }, queue:wait(math.huge))
  end)

  it("takes a timeout of more years than a clock counts", function()
    local task = schedule()
    writer:write "x"
    assert.same({ task }, queue:wait(1e300))
    schedule()
    assert.same(1, #queue:wait(math.maxinteger))
  end)

  it("raises an argument error for a timeout that is NaN or no number", function()
    assert.error_matches(function() queue:wait(0 / 0) end, "bad argument #1 to 'wait' %(.*NaN")
    for _, value in ipairs { "1", {}, true, print } do
      assert.error_matches(function() queue:wait(value) end,
        "bad argument #1 to 'wait' %(number expected, got ")
    end
  end)

  it("returns a task whose event has come, without _dequeue and _dequeuedata", function()
    local task = schedule()
    writer:write "x"
    local ready = queue:wait()
    assert.equal(1, #ready)
    assert.equal(task, ready[1])
    assert.is_nil(rawget(task, "_dequeue"))
    assert.is_nil(rawget(task, "_dequeuedata"))
    assert.equal(queue, task._queue)
  end)

  it("returns the table it is given, as an array of the tasks and nothing else", function()
    local into = { "a", "b", "c", "d", name = "kept", [10] = "kept" }
    local task = schedule()
    assert.equal(into, queue:wait(0, into))
    assert.same({ name = "kept", [10] = "kept" }, into)
    writer:write "x"
    assert.equal(into, queue:wait(nil, into))
    assert.same({ task, name = "kept", [10] = "kept" }, into)
  end)

  it("lets the table grow to as many tasks as are ready", function()
    local into, tasks = { false }, {}
    for i = 1, 100 do tasks[i] = schedule() end
    writer:write "x"
    assert.same(tasks, queue:wait(nil, into))
    assert.same({}, queue:wait(0, into))
  end)

  it("leaves the table alone when there is nothing to wait for", function()
    local into = { "a" }
    assert.is_nil(queue:wait(nil, into))
    assert.same({ "a" }, into)
  end)

  it("calls no metamethod of the table", function()
    local into = setmetatable({}, { __index = error, __newindex = error, __len = error })
    local task = schedule()
    writer:write "x"
    assert.equal(into, queue:wait(nil, into))
    assert.equal(task, rawget(into, 1))
  end)

  it("raises an argument error for what is no table to put the tasks into", function()
    local task = schedule()
    writer:write "x"
    for _, value in ipairs { "1", 1, true, print, queue } do
      assert.error_matches(function() queue:wait(nil, value) end,
        "bad argument #2 to 'wait' %(table expected, got ")
    end
    assert.same({ task }, queue:wait(nil, nil))
  end)

  it("returns a task once", function()
    schedule()
    writer:write "x"
    assert.equal(1, #queue:wait())
    assert.is_true(queue:isEmpty())
    assert.same({}, queue:wait(0))
    assert.is_nil(queue:wait())
  end)

  it("returns all tasks that are ready together", function()
    local tasks = {}
    for i = 1, 100 do
      local socket = assert(xpio.socketpair())
      tasks[i] = { _queue = queue, socket = socket }
      assert(socket:when_write(tasks[i]))
    end
    local seen = {}
    while not queue:isEmpty() do
      for _, task in ipairs(queue:wait(support.patience)) do
        assert.is_nil(seen[task])
        seen[task] = true
      end
    end
    for _, task in ipairs(tasks) do assert.is_true(seen[task]) end
  end)

  -- A file is ready the moment it is waited for. If wait returned it without
  -- running the loop, sockets would never get their turn.
  it("polls although tasks are ready, so that a file cannot starve a socket", function()
    local file = assert(io.tmpfile())
    local always = assert(xpio.fdopen(file))
    local task = schedule()
    writer:write "x"
    local rounds = 0
    repeat
      local eager = { _queue = queue }
      assert(always:when_read(eager))
      local found
      for _, ready in ipairs(queue:wait()) do found = found or ready == task end
      rounds = rounds + 1
    until found or rounds == 100
    assert.is_true(rounds < 100)
    always:close()
    file:close()
  end)

  it("can be called from a coroutine", function()
    schedule()
    writer:write "x"
    local ready = coroutine.wrap(function() return queue:wait() end)()
    assert.equal(1, #ready)
  end)

  it("is found in the metatable, where a profiler can replace it", function()
    local methods = getmetatable(queue)
    local original, calls = methods.wait, 0
    methods.wait = function(...)
      calls = calls + 1
      return original(...)
    end
    finally(function() methods.wait = original end)
    queue:wait(0)
    assert.equal(1, calls)
  end)
end)

describe("tqueue:isEmpty", function()
  it("is true when no task is scheduled, and false from scheduling to wait's return", function()
    local queue = xpio.tqueue()
    local reader, writer = xpio.pipe()
    assert.is_true(queue:isEmpty())
    reader:when_read { _queue = queue }
    assert.is_false(queue:isEmpty())
    writer:write "x"
    xpio.tqueue():wait(0.01) -- the event has fired, the task is not returned yet
    assert.is_false(queue:isEmpty())
    queue:wait()
    assert.is_true(queue:isEmpty())
  end)
end)

describe("queues side by side", function()
  it("keep the events that come while another one waits", function()
    local one, other = xpio.tqueue(), xpio.tqueue()
    local a, b = xpio.socketpair()
    local c, d = xpio.socketpair()
    local task, other_task = { _queue = one }, { _queue = other }
    a:when_read(task)
    c:when_read(other_task)
    b:write "x"
    d:write "y"
    support.wait_for(one, task)
    support.wait_for(other, other_task)
  end)

  it("serve the reader and the writer of one socket", function()
    local readers, writers = xpio.tqueue(), xpio.tqueue()
    local a, b = xpio.socketpair()
    support.fill(a)
    local reading, writing = { _queue = readers }, { _queue = writers }
    a:when_read(reading)
    a:when_write(writing)
    assert.same({}, readers:wait(0))
    assert.same({}, writers:wait(0))
    b:write "x"
    support.wait_for(readers, reading)
    assert.same({}, writers:wait(0))
    while #writers:wait(0) == 0 do assert(b:read(65536)) end
    assert.is_true(writers:isEmpty())
  end)

  it("nest: a task may run a dispatcher of its own", function()
    local outer, inner = xpio.tqueue(), xpio.tqueue()
    local a, b = xpio.socketpair()
    local c, d = xpio.socketpair()
    local inner_task = { _queue = inner }
    local task = support.blocked(outer, function()
      assert(a:read(1))
      c:when_read(inner_task)
      d:write "y"
      support.wait_for(inner, inner_task)
      return "done"
    end)
    b:write "x"
    support.wait_for(outer, task)
    assert.same({ true, "done" }, { support.resume(task) })
  end)
end)
