-- Lua frees a userdata also when it could not call its finalizer. The objects used to be in
-- their userdata, so that whatever still referred to them then, a watcher in the loop, an
-- event's list of waiters, a child, referred to freed memory.
local support = require "support"
local xpio = require "xpio"
local capability = require "capability"

--- What a script prints that starts with these functions, and does not fail.
local function run(script)
  local output, status = support.lua([[
    warn "@off"
    xpio = require "xpio"
    support = require "support"

    collectgarbage "stop"

    --- Collects what f leaves when as many C calls are nested as Lua allows: a
    -- finalizer that is called there fails. Returns what f does.
    function drop_at_the_limit(f)
      local called = false
      local function make()
        setmetatable({}, { __gc = function() called = true end })
        return f()
      end
      local function descend()
        if pcall(descend) then return end
        for _ = 1, 4 do collectgarbage() end
      end
      local kept = make()
      descend()
      assert(not called, "the finalizer was called after all")
      -- What was freed is used for other things.
      for i = 1, 10000 do kept = { ("%050d"):format(i), kept } end
      for _ = 1, 10000 do kept = kept[2] end
      collectgarbage "restart"
      return kept
    end
  ]] .. script)
  assert.equal(0, status, output)
  return output
end

describe("an object whose finalizer could not be called", function()
  local function test(name, body)
    it(name, function()
      if not capability.stopped_collector then
        return pending(capability.reason "stopped_collector")
      end
      body()
    end)
  end

  test("may be a socket that was open and watched, with its queue", function()
    assert.equal("50\n", run [[
      local peers = drop_at_the_limit(function()
        local peers = {}
        for i = 1, 50 do
          local a, b = xpio.socketpair()
          a:when_read { _queue = xpio.tqueue() }
          peers[i] = b
        end
        return peers
      end)
      local queue = xpio.tqueue()
      for _, peer in ipairs(peers) do
        peer:try_write "x"
        peer:when_write { _queue = queue }
      end
      local count = 0
      while not queue:isEmpty() do count = count + #queue:wait() end
      print(count)
    ]])
  end)

  test("may be a queue with a task that waits for a socket which is still there", function()
    assert.equal("x\n", run [[
      local a, b = xpio.socketpair()
      drop_at_the_limit(function()
        for _ = 1, 50 do a:when_read { _queue = xpio.tqueue() } end
      end)
      local task = { _queue = xpio.tqueue() }
      a:when_read(task)
      b:try_write "x"
      support.wait_for(task._queue, task)
      print(a:try_read(10))
      a:close()
    ]])
  end)

  test("may be a process object whose child ends later", function()
    assert.equal("exit\t3\n", run [[
      local gates = drop_at_the_limit(function()
        local gates = {}
        for i = 1, 3 do
          local reader, writer = xpio.pipe()
          local process = support.child("io.read()", { [0] = reader })
          process:when_wait { _queue = xpio.tqueue() }
          gates[i] = writer
        end
        return gates
      end)
      for _, gate in ipairs(gates) do gate:close() end
      print(support.child("os.exit(3)", {}):wait())
    ]])
  end)

  test("is not taken for what has its memory now", function()
    assert.equal("false\n", run [[
      local peer = drop_at_the_limit(function()
        local a, b = xpio.socketpair()
        a:try_read(1)
        return b
      end)
      local taken = false
      for _ = 1, 200 do taken = taken or pcall(peer.try_read, io.tmpfile(), 1) end
      print(taken)
    ]])
  end)
end)

describe("a process object that is finalized before a finalizer that uses it", function()
  it("still tells its pid", function()
    local output = support.lua [[
      local xpio = require "xpio"
      local process
      late = setmetatable({}, { __gc = function()
        print(process:pid(), tostring(process):match "closed")
      end })
      local reader
      reader, writer = xpio.pipe() -- the end of this process ends the child
      process = require "support".child("io.read()", { [0] = reader })
      print(process:pid())
      os.exit(true, true)
    ]]
    local pid, later, state = output:match "^(%d+)\n(%d+)\t(%a+)\n$"
    assert.equal(pid, later)
    assert.equal("closed", state)
  end)
end)

describe("a blocked call whose queue is collected", function()
  it("goes on when its coroutine is resumed", function()
    local a, b = xpio.socketpair()
    local task = support.blocked(xpio.tqueue(), function() return a:read(1) end)
    task._queue = nil
    for _ = 1, 2 do collectgarbage() end
    assert.is_nil(task._dequeue)
    b:write "x"
    assert.same({ true, "x" }, { xpio.resume(task, task.coroutine) })
  end)
end)

describe("what is finalized before a finalizer that uses it", function()
  -- The accepted connection became that of everything that was finalized.
  it("accepts no connection, where the call was blocked", function()
    local queue = xpio.tqueue()
    local listener = support.listener()
    local client, kept, results = xpio.socket "TCP", nil, nil
    local function drop()
      setmetatable({ pipe = xpio.pipe() }, { __gc = function(self) kept = self.pipe end })
      local holder = setmetatable({}, { __gc = function(self)
        client:connect(listener:getsockname())
        results = { coroutine.resume(self.coroutine) }
      end })
      local task = support.blocked(queue, function() return listener:accept() end)
      task:_dequeue()
      holder.coroutine = task.coroutine
    end
    drop()
    collectgarbage "restart" -- busted has stopped it
    for _ = 1, 3 do collectgarbage() end
    assert.same({ true, nil, "Bad file descriptor", "EBADF" }, results)
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { kept:fileno() })
    assert.equal("socket (closed)", tostring(kept))
  end)

  it("still tells how a child has ended", function()
    local results
    local function drop()
      local holder = setmetatable({}, { __gc = function(self)
        results = { tostring(self.process), self.process:wait() }
      end })
      holder.process = support.child("os.exit(3)", {})
      holder.process:wait()
    end
    drop()
    for _ = 1, 3 do collectgarbage() end
    assert.truthy(results[1]:match "^process %d+ %(exit 3%)$")
    assert.same({ "exit", 3 }, { results[2], results[3] })
  end)
end)
