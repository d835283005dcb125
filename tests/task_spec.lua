local xpio = require "xpio"
local support = require "support"
local capability = require "capability"

local queue, a, b

local function setup_pair()
  queue = xpio.tqueue()
  a, b = assert(xpio.socketpair())
end

local function close_pair()
  a:close()
  b:close()
end

local function scheduled()
  local task = { _queue = queue }
  assert.is_true(a:when_read(task))
  return task
end

describe("scheduling a task", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("assigns _dequeue and _dequeuedata, and leaves all else alone", function()
    local task = { _queue = queue, name = "mine", 1, 2 }
    assert.is_true(a:when_read(task))
    assert.is_function(task._dequeue)
    assert.is_userdata(task._dequeuedata)
    assert.equal(queue, task._queue)
    assert.equal("mine", task.name)
    assert.equal(2, #task)
  end)

  it("raises an error when the task is scheduled already", function()
    local task = scheduled()
    assert.error_matches(function() a:when_read(task) end,
      "bad argument #1 to 'when_read' %(the task is already scheduled%)")
    assert.error_matches(function() b:when_write(task) end,
      "bad argument #1 to 'when_write' %(the task is already scheduled%)")
    task:_dequeue()
    assert.is_true(queue:isEmpty())
  end)

  it("raises an argument error for what is no table", function()
    for _, value in ipairs { 1, "task", true, queue, print } do
      assert.error_matches(function() a:when_read(value) end,
        "bad argument #1 to 'when_read' %(table expected, got ")
    end
    assert.error_matches(function() a:when_read() end, "table expected, got no value")
  end)

  it("raises an argument error when _queue is no task queue", function()
    for _, value in ipairs { false, 1, "queue", {}, a, io.stdout } do
      assert.error_matches(function() a:when_write { _queue = value } end,
        "bad argument #1 to 'when_write' %(task%._queue: xpio%.tqueue expected, got ")
    end
    assert.error_matches(function() a:when_read {} end, "expected, got nil")
  end)

  it("is not deceived by a table with the metatable of a queue", function()
    local forged = setmetatable({}, getmetatable(queue))
    debug.setmetatable(forged, getmetatable(queue))
    assert.error_matches(function() a:when_read { _queue = forged } end, "xpio%.tqueue expected")
  end)

  it("reads _queue through a metatable, so that a class can hold it", function()
    local task = setmetatable({}, { __index = { _queue = queue } })
    assert.is_true(b:when_write(task))
    support.wait_for(queue, task)
  end)

  it("changes nothing when reading _queue raises an error", function()
    local task = setmetatable({}, { __index = function() error "mine" end })
    assert.error_matches(function() a:when_read(task) end, "mine")
    assert.is_nil(next(task))
    assert.is_true(queue:isEmpty())
  end)

  it("notices a task that is scheduled while its _queue is read", function()
    local task, once = {}, false
    setmetatable(task, { __index = function(self, name)
      if name == "_queue" and not once then
        once = true
        a:when_read(self)
      end
      return name == "_queue" and queue or nil
    end })
    assert.error_matches(function() a:when_read(task) end, "already scheduled")
    task:_dequeue()
    assert.is_true(queue:isEmpty())
  end)

  it("sets its fields without calling __newindex", function()
    local task = setmetatable({ _queue = queue }, { __newindex = function() error "called" end })
    assert.is_true(a:when_read(task))
    b:write "x"
    support.wait_for(queue, task)
  end)
end)

describe("task:_dequeue", function()
  before_each(setup_pair)
  after_each(close_pair)

  local function assert_dequeued(task)
    assert.is_nil(rawget(task, "_dequeue"))
    assert.is_nil(rawget(task, "_dequeuedata"))
    assert.is_true(queue:isEmpty())
    assert.is_nil(queue:wait())
  end

  it("takes a waiting task out of its queue", function()
    local task = scheduled()
    task:_dequeue()
    assert_dequeued(task)
    b:write "x"
    assert.same({}, queue:wait(0))
  end)

  it("takes out a task whose event has fired and that wait has not returned yet", function()
    local task = scheduled()
    b:write "x"
    xpio.tqueue():wait(0.01)
    task:_dequeue()
    assert_dequeued(task)
  end)

  it("leaves the task free to be scheduled again", function()
    local task = scheduled()
    task:_dequeue()
    assert.is_true(a:when_read(task))
    b:write "x"
    support.wait_for(queue, task)
  end)

  it("raises an error when the task has been returned or dequeued", function()
    local task = scheduled()
    local dequeue, data = task._dequeue, task._dequeuedata
    b:write "x"
    support.wait_for(queue, task)
    assert.error_matches(function() dequeue(task) end, "not scheduled")
    task._dequeuedata = data
    assert.error_matches(function() dequeue(task) end, "not scheduled")
  end)

  it("raises an error for fields copied to another task, which stays out of it", function()
    local task = scheduled()
    local thief = { _queue = queue, _dequeue = task._dequeue, _dequeuedata = task._dequeuedata }
    assert.error_matches(function() thief:_dequeue() end, "another task's")
    assert.is_false(queue:isEmpty())
    task:_dequeue()
    assert_dequeued(task)
  end)

  it("raises an error for anything that is no scheduled task", function()
    local dequeue = scheduled()._dequeue
    for _, value in ipairs { 1, "task", true, queue, a } do
      assert.error_matches(function() dequeue(value) end, "table expected")
    end
    for _, data in ipairs { 1, "data", true, queue, a, io.stdout, {} } do
      assert.error_matches(function() dequeue { _dequeuedata = data } end, "not scheduled")
    end
    assert.error_matches(function() dequeue {} end, "not scheduled")
    assert.error_matches(function() dequeue() end, "table expected")
  end)

  it("does not mind what a program writes into the fields meanwhile", function()
    local task = scheduled()
    local dequeue = task._dequeue
    task._dequeuedata, task._queue, task._dequeue = "nonsense", 5, true
    assert.error_matches(function() dequeue(task) end, "not scheduled")
    b:write "x"
    support.wait_for(queue, task)
    assert.is_nil(task._dequeue)
    assert.is_nil(task._dequeuedata)
    assert.equal(5, task._queue)
  end)

  it("works on the queue where the task is, not on the one in _queue now", function()
    local task = scheduled()
    task._queue = xpio.tqueue()
    task:_dequeue()
    assert_dequeued(task)
  end)

  it("leaves the other waiters of the same event in place", function()
    local tasks = {}
    for i = 1, 5 do tasks[i] = scheduled() end
    tasks[3]:_dequeue()
    tasks[1]:_dequeue()
    b:write "x"
    assert.same({ tasks[2], tasks[4], tasks[5] }, queue:wait(support.patience))
  end)
end)

describe("many tasks that wait for one event", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("are all woken, in the order in which they came", function()
    local tasks = {}
    for i = 1, 50 do
      tasks[i] = scheduled()
      tasks[i].number = i
    end
    b:write "x"
    local ready = queue:wait(support.patience)
    for i, task in ipairs(ready) do assert.equal(tasks[i], task) end
    assert.equal(50, #ready)
  end)

  it("are woken on all their queues", function()
    local other = xpio.tqueue()
    local task, other_task = scheduled(), { _queue = other }
    a:when_read(other_task)
    b:write "x"
    support.wait_for(other, other_task)
    support.wait_for(queue, task)
  end)

  it("all get their turn: none starves", function()
    local reads = {}
    local tasks = {}
    for i = 1, 4 do
      reads[i] = 0
      tasks[i] = support.blocked(queue, function()
        while a:read(1) do reads[i] = reads[i] + 1 end
      end)
    end
    for _ = 1, 40 do
      b:write "x"
      local total = reads[1] + reads[2] + reads[3] + reads[4]
      while reads[1] + reads[2] + reads[3] + reads[4] == total do
        for _, task in ipairs(queue:wait(support.patience)) do assert(support.resume(task)) end
      end
    end
    assert.same({ 10, 10, 10, 10 }, reads)
    for _, task in ipairs(tasks) do coroutine.close(task.coroutine) end
  end)

  -- Who succeeded waits elsewhere first, and so comes back after those who did
  -- not: it is still they whose turn it is.
  it("all get their turn when each waits for something else in between", function()
    local reads, tasks = { 0, 0, 0 }, {}
    for i = 1, 3 do
      local other, peer = xpio.socketpair()
      tasks[i] = support.blocked(queue, function()
        while a:read(1) do
          reads[i] = reads[i] + 1
          peer:write "x"
          other:when_read(xpio.getCurrentTask())
          coroutine.yield()
          other:read(1)
        end
      end)
    end
    for round = 1, 30 do
      b:write "x"
      local waiting = 0
      while reads[1] + reads[2] + reads[3] < round or waiting < 3 do
        for _, task in ipairs(queue:wait(support.patience)) do assert(support.resume(task)) end
        waiting = 0
        for _, task in ipairs(tasks) do waiting = waiting + (task._dequeue and 1 or 0) end
      end
    end
    assert.same({ 10, 10, 10 }, reads)
    for _, task in ipairs(tasks) do coroutine.close(task.coroutine) end
  end)
end)

describe("closing a socket", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("makes every task ready that waits on it; their calls report EBADF", function()
    support.fill(a)
    local other = xpio.tqueue()
    local reader, writer = scheduled(), { _queue = other }
    a:when_write(writer)
    assert.is_true(a:close())
    support.wait_for(queue, reader)
    support.wait_for(other, writer)
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { a:try_read(1) })
  end)

  it("ends a blocking call with EBADF", function()
    local task = support.blocked(queue, function() return a:read(1) end)
    a:close()
    support.wait_for(queue, task)
    assert.same({ true, nil, "Bad file descriptor", "EBADF" }, { support.resume(task) })
  end)

  it("makes tasks ready at once that are scheduled later", function()
    a:close()
    for _, method in ipairs { "when_read", "when_write" } do
      local task = { _queue = queue }
      assert.is_true(a[method](a, task))
      support.wait_for(queue, task)
    end
  end)
end)

describe("a direction that a pipe does not have", function()
  it("is ready at once, and the call reports EBADF", function()
    local q = xpio.tqueue()
    local reader, writer = xpio.pipe()
    local task = { _queue = q }
    reader:when_write(task)
    support.wait_for(q, task)
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { reader:try_write "x" })
    writer:when_read(task)
    support.wait_for(q, task)
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { writer:try_read(1) })
  end)
