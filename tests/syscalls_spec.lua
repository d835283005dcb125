local support = require "support"

describe("system calls, as strace sees them", function()
  local function trace(script, calls)
    local path, log = os.tmpname(), os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    finally(function()
      os.remove(path)
      os.remove(log)
    end)
    local status = { os.execute(("exec timeout %d strace -qq -e trace=%s -o %s %s %s"):format(
      support.patience, calls, log, support.quote(support.interpreter), path)) }
    assert.same({ true, "exit", 0 }, status)
    local result <close> = assert(io.open(log))
    return result:read "a"
  end

  -- Where strace is missing or not allowed, the tests are pending.
  local test = os.execute "strace -qq -o /dev/null true 2>/dev/null" and it or pending

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

  test("never set O_NONBLOCK on a descriptor that is shared", function()
    local log = trace([[
      local xpio = require "xpio"
      local support = require "support"
      local queue = xpio.tqueue()
      local a, b = xpio.socketpair()
      assert(a:setsockopt("O_NONBLOCK", false))
      io.open "/mark/begin"
      local foreign = assert(xpio.fdopen(a:fileno()))
      foreign:try_read(1)
      support.fill(foreign)
      foreign:when_read { _queue = queue }
      queue:wait(0)
      foreign:close()
      io.open "/mark/end"
      b:close()
    ]], "openat,fcntl,ioctl")
    local number = assert(trace and log:match "fcntl%((%d+), F_SETFL")
    log = between_marks(log)
    assert.equal(0, count(log, "F_SETFL"))
    assert.equal(0, count(log, "ioctl%(" .. number .. ", FIONBIO"))
  end)
end)
