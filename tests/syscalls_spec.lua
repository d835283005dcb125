local capability = require "capability"
local support = require "support"

describe("system calls, as strace sees them", function()
  --- The log of a script, which may have so many descriptors.
  local function trace(script, calls, descriptors)
    local path, log = support.temporary_path(), support.temporary_path()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    finally(function()
      os.remove(path)
      os.remove(log)
    end)
    local status = { os.execute(("ulimit -n %s; exec timeout %d strace -qq -e trace=%s -o %s %s %s"):format(
      descriptors or "$(ulimit -n)", support.patience, calls, log,
      support.command(support.interpreter), path)) }
    assert.same({ true, "exit", 0 }, status)
    local result <close> = assert(io.open(log))
    return result:read "a"
  end

  --- A test that needs these capabilities.
  local function test(name, body, ...)
    local needs = { "strace", ... }
    it(name, function()
      for _, need in ipairs(needs) do
        if not capability[need] then return pending(capability.reason(need)) end
      end
      body()
    end)
  end

  --- What was traced between two marks: the script makes them by opening files
  --- that do not exist.
  local function between_marks(log)
    return assert(log:match "/mark/begin.-\n(.*)\n[^\n]*/mark/end")
  end

  local function count(text, pattern)
    return select(2, text:gsub(pattern, ""))
  end

  local ECHO = [[
    local xpio = require "xpio"
    local support = require "support"
    local ROUNDS = 200
    local client, server = support.connected_pair()
    local queue = xpio.tqueue()
    local function loop(f)
      return { _queue = queue, coroutine = coroutine.create(f) }
    end
    local function mark(name) io.open("/mark/" .. name) end
    local tasks = {
      loop(function()
        while true do
          local data = server:read(4096)
          if not data then return end
          server:write(data)
        end
      end),
      loop(function()
        local function round()
          client:write "request"
          assert(client:read(4096) == "request")
        end
        for _ = 1, 10 do round() end
        mark "begin"
        for _ = 1, ROUNDS do round() end
        mark "end"
        client:close()
      end),
    }
    for _, task in ipairs(tasks) do support.resume(task) end
    while not queue:isEmpty() do
      for _, task in ipairs(queue:wait()) do assert(support.resume(task)) end
    end
  ]]

  test("of a request and its response are a read, a write and a wait on each side", function()
    local log = between_marks(trace(ECHO,
      "openat,read,recvfrom,write,sendto,writev,sendmsg,epoll_ctl,epoll_wait,epoll_pwait,poll"))
    assert.equal(0, count(log, "epoll_ctl"), "interest in reading was not left armed")
    assert.equal(0, count(log, "EAGAIN"), "a read was tried that could only fail")
    assert.equal(400, count(log, "read%(") + count(log, "recvfrom%("))
    assert.equal(400, count(log, "write%(") + count(log, "sendto%("))
    assert.is_true(count(log, "epoll_p?wait%(") <= 410)
  end)

  -- libuv polls up to 48 times in a pass when it gets 1,024 events at once, and all of
  -- them are still there then, for no task has run in between.
  test("of a wait for many sockets that are all ready are few", function()
    local log = between_marks(trace([[
      local xpio = require "xpio"
      local queue, pairs_of, count = xpio.tqueue(), {}, 1500
      for i = 1, count do
        local a, b = assert(xpio.socketpair())
        pairs_of[i] = { a = a, b = b, task = { _queue = queue } }
        assert(a:when_read(pairs_of[i].task))
      end
      queue:wait(0) -- now all are watched
      for _, pair in ipairs(pairs_of) do pair.b:write "x" end
      io.open "/mark/begin"
      local woken = queue:wait()
      io.open "/mark/end"
      assert(#woken == count)
      for _, pair in ipairs(pairs_of) do assert(pair.a:try_read(9) == "x") end
    ]], "openat,epoll_wait,epoll_pwait,epoll_ctl", 4096))
    assert.is_true(count(log, "epoll_p?wait%(") <= 8, log)
    assert.equal(0, count(log, "epoll_ctl"))
  end, "many_descriptors")

  test("never set O_NONBLOCK on a descriptor that is shared", function()
    local log = trace([[
      local xpio = require "xpio"
      local support = require "support"
      local queue = xpio.tqueue()
      local a, b = xpio.socketpair()
      assert(a:setsockopt("O_NONBLOCK", false))
      io.open "/mark/begin"
      local foreign = assert(xpio.fdopen(a:fileno()))
      io.open("/mark/number/" .. foreign:fileno())
      foreign:try_read(1)
      support.fill(foreign)
      foreign:when_read { _queue = queue }
      queue:wait(0)
      foreign:close()
      io.open "/mark/end"
      b:close()
    ]], "openat,fcntl,ioctl")
    log = between_marks(log)
    local number = assert(log:match "/mark/number/(%d+)")
    assert.equal(0, count(log, "F_SETFL"))
    assert.equal(0, count(log, "ioctl%(" .. number .. ", FIONBIO"))
  end)

  --- Spawns so many children that end when a pipe is closed, and waits for them.
  local CHILDREN = [[
    local xpio = require "xpio"
    local count = 50
    local gate, opener = xpio.pipe()
    local queue = xpio.tqueue()
    local function wait_for_all()
      while not queue:isEmpty() do queue:wait() end
    end
    local function spawn()
      local process = assert(xpio.spawn({ "cat" }, nil, { [0] = gate:fileno() }))
      assert(process:when_wait { _queue = queue })
    end
    io.open "/mark/begin"
    for _ = 1, count do spawn() end
    opener:close()
    wait_for_all()
    io.open "/mark/end"
  ]]

  test("of a spawn copy no memory of the parent", function()
    local log = between_marks(trace(CHILDREN, "openat,vfork,fork,clone,clone3"))
    assert.equal(50, count(log, "vfork%("))
    assert.equal(0, count(log, "%f[%a]fork%(") + count(log, "clone"))
  end, "plain_calls")

  test("of waiting for many children grow with their number and not with its square", function()
    local log = between_marks(trace(CHILDREN, "openat,waitid,pidfd_open,epoll_ctl,epoll_wait,epoll_pwait"))
    local waits, passes = count(log, "waitid%("), count(log, "epoll_p?wait%(")
    if log:find "pidfd_open%(%d+, 0%) = %d" then
      assert.equal(50, waits)
      assert.is_true(count(log, "epoll_ctl%(") <= 110)
    else
      -- Every child is looked at when it is scheduled, and once in a pass.
      assert.is_true(waits <= 50 + 50 * passes, ("%d looks in %d passes"):format(waits, passes))
    end
  end)

  test("of a child that nobody waits for are those of its start", function()
    local log = between_marks(trace([[
      local xpio = require "xpio"
      local kept = { assert(xpio.spawn { "true" }) }
      io.open "/mark/begin"
      kept[2] = assert(xpio.spawn({ "/bin/true" }, {}))
      io.open "/mark/end"
    ]], "all"))
    assert.equal(0, count(log, "epoll_"))
    assert.is_true(count(log, "\n") <= 20, log)
  end, "plain_calls")

  -- The master was made so afterwards: another thread's child could inherit it.
  test("that open a terminal make it close-on-exec and non-blocking at once", function()
    local log = trace([[assert(require "xpio".openpty())]], "open,openat")
    for _, path in ipairs { "/dev/ptmx", "/dev/pts/%d+" } do
      local flags = assert(log:match('"' .. path .. '", ([%w_|]+)'), log)
      assert.is_truthy(flags:find "O_NONBLOCK" and flags:find "O_CLOEXEC", flags)
    end
  end, "pseudoterminals")
end)
