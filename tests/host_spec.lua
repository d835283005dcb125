--- The host beside xpio: its children, its SIGCHLD and SIGPIPE.
local capability = require "capability"
local support = require "support"
local xpio = require "xpio"

--- A function of stranger.c, where that is built.
local function host(name)
  local path = os.getenv "XPIO_STRANGER"
  return path and assert(package.loadlib(path, "luaopen_" .. name))
end

describe("the host itself", function()
  local dumpable = host "dumpable"
  local test = capability.it "other_users"

  test("can be debugged as before when a child becomes another user", function()
    -- Until it executes its program, the child has the memory of the host, and the
    -- kernel takes that right away with the first change of identity.
    assert.equal(1, dumpable())
    assert(xpio.spawn({ "true" }, nil, nil, { uid = 65534, gid = 65534, groups = {} })):wait()
    assert.equal(1, dumpable())
  end)
end)

describe("the children of the host", function()
  it("keep working beside ours", function()
    local process, writer = support.sleeper()
    local script = "io.write 'by popen' os.exit(3)"
    local popen = io.popen(support.command(support.interpreter, "-e", script))
    assert.equal("by popen", popen:read "a")
    assert.same({ nil, "retry" }, { process:try_wait() })
    assert.same({ nil, "exit", 3 }, { popen:close() })
    writer:close()
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("keep working beside ours that are waited for, and the shell's do", function()
    local process, writer = support.sleeper()
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    process:when_wait(task)
    local popen = io.popen(support.command(support.interpreter, "-e", "io.write 'by popen' os.exit(3)"))
    assert.same({ true, "exit", 0 }, { os.execute "true" })
    assert.equal("by popen", popen:read "l")
    assert.same({}, queue:wait(0))
    assert.same({ nil, "exit", 3 }, { popen:close() })
    writer:close()
    support.wait_for(queue, task)
    assert.same({ true, "exit", 0 }, { os.execute "true" })
  end)

  it("tell os.execute their status while ours are waited for", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local process, writer = support.sleeper()
    process:when_wait { _queue = xpio.tqueue() }
    assert.same({ nil, "exit", 4 }, { os.execute "exit 4" })
    assert.same({ nil, "retry" }, { process:try_wait() })
    writer:close()
    assert.same({ "exit", 0 }, { process:wait() })
  end)

  it("are not reaped by us, though they end before ours", function()
    local popen = io.popen("cat", "w")
    local other = io.popen "exit 7"
    other:read "a"
    for _ = 1, 5 do assert(xpio.spawn { "true" }):wait() end
    assert.same({ nil, "exit", 7 }, { other:close() })
    assert.same({ true, "exit", 0 }, { popen:close() })
  end)
end)

describe("SIGCHLD", function()
  local it = capability.it "child_signals"

  it("may have been ignored from the start", function()
    local output = support.lua([[
      local xpio = require "xpio"
      local process = assert(xpio.spawn { "sh", "-c", "exit 6" })
      print(process:wait())
      print(os.execute "exit 5")
    ]], "trap '' CHLD")
    assert.equal("exit\t6\nnil\texit\t5\n", output)
  end)

  --- Run a script in which the functions of stranger.c are the host's.
  local function run(script)
    return (support.lua(([[
      local function host(name) return assert(package.loadlib(%q, "luaopen_" .. name)) end
      local catch, caught, forget = host "catch", host "caught", host "forget"
      local xpio = require "xpio"
      local capability = require "capability"
local support = require "support"
    ]]):format(os.getenv "XPIO_STRANGER") .. script))
  end

  it("may have a handler of the host: it is called, and we see the end of our children", function()
    assert.equal("exit\t0\ntrue\n", run [[
      catch()
      local process, writer = support.sleeper()
      local queue = xpio.tqueue()
      process:when_wait { _queue = queue }
      writer:close()
      assert(#queue:wait() == 1)
      print(process:wait())
      print(caught() > 0)
    ]])
  end)

  it("may get a handler of the host while we wait", function()
    assert.equal("exit\t0\nexit\t0\ntrue\n", run [[
      local process, writer = support.sleeper()
      local other, other_writer = support.sleeper()
      local queue = xpio.tqueue()
      process:when_wait { _queue = queue }
      assert(#queue:wait(0) == 0)
      catch() -- it calls no other handler
      writer:close()
      assert(#queue:wait(30) == 1)
      print(process:wait())
      other:when_wait { _queue = queue }
      other_writer:close()
      assert(#queue:wait(30) == 1)
      print(other:wait())
      print(caught() > 0)
    ]])
  end)

  it("may lose our handler for a while", function()
    -- What ended meanwhile was told to nobody.
    assert.equal("1\texit\t0\n", run [[
      local process, writer = support.sleeper()
      local queue = xpio.tqueue()
      process:when_wait { _queue = queue }
      queue:wait(0.01)
      host "reset" ()
      writer:close()
      support.wait_for_state(process, "Z")
      print(#queue:wait(30), process:try_wait())
    ]])
  end)

  it("may be set to keep no status", function()
    assert.equal("exit\t6\n", run [[
      forget()
      print(assert(xpio.spawn { "sh", "-c", "exit 6" }):wait())
    ]])
  end)

  it("is handled by two copies of xpio, and neither calls the other for ever", function()
    local copy = support.temporary_path()
    local output = support.lua(([[
      local capability = require "capability"
local support = require "support"
      local xpio = require "xpio"
      os.execute("cp " .. support.quote(support.module) .. " %s")
      local other = assert(package.loadlib(%q, "luaopen_xpio"))()
      assert(other ~= xpio)
      local queue, other_queue = xpio.tqueue(), other.tqueue()
      for _ = 1, 3 do
        local process, other_process = xpio.spawn { "cat" }, other.spawn { "sh", "-c", "exit 1" }
        process:when_wait { _queue = queue }
        other_process:when_wait { _queue = other_queue }
        assert(#queue:wait(30) == 1)
        assert(#other_queue:wait(30) == 1)
        print(process:wait(), other_process:wait())
      end
    ]]):format(copy, copy))
    os.remove(copy)
    assert.equal(("exit\texit\t1\n"):rep(3), output)
  end)

  it("may be blocked", function()
    local output = support.lua([[
      local xpio = require "xpio"
      local process = assert(xpio.spawn { "sh", "-c", "exit 6" })
      print(process:wait())
    ]], nil, support.command(os.getenv "XPIO_PROBE", "--disturbed"))
    assert.equal("exit\t6\n", output)
  end)
end)

describe("a child that a stranger has reaped", function()
  -- As a host's handler of SIGCHLD may that waits for any child.
  local reap = host "reap"
  local it = capability.it "child_signals"

  it("gives ECHILD to all who wait", function()
    local process, writer = support.sleeper()
    local queue = xpio.tqueue()
    for _ = 1, 3 do assert(process:when_wait { _queue = queue }) end
    writer:close()
    assert.is_true(reap(process:pid()))
    local ready = 0
    while ready < 3 do
      local tasks = queue:wait(support.patience)
      assert(#tasks > 0, "nobody was woken")
      ready = ready + #tasks
    end
    assert.same({ nil, "No child processes", "ECHILD" }, { process:try_wait() })
    assert.same({ nil, "No child processes", "ECHILD" }, { process:wait() })
    assert.matches("status lost", tostring(process))
  end)

  it("is not signalled: its number may be another's by now", function()
    for _, attrs in ipairs { {}, { pgroup = true } } do
      local process, writer = support.sleeper(attrs)
      writer:close()
      assert.is_true(reap(process:pid()))
      assert.same({ nil, "No such process", "ESRCH" }, { process:kill("KILL", "group") })
      assert.same({ nil, "No such process", "ESRCH" }, { process:kill() })
    end
  end)

  it("is not signalled when its number is another's, which is not our child", function()
    local last = "/proc/sys/kernel/ns_last_pid" -- root may say which number is next
    local may = io.open(last, "w")
    if not may then return pending "only root can have a number used again" end
    may:close()
    for _, attrs in ipairs { {}, { pgroup = true } } do
      local process, writer = support.sleeper(attrs)
      writer:close()
      assert.is_true(reap(process:pid()))
      local number
      for _ = 1, 100 do -- others start processes, too
        -- The shell that io.popen starts comes first, and then the one in a group of its own.
        local script = ("echo %d >%s; setsid sleep 100 >/dev/null & echo $!"):format(process:pid() - 1, last)
        local shell <close> = io.popen(script)
        number = shell:read "n"
        if number == process:pid() then break end
        os.execute("kill " .. number)
      end
      if number ~= process:pid() then return pending "the number was not to be had" end
      assert.same({ nil, "No such process", "ESRCH" }, { process:kill("KILL", "group") })
      assert.same({ nil, "No such process", "ESRCH" }, { process:kill() })
      assert.is_true(os.execute("kill " .. number), "it was killed")
    end
  end)

  it("is noticed if it is given up", function()
    local process, writer = support.sleeper()
    writer:close()
    assert.is_true(reap(process:pid()))
    do local _ <close> = process end
    assert.same({ nil, "No child processes", "ECHILD" }, { process:try_wait() })
  end)
end)

describe("xpio.sigpipe", function()
  local it = capability.it "pipe_signal"

  it("tells and sets whether SIGPIPE ends the process", function()
    assert.is_false(xpio.sigpipe())
    assert.is_false(xpio.sigpipe(true))
    assert.is_true(xpio.sigpipe(false))
    assert.is_false(xpio.sigpipe(nil))
    assert.error_matches(function() xpio.sigpipe "on" end, "boolean expected")
  end)

  it("decides for the children of io.popen, not for ours", function()
    local script = [[
      local xpio = require "xpio"
      local function ignored(status)
        return tonumber(status:match "SigIgn:%s*(%x+)", 16) >> 12 & 1
      end
      local function by_popen()
        local process <close> = io.popen "exec cat /proc/self/status"
        return ignored(process:read "a")
      end
      local function by_spawn()
        local reader, writer = xpio.pipe()
        assert(xpio.spawn({ "cat", "/proc/self/status" }, nil, { [1] = writer })):wait()
        return ignored(reader:read(65536))
      end
      print(by_popen(), by_spawn())
      xpio.sigpipe(true)
      print(by_popen(), by_spawn())
    ]]
    assert.equal("1\t0\n0\t0\n", (support.lua(script)))
  end)

  it("makes a write to a closed pipe end the program", function()
    local _, status = support.lua [[
      local xpio = require "xpio"
      local reader, writer = xpio.pipe()
      reader:close()
      assert(select(3, writer:write "x") == "EPIPE")
      xpio.sigpipe(true)
      writer:write "x"
      os.exit(5)
    ]]
    assert.equal(13, status > 128 and status - 128 or status)
  end)
end)
