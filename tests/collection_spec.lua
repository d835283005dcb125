local xpio = require "xpio"
local support = require "support"

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Where a write goes on after its object is closed, it may end after lua_close has begun,
-- and has nobody to tell then.
it("a pipe that is closed and collected while what it was given is on its way is forgotten", function()
  local output, status = support.lua [[
    local xpio = require "xpio"
    local support = require "support"
    local reader, writer = xpio.pipe()
    local gate, opener = xpio.pipe()
    local process = support.child("io.read()", { [0] = gate, [7] = reader })
    local queue = xpio.tqueue()
    support.fill(writer)
    queue:wait(0.05)
    support.fill(writer)
    writer:when_write { _queue = queue }
    writer:close()
    writer = nil
    queue = nil
    for _ = 1, 2 do collectgarbage() end
    print "fine"
    opener:close()
    process:kill()
  ]]
  assert.equal("fine\n", output)
  assert.equal(0, status)
end)

describe("the collector", function()
  it("closes an open object that nothing refers to", function()
    local peer = select(2, xpio.socketpair())
    collect()
    assert.is_nil(peer:read(1))
  end)

  it("leaves no descriptor behind", function()
    local function count_after(rounds)
      for _ = 1, rounds do
        local queue = xpio.tqueue()
        local a = xpio.socketpair()
        xpio.pipe()
        a:when_read { _queue = queue }
        queue:wait(0)
      end
      collect()
      xpio.tqueue():wait(0)
      return support.count_descriptors()
    end
    local before = count_after(1) -- what the first use opens for all others stays
    assert.equal(before, count_after(50))
  end)

  it("keeps a scheduled object and its task alive as long as the queue", function()
    local queue = xpio.tqueue()
    local weak = setmetatable({}, { __mode = "v" })
    local peer
    do
      local object
      object, peer = xpio.socketpair()
      weak.object, weak.task = object, { _queue = queue }
      object:when_read(weak.task)
    end
    collect()
    assert.is_not_nil(weak.object)
    assert.is_not_nil(weak.task)
    peer:write "x"
    local ready = queue:wait(support.patience)
    assert.equal(weak.task, ready[1])
    ready = nil -- luacheck: ignore 311
    collect()
    assert.is_nil(weak.object)
    assert.is_nil(weak.task)
  end)

  it("collects an unreachable queue with its tasks and their objects", function()
    local weak = setmetatable({}, { __mode = "v" })
    local peer
    do
      local queue = xpio.tqueue()
      local object
      object, peer = xpio.socketpair()
      local task = { _queue = queue }
      object:when_read(task)
      weak.queue, weak.object, weak.task = queue, object, task
    end
    collect()
    assert.is_nil(next(weak))
    assert.is_nil(peer:read(1))
  end)

  it("does not keep a task that was dequeued or returned", function()
    local queue = xpio.tqueue()
    local a, b = xpio.socketpair()
    local weak = setmetatable({}, { __mode = "v" })
    do
      local dequeued, returned = { _queue = queue }, { _queue = queue }
      a:when_read(dequeued)
      dequeued:_dequeue()
      a:when_read(returned)
      b:write "x"
      support.wait_for(queue, returned)
      weak[1], weak[2] = dequeued, returned
    end
    collect()
    assert.is_nil(next(weak))
  end)

  it("may run in the middle of scheduling and waiting", function()
    for _, mode in ipairs { "incremental", "generational" } do
      local previous = collectgarbage(mode)
      local pause = support.set_pause(0)
      collectgarbage "restart" -- busted has stopped it
      finally(function()
        collectgarbage(previous)
        support.set_pause(pause)
      end)
      local data, received = ("x"):rep(100000), 0
      local a, b = xpio.socketpair()
      support.run(function()
        for _ = 1, 20 do a:write { data, 1 } end
        a:close()
      end, function()
        local piece = b:read(1000)
        while piece do
          received = received + #piece
          piece = b:read(1000)
        end
      end)
      assert.equal(20 * (#data + 1), received)
    end
  end)

  it("may run finalizers that wait, schedule, dequeue and close", function()
    collectgarbage "restart" -- busted has stopped it
    local queue = xpio.tqueue()
    local runs = 0
    local function finalizer(f)
      setmetatable({}, { __gc = function()
        runs = runs + 1
        f()
      end })
    end
    for i = 1, 300 do
      finalizer(function()
        for _, task in ipairs(queue:wait(0)) do assert(task._dequeue == nil) end
        local a = xpio.socketpair()
        local task = { _queue = queue }
        a:when_write(task)
        if i % 2 == 0 then task:_dequeue() end
        if i % 3 == 0 then a:close() end
      end)
      local a = xpio.socketpair()
      a:when_write { _queue = queue }
      a:when_read { _queue = queue }
      queue:wait(0)
      if i % 10 == 0 then collectgarbage() end
    end
    assert.is_true(runs > 200)
  end)
end)

describe("<close>", function()
  it("closes the object at the end of its block", function()
    local a, b = xpio.socketpair()
    do
      local _ <close> = a
    end
    assert.is_nil(b:read(1))
    assert.same({ nil, "already closed" }, { a:close() })
  end)

  it("does not mind that the object is closed", function()
    local socket <close> = assert(xpio.socket "TCP")
    socket:close()
  end)
end)

describe("the metatable that a program sees", function()
  -- Memory safety depends on finalizers, and programs replace metamethods.
  it("lets methods be replaced, but not the finalizer", function()
    local output, status = support.lua [[
      local xpio = require "xpio"
      local a, queue = xpio.socketpair(), xpio.tqueue()
      for _, object in ipairs { a, queue } do
        local methods = getmetatable(object)
        methods.__gc, methods.__close, methods.__index, methods.__name = nil, nil, nil, nil
        methods.extra = function() return "extra" end
        assert(object:extra() == "extra")
      end
      for _ = 1, 100 do
        local task = { _queue = xpio.tqueue() }
        xpio.socketpair():when_read(task)
        getmetatable(task._dequeuedata).__close = nil
      end
      collectgarbage()
      collectgarbage()
      for _ = 1, 100 do xpio.socketpair() end
      local b <close> = xpio.pipe()
    ]]
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)

describe("__gc called by hand", function()
  it("closes a socket", function()
    local a, b = xpio.socketpair()
    getmetatable(a).__gc(a)
    getmetatable(a).__gc(a)
    assert.is_nil(b:read(1))
  end)

  it("empties a queue, which then takes no more tasks", function()
    local queue = xpio.tqueue()
    local a, b = xpio.socketpair()
    local waiting, ready = { _queue = queue }, { _queue = queue }
    a:when_read(waiting)
    a:when_write(ready)
    xpio.tqueue():wait(0.01)
    getmetatable(queue).__gc(queue)
    assert.is_nil(waiting._dequeue)
    assert.is_nil(ready._dequeue)
    assert.is_true(queue:isEmpty())
    assert.is_nil(queue:wait(1))
    b:write "x"
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { a:when_read(waiting) })
    assert.is_nil(waiting._dequeue)
    xpio.tqueue():wait(0.01)
  end)
end)

describe("lua_close", function()
  local function lua(script)
    local output, status = support.lua(script)
    assert.equal(0, status, output)
    return output
  end

  it("may come with tasks scheduled", function()
    assert.equal("", lua [[
      local xpio = require "xpio"
      queue = xpio.tqueue()
      for _ = 1, 200 do
        local a, b = xpio.socketpair()
        a:when_read { _queue = queue }
        b:when_write { _queue = queue }
      end
      queue:wait(0)
    ]])
  end)

  -- Finalizers run in the reverse order of their marking: this one, from before
  -- the module was loaded, runs when all of xpio is gone.
  it("lets a finalizer run after xpio's: methods report EBADF and wait returns nil", function()
    assert.equal("done\n", lua [[
      local late = setmetatable({}, { __gc = function(self) self.check() end })
      local xpio = require "xpio"
      local queue, other = xpio.tqueue(), xpio.tqueue()
      local socket = xpio.socket "TCP"
      local a, b = xpio.socketpair()
      local reader, writer = xpio.pipe()
      a:when_read { _queue = queue }
      queue:wait(0)
      local function assert_bad(result, message, code)
        assert(result == nil and message == "Bad file descriptor" and code == "EBADF")
      end
      function late.check()
        assert_bad(socket:bind "127.0.0.1")
        assert_bad(socket:connect "127.0.0.1:1")
        assert_bad(socket:accept())
        assert_bad(a:read(1))
        assert_bad(a:try_write "x")
        assert_bad(writer:write "x")
        assert_bad(reader:getsockopt "O_NONBLOCK")
        assert_bad(a:when_read { _queue = queue })
        assert_bad(xpio.socket "TCP")
        assert_bad(xpio.socketpair())
        assert_bad(xpio.pipe())
        assert_bad(xpio.fdopen(0))
        assert_bad(xpio.tqueue())
        assert(a:read(0) == "")
        assert(queue:wait() == nil and queue:wait(1) == nil and queue:isEmpty())
        assert(tostring(a):match "closed" and tostring(queue))
        assert(xpio.gettime() > 0)
        print "done"
      end
      getmetatable(late).late = late
      registry_keeps_it = late
    ]])
  end)

  it("closes also what finalizers make meanwhile", function()
    assert.equal("made\n", lua [[
      local xpio = require "xpio"
      made = setmetatable({}, { __gc = function()
        local queue = xpio.tqueue()
        local a, b = assert(xpio.socketpair())
        a:when_read { _queue = queue }
        b:write "x"
        assert(#queue:wait() == 1)
        a:when_read { _queue = queue }
        print "made"
      end })
    ]])
  end)
end)