end)

describe("a blocking read", function()
  it("leaves what has come to those who have waited for it, though they are resumed later", function()
    setup_pair()
    local other = support.blocked(queue, function() return a:read(1) end)
    b:write "x"
    support.wait_for(queue, other) -- but it is not resumed yet
    local newcomer = support.blocked(queue, function() return a:read(1) end)
    assert.same({ true, "x" }, { support.resume(other) })
    b:write "y"
    support.wait_for(queue, newcomer)
    assert.same({ true, "y" }, { support.resume(newcomer) })
    close_pair()
  end)

  it("reports at once that the socket is closed, though others have just been told", function()
    setup_pair()
    local other = support.blocked(queue, function() return a:read(1) end)
    a:close()
    local late = support.task(queue, function() return a:read(1) end)
    assert.same({ true, nil, "Bad file descriptor", "EBADF" }, { support.resume(late) })
    support.wait_for(queue, other)
    close_pair()
  end)
end)

describe("a task that waits to write", function()
  -- A watcher was told that one direction is ready, and forgot the other.
  it("is woken although others find the same socket readable at once", function()
    local socket <close>, peer = support.connected_pair()
    queue = xpio.tqueue()
    assert(socket:shutdown "r")
    support.fill(socket)
    local writer, reader = { _queue = queue }, { _queue = queue }
    assert(socket:when_write(writer))
    for _ = 1, 2 do
      assert(socket:when_read(reader))
      support.wait_for(queue, reader)
    end
    local drained = { _queue = queue }
    repeat
      if not drained._dequeue then assert(peer:when_read(drained)) end
      local woken
      for _, task in ipairs(queue:wait(support.patience)) do woken = woken or task == writer end
      while peer:try_read(1 << 20) do end
    until woken
    peer:close()
  end)
end)

