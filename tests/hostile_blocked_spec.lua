-- Calls that are blocked, or about to be, while a program does to their coroutines, to the
-- stack, to debug hooks and to the objects whatever it can.
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

--- Every call that blocks, as a maker of a function that does.
local blocking = {
  read = function()
    local socket, peer = assert(xpio.socketpair())
    return function() return peer and socket:read(1) end, socket
  end,
  write = function()
    local socket, peer = assert(xpio.socketpair())
    local data = support.too_much()
    return function() return peer and socket:write(data) end, socket
  end,
  accept = function()
    local socket = support.listener()
    return function() return socket:accept() end, socket
  end,
  recvfrom = function()
    local socket = assert(xpio.socket "UDP")
    assert(socket:bind "127.0.0.1:0")
    return function() return socket:recvfrom(1) end, socket
  end,
  wait = function()
    local process, writer = support.sleeper()
    return function() return process:wait(), writer:close() end, process
  end,
}

--- Ends what the wait of a process is for.
local function finish(object)
  if object.kill then
    object:kill()
    object:wait()
  end
end

for name, make in pairs(blocking) do
  describe("a blocked " .. name, function()
    before_each(function() queue = xpio.tqueue() end)

    it("may have its coroutine closed while the task's metamethods raise errors", function()
      local f, object = make()
      local allowed = true
      local function refuse(_, key)
        if key == "_queue" and allowed then return queue end
        error("metamethod of the task", 0)
      end
      local task = setmetatable({}, { __index = refuse, __newindex = refuse, __len = refuse, __eq = refuse })
      rawset(task, "coroutine", coroutine.create(f))
      assert.same({ true, xpio.waiting }, { support.resume(task) })
      allowed = false
      assert.same({ true }, { coroutine.close(task.coroutine) })
      assert.is_nil(rawget(task, "_dequeue"))
      assert.is_true(queue:isEmpty())
      finish(object)
    end)

    it("raises the error, or has nothing scheduled, when _queue cannot be read the second time", function()
      local f, object = make()
      local reads = 0
      local task = setmetatable({}, { __index = function(_, key)
        if key ~= "_queue" then return nil end
        reads = reads + 1
        if reads > 1 then error("no second time", 0) end
        return queue
      end })
      rawset(task, "coroutine", coroutine.create(f))
      assert.same({ true, xpio.waiting }, { support.resume(task) })
      assert.same({ false, "no second time" }, { support.resume(task) })
      assert.is_true(queue:isEmpty())
      assert.is_nil(rawget(task, "_dequeue"))
      finish(object)
    end)

    it("may have its object finalized, or its queue, and its coroutine closed after that", function()
      for _, finalize_queue in ipairs { true, false } do
        local f, object = make()
        queue = xpio.tqueue()
        local task = support.blocked(queue, f)
        finish(object)
        local victim = finalize_queue and queue or object
        getmetatable(victim).__gc(victim)
        assert.same({ true }, { coroutine.close(task.coroutine) })
        assert.is_true(queue:isEmpty())
        assert.is_nil(task._dequeue)
        assert.same({ false, "cannot resume dead coroutine" }, { support.resume(task) })
      end
    end)

    it("may be resumed by others, in others, and as another's task", function()
      local f, object = make()
      local task = support.blocked(queue, f)
      local other = support.task(queue, function()
        assert(coroutine.resume(task.coroutine))
        return xpio.resume({}, task.coroutine)
      end)
      assert.same({ true, true, xpio.waiting }, { support.resume(other) })
      assert.is_not_nil(task._dequeue)
      assert.is_nil(other._dequeue)
      assert.same({ true, xpio.waiting }, { xpio.resume(other, task.coroutine) })
      assert.is_true(coroutine.close(task.coroutine))
      assert.is_true(queue:isEmpty())
      finish(object)
    end)

    it("may be what a finalizer, a <close> variable or a comparison calls, in a coroutine", function()
      local f, object = make()
      local messages = {}
      local function try()
        local ok, message = pcall(f)
        if not ok then messages[#messages + 1] = message end
      end
      local task = support.task(queue, function()
        setmetatable({}, { __gc = try })
        collectgarbage()
        table.sort({ 1, 2 }, function() try() end)
        string.gsub("x", "x", try)
        local _ <close> = setmetatable({}, { __close = f })
      end)
      assert.same({ true, xpio.waiting }, { support.resume(task) })
      assert.is_true(#messages >= 3)
      for _, message in ipairs(messages) do assert.matches("cannot yield here", message) end
      -- It is closed in the middle of __close.
      assert.is_true(coroutine.close(task.coroutine))
      assert.is_true(queue:isEmpty())
      finish(object)
    end)

    it("raises an error in a <close> variable of a coroutine that is closed", function()
      local f, object = make()
      local message
      local task = support.blocked(queue, function()
        local _ <close> = setmetatable({}, { __close = function() message = select(2, pcall(f)) end })
        f()
      end)
      assert.is_true(coroutine.close(task.coroutine))
      assert.matches("cannot yield here", message)
      assert.is_true(queue:isEmpty())
      finish(object)
    end)

    it("may be in a coroutine of a coroutine, which coroutine.wrap closes on an error", function()
      local f, object = make()
      local inner
      local task = support.task(queue, function()
        inner = coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = function() error({}, 0) end })
          return f()
        end)
        local value = inner()
        return value
      end)
      assert.same({ true, xpio.waiting }, { support.resume(task) })
      assert.is_not_nil(task._dequeue)
      task:_dequeue()
      task._queue = "no queue"
      assert.is_false(pcall(inner))
      assert.error_matches(inner, "cannot resume dead coroutine")
      assert.is_true(queue:isEmpty())
      finish(object)
    end)

    it("may be interrupted by debug hooks that raise errors, at every call and return", function()
      for _, mask in ipairs { "c", "r", "cr" } do
        local f, object = make()
        for count = 1, 12 do
          local task = support.task(queue, f)
          local left = count
          debug.sethook(task.coroutine, function()
            left = left - 1
            if left == 0 then error({}, 0) end
          end, mask)
          local ok, value = support.resume(task)
          if ok and value == xpio.waiting then ok = support.resume(task) end
          -- A hook that lets no __close run is one that the task outlives.
          debug.sethook(task.coroutine)
          if ok then assert.is_true(coroutine.close(task.coroutine)) end
          assert.is_true(queue:isEmpty())
          assert.is_nil(task._dequeue)
        end
        finish(object)
      end
    end)

    it("can be looked at by debug", function()
      local f, object = make()
      local task = support.blocked(queue, f)
      assert.matches("in method '" .. name .. "'", (debug.traceback(task.coroutine):gsub("function", "method")))
      assert.equal("C", debug.getinfo(task.coroutine, 0).what)
      assert.error_matches(function() string.dump(debug.getinfo(task.coroutine, 0, "f").func) end, "dump")
      assert.is_true(coroutine.close(task.coroutine))
      finish(object)
    end)
  end)
