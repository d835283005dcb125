--- Process objects: waiting for children, and letting go of them.
local support = require "support"
local capability = require "capability"
local xpio = require "xpio"

local child, sleeper = support.child, support.sleeper

describe("process:wait", function()
  it("returns the exit status", function()
    for _, status in ipairs { 0, 1, 77, 255 } do
      assert.same({ "exit", status }, { child(("os.exit(%d)"):format(status)):wait() })
    end
  end)

  it("returns the number of the signal that ended the process", function()
    for signal, number in pairs { KILL = 9, TERM = 15, INT = 2, QUIT = 3 } do
      local process, writer = sleeper()
      assert.is_true(process:kill(signal))
      assert.same({ "signal", number }, { process:wait() })
      writer:close()
    end
  end)

  it("returns the number of a signal that is not sent to end processes", function()
    if not capability.signals then return pending(capability.reason "signals") end
    for signal, number in pairs { HUP = 1, ABRT = 6, PIPE = 13 } do
      local process, writer = sleeper()
      assert.is_true(process:kill(signal))
      assert.same({ "signal", number }, { process:wait() })
      writer:close()
    end
  end)

  it("can be called any number of times, in all its forms", function()
    local process = child "os.exit(3)"
    local queue = xpio.tqueue()
    for _ = 1, 3 do
      assert.same({ "exit", 3 }, { process:wait() })
      assert.same({ "exit", 3 }, { process:try_wait() })
      local task = { _queue = queue }
      assert.is_true(process:when_wait(task))
      support.wait_for(queue, task)
    end
  end)

  it("suspends its coroutine only", function()
    local process, writer = sleeper()
    local order = {}
    support.run(function()
      order[#order + 1] = "one waits"
      local how, status = process:wait()
      order[#order + 1] = how .. " " .. status
    end, function()
      order[#order + 1] = "the other goes on"
      writer:close()
    end)
    assert.same({ "one waits", "the other goes on", "exit 0" }, order)
  end)

  it("wakes all of many tasks", function()
    local process, writer = sleeper()
    local functions, count = {}, 0
    for i = 1, 100 do
      functions[i] = function()
        assert.same({ "exit", 0 }, { process:wait() })
        count = count + 1
      end
    end
    functions[101] = function() writer:close() end
    support.run(table.unpack(functions))
    assert.equal(100, count)
  end)

  it("leaves a task that was dequeued alone", function()
    local process, writer = sleeper()
    local queue = xpio.tqueue()
    local task, other = { _queue = queue }, { _queue = queue }
    process:when_wait(task)
    process:when_wait(other)
    task:_dequeue()
    writer:close()
    support.wait_for(queue, other)
    assert.is_true(queue:isEmpty())
  end)

  it("is not fooled by a process that is stopped and goes on", function()
    if not capability.signals then return pending(capability.reason "signals") end
    local process, writer = sleeper()
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    process:when_wait(task)
    for signal, state in pairs { STOP = "T", CONT = "S" } do
      process:kill "STOP"
      process:kill(signal)
      support.wait_for_state(process, state)
      assert.same({}, queue:wait(0))
      assert.same({ nil, "retry" }, { process:try_wait() })
    end
    process:kill "CONT"
    writer:close()
    support.wait_for(queue, task)
    assert.same({ "exit", 0 }, { process:try_wait() })
  end)

  it("is noticed by a queue that is asked again and again, and never waits", function()
    -- libuv does not poll at all when it finds that nothing keeps its loop alive.
    local output = support.lua [[
      local xpio = require "xpio"
      local queue = xpio.tqueue()
      local task = { _queue = queue }
      assert(xpio.spawn { "true" }):when_wait(task)
      repeat local ready = queue:wait(0) until ready[1] == task
      print "woken"
    ]]
    assert.equal("woken\n", output)
  end)

  it("is not kept from it by a task that is always ready", function()
    local process, writer = sleeper()
    local queue = xpio.tqueue()
    local task, other = { _queue = queue }, { _queue = queue }
    local always = assert(xpio.fdopen(assert(io.open(support.module))))
    process:when_wait(task)
    writer:close()
    local woken
    repeat
      if not other._dequeue then always:when_read(other) end
      for _, ready in ipairs(queue:wait(support.patience)) do woken = woken or ready == task end
    until woken
    assert.same({ "exit", 0 }, { process:try_wait() })
  end)

  it("is woken if the process had ended before the first wait for any", function()
    if not capability.process_states then return pending(capability.reason "process_states") end
    -- Its SIGCHLD came before there was a handler, where that is what tells its end.
    local output = support.lua [[
      local xpio = require "xpio"
      local process = assert(xpio.spawn { "true" })
      require("support").wait_for_state(process, "Z")
      local queue = xpio.tqueue()
      process:when_wait { _queue = queue }
      print(#queue:wait(30), process:try_wait())
    ]]
    assert.equal("1\texit\t0\n", output)
  end)

  it("works for many children that end at once", function()
    local gate, opener = xpio.pipe()
    local number = gate:fileno()
    local queue = xpio.tqueue()
    local processes, waiting = {}, {}
    for i = 1, support.many do
      processes[i] = assert(xpio.spawn({ "cat" }, nil, { [0] = number }))
      local task = { _queue = queue, process = processes[i] }
      assert(processes[i]:when_wait(task))
      waiting[task] = true
    end
    opener:close()
    local ended = 0
    while not queue:isEmpty() do
      local ready = queue:wait(support.patience)
      assert(#ready > 0, "not all were woken")
      for _, task in ipairs(ready) do
        assert.is_true(waiting[task])
        waiting[task] = nil
        assert.same({ "exit", 0 }, { task.process:try_wait() })
        ended = ended + 1
      end
    end
    assert.equal(support.many, ended)
    gate:close()
  end)

  it("works for more children than there may be descriptors", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local output = support.lua([[
      local xpio = require "xpio"
      local gate, opener = xpio.pipe()
      local queue = xpio.tqueue()
      for i = 1, 100 do
        local process = assert(xpio.spawn({ "cat" }, nil, { [0] = gate:fileno() }))
        assert(process:when_wait { _queue = queue })
      end
      opener:close()
      local ended = 0
      while not queue:isEmpty() do ended = ended + #queue:wait() end
      print(ended)
    ]], "ulimit -n 50")
    assert.equal("100\n", output)
  end)
end)

describe("process:try_wait", function()
  it("says retry while the process runs", function()
    local process, writer = sleeper()
    assert.same({ nil, "retry" }, { process:try_wait() })
    writer:close()
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("sees the end without the loop having run, and wakes who waits", function()
    local process, writer = sleeper()
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    process:when_wait(task)
    writer:close()
    local how
    repeat how = process:try_wait() until how
    assert.equal("exit", how)
    assert.same({ task }, queue:wait(0))
  end)
end)

describe("a process object", function()
  it("knows its number", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local reader, writer = xpio.pipe()
    local process = assert(xpio.spawn({ "sh", "-c", "echo $$" }, nil, { [1] = writer }))
    assert.equal(process:pid() .. "\n", reader:read(100))
    process:wait()
    assert.equal("integer", math.type(process:pid()))
  end)

  it("says what it is", function()
    local process, writer = sleeper()
    assert.matches("^process %d+ %(running%)$", tostring(process))
    writer:close()
    process:wait()
    assert.matches("^process %d+ %(exit 0%)$", tostring(process))
    process = sleeper()
    process:kill()
    process:wait()
    assert.matches("^process %d+ %(signal 9%)$", tostring(process))
  end)

  it("keeps the status when it is closed after the end", function()
    local process = child "os.exit(5)"
    process:wait()
    do local _ <close> = process end
    assert.same({ "exit", 5 }, { process:wait() })
    assert.same({ nil, "No such process", "ESRCH" }, { process:kill() })
  end)

  it("wakes who waits when it is closed before", function()
    local process, writer = sleeper()
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    process:when_wait(task)
    do local _ <close> = process end
    support.wait_for(queue, task)
    assert.same({ nil, "No child processes", "ECHILD" }, { process:try_wait() })
    assert.same({ nil, "No child processes", "ECHILD" }, { process:wait() })
    assert.same({ nil, "No such process", "ESRCH" }, { process:kill() })
    assert.matches("closed", tostring(process))
    writer:close()
  end)

  it("does not end the child when it is collected", function()
    local reader, writer = xpio.pipe()
    local far, near = xpio.pipe()
    child("io.write(io.read())", { [0] = far, [1] = writer })
    collectgarbage()
    near:write "still here\n"
    assert.equal("still here", support.read_all(reader, 100))
  end)

  it("leaves no zombie when it is collected", function()
    if not capability.process_states then return pending(capability.reason "process_states") end
    local output = support.lua [[
      local xpio = require "xpio"
      local support = require "support"
      local reader, writer = xpio.pipe()
      local far, near = xpio.pipe()
      assert(xpio.spawn({ "cat" }, nil, { [0] = far, [1] = writer }))
      collectgarbage()
      near:write "still here\n"
      near:close()
      io.write(support.read_all(reader, 100))
      -- Until it is reaped. Passes of the loop do that.
      local queue, count = xpio.tqueue()
      repeat queue:wait(0.01) count = support.count_children() until count == 0
      print(count)
    ]]
    assert.equal("still here\n0\n", output)
  end)

  it("leaves no zombies in a program that only starts children", function()
    if not capability.process_states then return pending(capability.reason "process_states") end
    local output = support.lua [[
      local xpio = require "xpio"
      local support = require "support"
      local function start()
        assert(xpio.spawn { "true" })
        collectgarbage() -- most of them run at that time
      end
      for _ = 1, 100 do start() end
      -- Each spawn reaps what has ended by then.
      repeat start() until support.count_children() < 10
      print "few"
    ]]
    assert.equal("few\n", output)
  end)

  --- What a child prints that ends later than the process that has started it.
  local function from_survivor(attrs)
    return support.lua(([[
      local xpio = require "xpio"
      local support = require "support"
      local reader
      reader, writer = xpio.pipe() -- the end of this process closes it
      -- Global: it is finalized by lua_close.
      process = support.child("io.read 'a' io.write 'later'", { [0] = reader, [1] = 1 }, %s)
      queue = xpio.tqueue()
      process:when_wait { _queue = queue }
      os.exit(true, true)
    ]]):format(attrs))
  end

  it("does not end the child when its state is closed", function()
    if not capability.surviving_children then return pending(capability.reason "surviving_children") end
    assert.equal("later", from_survivor "nil")
  end)

  it("does not end a child that leads a session when its state is closed", function()
    assert.equal("later", from_survivor "{ session = true }")
  end)

  it("can be made and used by finalizers until xpio itself is closed, and then reports that", function()
    local output = support.lua [[
      local xpio, child
      -- Made before xpio, and so finalized after it.
      last = setmetatable({}, { __gc = function()
        print("last", xpio.spawn { "true" })
        print("last", child:wait())
        print("last", child:kill())
      end })
      xpio = require "xpio"
      first = setmetatable({}, { __gc = function()
        print("first", xpio.spawn { "true" }:wait())
        local reader, writer = xpio.pipe()
        kept = writer -- it is closed by the end of the process, which ends the child
        child = xpio.spawn({ "cat" }, nil, { [0] = reader }) -- Lua will never finalize it
        print("first", child:try_wait())
      end })
      os.exit(true, true)
    ]]
    assert.equal([[
first	exit	0
first	nil	retry
last	nil	Bad file descriptor	EBADF
last	nil	No child processes	ECHILD
last	nil	No such process	ESRCH
]], output)
  end)
end)