describe("an event that comes while nobody waits", function()
  before_each(setup_pair)
  after_each(close_pair)

  -- Interest in reading is dropped then. It must come back with the next task.
  it("is not lost for the task that is scheduled afterwards", function()
    local task = scheduled()
    b:write "x"
    support.wait_for(queue, task)
    for _ = 1, 3 do queue:wait(0.001) end
    a:when_read(task)
    support.wait_for(queue, task)
    assert.equal("x", a:try_read(10))
    a:when_read(task)
    assert.same({}, queue:wait(0))
    b:write "y"
    support.wait_for(queue, task)
  end)

  it("does not make wait return early, nor spin", function()
    if not capability.cpu_clock then return pending(capability.reason "cpu_clock") end
    local task = scheduled()
    b:write "x"
    support.wait_for(queue, task)
    local start, clock = xpio.gettime(), support.clock()
    assert.same({}, queue:wait(0.3))
    assert.is_true(xpio.gettime() - start >= 0.3)
    assert.is_true(support.clock() - clock < 0.2)
  end)

  it("does not make wait spin when the peer has hung up", function()
    if not capability.cpu_clock then return pending(capability.reason "cpu_clock") end
    local task = scheduled()
    b:close()
    support.wait_for(queue, task)
    local clock = support.clock()
    assert.same({}, queue:wait(0.3))
    assert.is_true(support.clock() - clock < 0.2)
    a:when_read(task)
    support.wait_for(queue, task)
    assert.same({ n = 1 }, table.pack(a:try_read(1)))
  end)
end)

