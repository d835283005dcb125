--- The dispatcher that comes with xpio.
local support = require "support"

describe("xpio.dispatcher", function()
  -- Runs a program that uses it; returns its output with that to standard error.
  local function run_program(text)
    return (support.lua(text))
  end

  it("passes arguments to a task and runs it until it blocks", function()
    assert.equal("1\t2\t3\nstarted\n", run_program [[
      local dispatcher = require "xpio.dispatcher"
      dispatcher.start(function(...) print(...) dispatcher.sleep(0) end, 1, 2, 3)
      print "started"
      dispatcher.run()
    ]])
  end)

  it("returns from run when no task waits", function()
    assert.equal("end\n", run_program [[require "xpio.dispatcher".run() print "end"]])
  end)

  it("runs two tasks that talk to each other over a socketpair", function()
    assert.equal("ping\npong\n", run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      local a, b = xpio.socketpair()
      dispatcher.start(function() print(a:read(9)) a:write "pong" end)
      dispatcher.start(function() b:write "ping" print(b:read(9)) end)
      dispatcher.run()
    ]])
  end)

  it("lets a task start another one and still block itself", function()
    assert.equal("inner\nouter\n", run_program [[
      local dispatcher = require "xpio.dispatcher"
      dispatcher.start(function()
        dispatcher.start(print, "inner")
        dispatcher.sleep(0)
        print "outer"
      end)
      dispatcher.run()
    ]])
  end)

  it("wakes sleepers in the order of their time, and no earlier", function()
    assert.equal("c\nb\na\ntrue\n", run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      local begin = xpio.gettime()
      local function after(seconds, name) dispatcher.sleep(seconds) print(name) end
      dispatcher.start(after, 0.06, "a")
      dispatcher.start(after, 0.04, "b")
      dispatcher.start(after, 0.02, "c")
      dispatcher.run()
      print(xpio.gettime() - begin >= 0.06)
    ]])
  end)

  it("gives every task a turn when one sleeps for no time at all", function()
    assert.equal("a\nb\na\nb\na\nb\n", run_program [[
      local dispatcher = require "xpio.dispatcher"
      local function turns(name) for _ = 1, 3 do print(name) dispatcher.sleep(0) end end
      dispatcher.start(turns, "a")
      dispatcher.start(turns, "b")
      dispatcher.run()
    ]])
  end)

  it("lets sockets have their turn while a task sleeps for no time over and over", function()
    assert.equal("x\n", run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      local a, b = xpio.socketpair()
      local done = false
      dispatcher.start(function() print(a:read(1)) done = true end)
      dispatcher.start(function() while not done do dispatcher.sleep(0) end end)
      dispatcher.start(function() b:write "x" end)
      dispatcher.run()
    ]])
  end)

  it("reports a task's error, closes its variables and runs the others", function()
    local output = run_program [[
      local dispatcher = require "xpio.dispatcher"
      local function break_down() error "it broke" end
      dispatcher.start(function()
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        dispatcher.sleep(0)
        break_down()
      end)
      dispatcher.start(function() dispatcher.sleep(0.01) print "the other" end)
      dispatcher.start(error, {})
      dispatcher.run()
      print "end"
    ]]
    assert.matches("it broke\nstack traceback:.-in upvalue 'break_down'", output)
    assert.matches("table: [0x]*%x+\nstack traceback:", output)
    assert.matches("closed\nthe other\nend\n", output)
  end)

  it("does nothing in a step without tasks", function()
    assert.equal("nil\n", run_program [[print(require "xpio.dispatcher".step())]])
  end)

  it("waits no longer in a step than it is told, and says when it wants the next one", function()
    assert.equal("inf\nx\nnil\ntrue\n", run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      local a, b = xpio.socketpair()
      dispatcher.start(function() print(a:read(1)) end)
      print(dispatcher.step(0))
      b:write "x"
      print(dispatcher.step())
      dispatcher.start(dispatcher.sleep, 3600)
      local seconds = dispatcher.step(0)
      print(seconds > 3500 and seconds <= 3600)
    ]])
  end)

  -- An error in the report of an error left run, and the tasks that were ready too were lost.
  it("runs the others also when what a task fails with cannot be shown, or stderr is closed", function()
    local output = run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      local a, b = xpio.socketpair()
      local function wait_and(f) return function() a:read(1) f() end end
      local unprintable = setmetatable({}, { __tostring = function() error {} end })
      local nameless = setmetatable({}, { __tostring = function() return {} end })
      dispatcher.start(wait_and(function() error(unprintable) end))
      dispatcher.start(wait_and(function() error(nameless) end))
      dispatcher.start(wait_and(function()
        io.stderr:close()
        error "not seen"
      end))
      dispatcher.start(wait_and(function() print "the other" end))
      b:write "1234"
      dispatcher.run()
      print "end"
    ]]
    assert.matches("error object is a table value.*error object is a table value", output)
    assert.matches("the other\nend\n", output)
  end)

  -- Its task was reported, and then closed, though it was running.
  it("runs the others when a task schedules itself and takes a step", function()
    local output = run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      local a, b = xpio.socketpair()
      dispatcher.start(function()
        a:when_write(xpio.getCurrentTask())
        b:when_write { _queue = xpio.getCurrentTask()._queue,
          coroutine = coroutine.create(function() print "one" end) }
        dispatcher.step()
        print "two"
      end)
      dispatcher.run()
    ]]
    assert.matches("one\ntwo\n", output)
    assert.matches("non%-suspended", output)
  end)

  -- Of NaN nothing is less or greater: nobody woke any more.
  it("takes no time to sleep that is not a number", function()
    assert.equal("first\n", run_program [[
      local dispatcher = require "xpio.dispatcher"
      local strange = setmetatable({}, { __add = function() return {} end, __radd = print })
      dispatcher.start(function() dispatcher.sleep(0.001) print "first" end)
      for _, seconds in ipairs { 0/0, "1", strange, true } do
        dispatcher.start(function()
          local ok, message = pcall(dispatcher.sleep, seconds)
          assert(not ok and message:find "bad argument #1 to 'sleep'", message)
        end)
      end
      assert(not pcall(dispatcher.sleep))
      dispatcher.run()
    ]])
  end)

  -- It was on the list of sleepers by then, and was woken out of what it did next.
  it("does not let a task sleep where it cannot yield", function()
    assert.equal("true\n", run_program [[
      local xpio, dispatcher = require "xpio", require "xpio.dispatcher"
      dispatcher.start(function()
        local ok, message = pcall(table.sort, { 2, 1 }, function() dispatcher.sleep(0) end)
        assert(not ok and message:find "cannot yield")
        local start = xpio.gettime()
        dispatcher.sleep(0.02)
        print(xpio.gettime() - start >= 0.02)
      end)
      dispatcher.run()
    ]])
  end)
end)
