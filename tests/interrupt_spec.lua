local support = require "support"
local capability = require "capability"

describe("Ctrl-C", function()
  local function is_asleep(pid)
    local file <close> = io.open(("/proc/%d/status"):format(pid))
    return not file or file:read "a":match "State:%s*(%a)" ~= "R"
  end

  --- Run a script in a process of its own, and send it SIGINT once, when it has
  --- gone to sleep. Returns what it prints, its exit status or the signal that ended
  --- it, and which of both, as file:close does.
  local function interrupted(script, interpreter_options)
    local path = support.temporary_path()
    local file = assert(io.open(path, "w"))
    file:write([[
      local xpio = require "xpio"
      io.stdout:setvbuf "no"
      print((io.open "/proc/self/stat":read "n"))
    ]] .. script)
    file:close()
    local command = ("exec timeout -s KILL %d %s %s %s 2>&1"):format(
      support.patience, support.command(support.interpreter), interpreter_options or "", path)
    local process = assert(io.popen(command))
    local pid = assert(process:read("n", "l"))
    while not is_asleep(pid) do end -- luacheck: ignore 542
    assert(os.execute("kill -INT " .. pid))
    local output = process:read "a"
    local _, how, status = process:close()
    os.remove(path)
    return output, status, how
  end

  --- Run a script that gets SIGINT while it computes, catches the error, and goes on.
  local function interrupted_outside(script)
    return support.lua([[
      local xpio = require "xpio"
      xpio.tqueue():wait(0.001) -- the handler is chained, and looked at again
      xpio.tqueue():wait(0.001)
      local pid = io.open "/proc/self/stat":read "n"
      local ok, message = pcall(function()
        io.popen("kill -INT " .. pid):close()
        while true do end
      end)
      print(ok, (message:match "interrupted!"))
    ]] .. script)
  end

  local test = capability.it "process_states"

  local function assert_interrupted(script, ...)
    local output, status = interrupted(script .. " print 'not reached'", ...)
    assert.matches("interrupted!", output)
    assert.not_matches("not reached", output)
    assert.equal(1, status)
  end

  test("interrupts a wait without a timeout at the first press", function()
    assert_interrupted [[
      local reader, writer = xpio.pipe()
      local queue = xpio.tqueue()
      reader:when_read { _queue = queue }
      queue:wait()
      writer:close()
    ]]
  end)

  test("interrupts a wait with a timeout, and one for ever", function()
    assert_interrupted "xpio.tqueue():wait(60)"
    assert_interrupted "xpio.tqueue():wait(math.huge)"
  end)

  test("interrupts a blocking call on the main thread", function()
    assert_interrupted [[
      local reader, writer = xpio.pipe()
      reader:read(1)
      writer:close()
    ]]
  end)

  -- lua.c installs its handler anew for every chunk, here after xpio was loaded.
  test("interrupts also when the module was loaded by -l", function()
    assert_interrupted("xpio.tqueue():wait(60)", "-l xpio")
  end)

  -- The script begins, with a new handler of lua.c's, right after xpio has looked
  -- at the handler. It once looked again only after a tenth of a second.
  test("interrupts a wait that begins just after the handler was installed anew", function()
    local options = "-l xpio -e 'require \"xpio\".tqueue():wait(0.001)'"
    assert_interrupted("xpio.tqueue():wait(60)", options)
  end)

  -- Each copy chains the handler of the other, which must not go on for ever.
  test("interrupts a process that holds two copies of the module", function()
    local copy = support.temporary_path()
    finally(function() os.remove(copy) end)
    local module = assert(package.searchpath("xpio", package.cpath))
    assert(os.execute(("cp %s %s"):format(support.quote(module), copy)))
    assert_interrupted(([[
      local open = assert(package.loadlib(%q, "luaopen_xpio"))
      local other = open()
      assert(other ~= xpio)
      for _ = 1, 2 do
        xpio.tqueue():wait(0.001)
        other.tqueue():wait(0.001)
      end
      xpio.tqueue():wait(60)
    ]]):format(copy))
  end)

  test("raises an error that can be caught, and the program goes on", function()
    local output, status = interrupted [[
      local ok, message = pcall(function()
        xpio.tqueue():wait(60)
        return "not reached"
      end)
      print(ok, message:match "interrupted!")
      local queue = xpio.tqueue()
      local reader, writer = xpio.pipe()
      local task = { _queue = queue }
      reader:when_read(task)
      writer:write "alive"
      print(#queue:wait(), reader:read(10))
    ]]
    assert.equal("false\tinterrupted!\n1\talive\n", output)
    assert.equal(0, status)
  end)

  test("lets a wait in a coroutine return what it has", function()
    local output, status = interrupted [[
      local waiting = coroutine.wrap(function()
        print(#xpio.tqueue():wait(60))
        coroutine.yield()
      end)
      waiting()
    ]]
    assert.matches("^0\n", output)
    assert.matches("interrupted!", output)
    assert.equal(1, status)
  end)

  -- The signal wakes the loop, whoever runs it next. Once its error is raised, a
  -- wait has nothing to do with it.
  test("does not cut the next wait short when it came outside of any", function()
    local output, status = interrupted_outside [[
      local start = xpio.gettime()
      print(#xpio.tqueue():wait(0.3), xpio.gettime() - start >= 0.3)
    ]]
    assert.equal("false\tinterrupted!\n0\ttrue\n", output)
    assert.equal(0, status)
  end)

  -- When lua_close runs finalizers, lua.c has set SIGINT to its default again.
  test("ends the process as ever where SIGINT is left at its default", function()
    local output, status, how = interrupted([[
      keep = setmetatable({}, { __gc = function()
        xpio.tqueue():wait(60)
        print "not reached"
      end })
    ]])
    assert.same({ "", "signal", 2 }, { output, how, status })
  end)
end)