describe("xpio.resume", function()
  it("makes the task current while the coroutine runs, and then the one before", function()
    local outer, inner = {}, {}
    xpio.setCurrentTask(outer)
    finally(function() xpio.setCurrentTask(nil) end)
    assert.same({ true, inner }, { xpio.resume(inner, coroutine.create(xpio.getCurrentTask)) })
    assert.equal(outer, xpio.getCurrentTask())
  end)

  it("passes values in and out, as many as there are", function()
    local thread = coroutine.create(function(...) return "end", coroutine.yield(...) end)
    local values = {}
    for i = 1, 500 do values[i] = i end
    assert.same({ true, table.unpack(values) }, { xpio.resume({}, thread, table.unpack(values)) })
    assert.same({ true, "end", 1, nil, 3, n = 5 }, table.pack(xpio.resume({}, thread, 1, nil, 3)))
  end)

  -- A stack holds a million values.
  it("takes and returns no more values than there is room for", function()
    local function many() return table.unpack({}, 1, 600000) end
    local function hold(first, ...) coroutine.yield((...)) return first end
    local taking = coroutine.create(function() return hold("held", many()) end)
    coroutine.resume(taking)
    assert.same({ false, "too many arguments to resume" }, { xpio.resume({}, taking, many()) })
    assert.same({ true, "held" }, { xpio.resume({}, taking) })
    local giving = coroutine.create(many)
    local function resume_below(...) return { xpio.resume({}, giving) }, (...) end
    assert.same({ { false, "too many results to resume" }, "held" }, { resume_below("held", many()) })
  end)

  it("returns the error of the coroutine, and of one that cannot be resumed", function()
    local message = {}
    local thread = coroutine.create(function() error(message) end)
    assert.same({ false, message }, { xpio.resume({}, thread) })
    assert.same({ false, "cannot resume dead coroutine" }, { xpio.resume({}, thread, 1) })
    assert.is_nil(xpio.getCurrentTask())
    assert.same({ false, "cannot resume non-suspended coroutine" },
      { xpio.resume({}, (coroutine.running())) })
  end)

  it("raises an error for what is no task, and for what is no coroutine", function()
    assert.error_matches(function() xpio.resume(5, coroutine.create(print)) end,
      "bad argument #1 to 'resume' %(table expected, got number%)")
    assert.error_matches(function() xpio.resume({}, print) end,
      "bad argument #2 to 'resume' %(coroutine expected, got function%)")
  end)
end)