end

describe("a stack that is full", function()
  before_each(setup_pair)
  after_each(close_pair)

  --- Calls f ever deeper by way of C functions; returns the error at the end.
  local function overflow(step)
    local depth, ends = 0, {}
    local function deeper()
      depth = depth + 1
      local ok, message = pcall(step, deeper)
      if not ok then ends[#ends + 1] = message end
    end
    deeper()
    return depth, ends
  end

  it("is told as an error, wherever of C's stack it is met", function()
    local task_of = function(f) return setmetatable({}, { __index = function() return f() end }) end
    for _, step in ipairs {
      function(deeper) return ("x"):gsub("x", deeper) end,
      function(deeper) return a:when_read(task_of(deeper)) end,
      function(deeper) return select(2, xpio.resume({}, coroutine.create(deeper))) end,
      function(deeper) return table.sort({ 2, 1 }, deeper) end,
      function(deeper) return tostring(setmetatable({}, { __tostring = deeper })) end,
      function(deeper)
        local _ <close> = setmetatable({}, { __close = deeper })
        return a:try_read(1)
      end,
    } do
      local depth, ends = overflow(function(deeper)
        assert(a:try_write "x")
        assert.equal("x", b:read(1))
        return step(deeper)
      end)
      assert.is_true(depth > 10)
      assert.is_true(#ends > 0)
    end
    assert.is_true(queue:isEmpty())
    assert.is_nil(xpio.getCurrentTask())
  end)

  capability.it "fixed_stack" ("leaves all as it was, whichever call it is that finds it full", function()
    local calls = {
      function() return a:try_write { "x", "y" } end,
      function() return a:try_read(1) end,
      function() return a:getsockopt "SO_RCVBUF" end,
      function() return a:shutdown "unknown" end,
      function() return tostring(a), tostring(queue) end,
      function() return queue:wait(0) end,
      function() return xpio.socket "TCP" end,
      function() return xpio.pipe() end,
      function() return xpio.spawn({ "no such program" }, {}, {}, { limits = { core = 0 } }) end,
      function() return xpio.resume({}, coroutine.create(function() end)) end,
      function() return xpio.setCurrentTask(nil) end,
      function() return xpio.version() end,
    }
    local failed = {}
    local function deeper()
      for i = 1, #calls do
        if not pcall(calls[i]) then failed[i] = true end
      end
      return 1 + deeper()
    end
    -- The arguments take nearly all of the million places that there are.
    local function nearly_full(...)
      return (deeper((...)))
    end
    local co = coroutine.create(function() return nearly_full(table.unpack({}, 1, 999500)) end)
    local ok, message = coroutine.resume(co)
    assert.is_false(ok)
    -- The second is what Lua says when there is no room for the first.
    assert.is_true(message:find "stack overflow" ~= nil or message == "error in error handling")
    for i = 1, #calls do assert.is_true(failed[i]) end
    assert.is_true(queue:isEmpty())
    assert.is_nil(xpio.getCurrentTask())
  end)
end)

describe("string.dump", function()
  it("refuses every function of xpio", function()
    local queue_of_none = xpio.tqueue()
    for _, functions in ipairs { xpio, getmetatable(xpio.socketpair()), getmetatable(queue_of_none) } do
      for _, f in pairs(functions) do
        if type(f) == "function" then
          assert.error_matches(function() string.dump(f) end, "dump")
        end
      end
    end
  end)

  it("makes functions that have lost what they had of xpio, and say so", function()
    for _, strip in ipairs { true, false } do
      for _, f in pairs(require "xpio.dispatcher") do
        local copy = assert(load(string.dump(f, strip), "copy", "b"))
        assert.is_false(pcall(copy, function() end))
      end
      local copy = assert(load(string.dump(function() return xpio.socketpair() end, strip), "copy", "b"))
      assert.error_matches(copy, "attempt to")
    end
  end)
end)

describe("a function that a hook has caught while a blocked call is closed", function()
  -- It took its argument for a waiter.
  it("does nothing with other values", function()
    local reader = xpio.pipe()
    local task = support.blocked(xpio.tqueue(), function() return reader:read(1) end)
    local caught = {}
    debug.sethook(task.coroutine, function()
      local info = debug.getinfo(2, "fS")
      if info.what == "C" then caught[#caught + 1] = info.func end
    end, "c")
    coroutine.close(task.coroutine)
    assert.is_true(#caught > 0)
    for _, f in ipairs(caught) do
      for _, value in ipairs { 5, "x", {}, reader, io.stderr } do pcall(f, value) end
      pcall(f)
    end
  end)
end)
