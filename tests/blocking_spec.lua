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

describe("a blocking call in a coroutine", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("returns without yielding when it can be satisfied at once", function()
    b:write "x"
    local task = support.task(queue, function() return a:read(10) end)
    assert.same({ true, "x" }, { support.resume(task) })
    assert.equal("dead", coroutine.status(task.coroutine))
  end)

  it("schedules the current task and yields xpio.waiting, one value", function()
    local task = support.task(queue, function() return a:read(10) end)
    assert.same({ true, xpio.waiting, n = 2 }, table.pack(support.resume(task)))
    assert.is_function(task._dequeue)
    assert.is_false(queue:isEmpty())
  end)

  it("goes on when it is resumed without values", function()
    local task = support.blocked(queue, function() return a:read(10) end)
    b:write "hello"
    support.wait_for(queue, task)
    assert.same({ true, "hello" }, { support.resume(task) })
    assert.is_true(queue:isEmpty())
  end)

  it("returns the values that it is resumed with, after dequeuing", function()
    local task = support.blocked(queue, function() return "read:", a:read(10) end)
    assert.same({ true, "read:", nil, "timeout", n = 4 },
      table.pack(support.resume(task, nil, "timeout")))
    assert.is_nil(task._dequeue)
    assert.is_true(queue:isEmpty())
  end)

  it("takes a single nil as a value, too", function()
    local task = support.blocked(queue, function() return select("#", a:read(10)) end)
    assert.same({ true, 1 }, { support.resume(task, nil) })
    assert.is_true(queue:isEmpty())
  end)

  it("returns the values also when its event has fired", function()
    local task = support.blocked(queue, function() return a:read(10) end)
    b:write "x"
    xpio.tqueue():wait(0.01)
    assert.same({ true, "cancelled" }, { support.resume(task, "cancelled") })
    assert.is_true(queue:isEmpty())
    assert.equal("x", a:try_read(10))
  end)

  it("waits again after a spurious resume", function()
    local task = support.blocked(queue, function() return a:read(10) end)
    for _ = 1, 3 do
      assert.same({ true, xpio.waiting }, { support.resume(task) })
      assert.is_false(queue:isEmpty())
    end
    b:write "x"
    support.wait_for(queue, task)
    assert.same({ true, "x" }, { support.resume(task) })
  end)

  it("goes on with the task that it scheduled, whatever is current later", function()
    local task = support.blocked(queue, function() return a:read(10) end)
    local other = { _queue = xpio.tqueue() }
    xpio.setCurrentTask(other)
    finally(function() xpio.setCurrentTask(nil) end)
    assert.same({ true, xpio.waiting }, { coroutine.resume(task.coroutine) })
    assert.is_true(other._queue:isEmpty())
    b:write "x"
    support.wait_for(queue, task)
    assert.same({ true, "x" }, { coroutine.resume(task.coroutine) })
  end)

  it("goes on with its task when it is resumed while none is current", function()
    local task = support.blocked(queue, function() return a:read(10) end)
    assert.same({ true, xpio.waiting }, { coroutine.resume(task.coroutine) })
    assert.is_function(task._dequeue)
    assert.same({ true, "value" }, { coroutine.resume(task.coroutine, "value") })
    assert.is_nil(task._dequeue)
    assert.is_true(queue:isEmpty())
  end)

  -- After a short read it waits without trying first. Whether it complains must
  -- not depend on that.
  it("does not complain that it cannot wait when it need not", function()
    b:write "one"
    assert.equal("one", a:read(10))
    b:write "two"
    assert.same({ true, "two" }, { coroutine.resume(coroutine.create(function()
      return a:read(10)
    end)) })
    b:write "three"
    local read
    local task = support.task(queue, function()
      table.sort({ 2, 1 }, function(x, y)
        read = read or a:read(10)
        return x < y
      end)
    end)
    assert.is_true(support.resume(task))
    assert.equal("three", read)
  end)

  -- A hook that raises an error is how time limits, and Ctrl-C, are made.
  it("is dequeued before a debug hook can raise an error", function()
    local task = support.blocked(queue, function() return a:read(10) end)
    debug.sethook(task.coroutine, function() error "from the hook" end, "c")
    assert.is_false((support.resume(task)))
    assert.is_nil(task._dequeue)
    assert.is_true(queue:isEmpty())
  end)

  it("raises a clear error when no task is current", function()
    local ok, message = coroutine.resume(coroutine.create(function() a:read(1) end))
    assert.is_false(ok)
    assert.matches("no current task: call xpio%.setCurrentTask", message)
  end)

  it("raises a clear error when the current task is scheduled already", function()
    local task = support.task(queue, function() a:read(1) end)
    b:when_read(task)
    local ok, message = support.resume(task)
    assert.is_false(ok)
    assert.matches("current task: the task is already scheduled", message)
    task:_dequeue()
    assert.is_true(queue:isEmpty())
  end)

  it("raises an error before scheduling where the coroutine cannot yield", function()
    local function in_sort()
      table.sort({ 3, 2, 1 }, function(x, y)
        a:read(1)
        return x < y
      end)
    end
    local function in_gsub() return (("abc"):gsub(".", function() return a:read(1) end)) end
    for _, f in ipairs { in_sort, in_gsub } do
      local task = support.task(queue, f)
      local ok, message = support.resume(task)
      assert.is_false(ok)
      assert.matches("coroutine cannot yield here", message)
      assert.is_nil(task._dequeue)
      assert.is_true(queue:isEmpty())
    end
  end)

  it("works below pcall, metamethods and iterators", function()
    local proxy = setmetatable({}, { __index = function(_, n) return a:read(n) end })
    local task = support.blocked(queue, function()
      local _, first = pcall(a.read, a, 1)
      local result = { first, proxy[1] }
      for byte in function() return a:read(1) end do result[#result + 1] = byte end
      return table.concat(result)
    end)
    local ok, value
    for _, letter in ipairs { "p", "q", "r" } do
      b:write(letter)
      support.wait_for(queue, task)
      ok, value = support.resume(task)
      assert.is_true(ok)
    end
    assert.equal(xpio.waiting, value)
    b:close()
    support.wait_for(queue, task)
    assert.same({ true, "pqr" }, { support.resume(task) })
  end)

  it("lets a generator inside a task tell its yields from those of xpio", function()
    local function lines()
      return coroutine.wrap(function()
        for _ = 1, 2 do coroutine.yield(a:read(10)) end
      end)
    end
    local task = support.blocked(queue, function()
      local next_line, found = lines(), {}
      for _ = 1, 2 do
        local value = next_line()
        while value == xpio.waiting do
          coroutine.yield(value)
          value = next_line()
        end
        found[#found + 1] = value
      end
      return table.unpack(found)
    end)
    b:write "one"
    support.wait_for(queue, task)
    assert.same({ true, xpio.waiting }, { support.resume(task) })
    b:write "two"
    support.wait_for(queue, task)
    assert.same({ true, "one", "two" }, { support.resume(task) })
  end)
end)

describe("closing a coroutine that is blocked", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("takes its task out of the queue", function()
    local task = support.blocked(queue, function() a:read(1) end)
    assert.is_true(coroutine.close(task.coroutine))
    assert.is_nil(task._dequeue)
    assert.is_nil(task._dequeuedata)
    assert.is_true(queue:isEmpty())
  end)

  it("takes it out when the event has fired, too", function()
    local task = support.blocked(queue, function() a:read(1) end)
    b:write "x"
    xpio.tqueue():wait(0.01)
    assert.is_true(coroutine.close(task.coroutine))
    assert.is_true(queue:isEmpty())
  end)

  it("closes the variables of the functions around the call", function()
    local closed
    local task = support.blocked(queue, function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      a:read(1)
    end)
    assert.is_true(coroutine.close(task.coroutine))
    assert.is_true(closed)
  end)

  -- A waiter is reused as soon as its task has been returned. The closed
  -- coroutine still refers to it, and must not dequeue the next task.
  it("leaves the task alone that has got its waiter meanwhile", function()
    local c, d = xpio.socketpair()
    local first = support.blocked(queue, function() a:read(1) end)
    b:write "x"
    support.wait_for(queue, first)
    local second = support.blocked(queue, function() return c:read(1) end)
    assert.is_true(coroutine.close(first.coroutine))
    assert.is_function(second._dequeue)
    d:write "y"
    support.wait_for(queue, second)
    assert.same({ true, "y" }, { support.resume(second) })
  end)

  it("leaves another task's waiter alone also when it is resumed late", function()
    local c, d = xpio.socketpair()
    local first = support.blocked(queue, function() return a:read(1) end)
    b:write "x"
    support.wait_for(queue, first)
    local second = support.blocked(queue, function() return c:read(1) end)
    assert.same({ true, "x" }, { support.resume(first) })
    d:write "y"
    support.wait_for(queue, second)
  end)
end)

describe("a blocking call on the main thread", function()
  before_each(setup_pair)
  after_each(close_pair)

  local function on_main_thread(script)
    local output, status = support.lua(script)
    assert.equal(0, status, output)
    return output
  end

  it("simply waits, without a task", function()
    assert.equal("hello\n", on_main_thread [[
      local xpio = require "xpio"
      local peer = io.popen("echo hello")
      print((xpio.fdopen(peer):read(100):gsub("\n", "")))
    ]])
  end)

  it("simply waits although a task is current, and inside table.sort", function()
    assert.equal("true\tx\n", on_main_thread [[
      local xpio = require "xpio"
      local task = { _queue = xpio.tqueue() }
      xpio.setCurrentTask(task)
      local object = xpio.fdopen(io.popen "echo x")
      local got
      table.sort({ 2, 1 }, function(x, y)
        got = got or object:read(1)
        return x < y
      end)
      print(task._queue:isEmpty(), got)
    ]])
  end)

  it("keeps the events of tasks that come meanwhile", function()
    assert.equal("1\n", on_main_thread [[
      local xpio = require "xpio"
      local queue = xpio.tqueue()
      local task = { _queue = queue }
      local a, b = xpio.socketpair()
      a:when_read(task)
      b:write "x"
      local child = io.popen("echo x")
      xpio.fdopen(child):read(1)
      print(#queue:wait(0))
    ]])
  end)
end)

describe("the current task", function()
  after_each(function() xpio.setCurrentTask(nil) end)

  it("is what setCurrentTask was given last, nil at first", function()
    assert.is_nil(xpio.getCurrentTask())
    local task = {}
    assert.equal(0, select("#", xpio.setCurrentTask(task)))
    assert.equal(task, xpio.getCurrentTask())
    xpio.setCurrentTask(nil)
    assert.is_nil(xpio.getCurrentTask())
    xpio.setCurrentTask(task)
    xpio.setCurrentTask()
    assert.is_nil(xpio.getCurrentTask())
  end)

  it("must be a table", function()
    for _, value in ipairs { 1, "task", true, print } do
      assert.error_matches(function() xpio.setCurrentTask(value) end, "table expected")
    end
  end)
end)
