local support = require "support"
local capability = require "capability"

describe("without descriptors left", function()
  -- In a process of its own, which has few.
  local function limited(script)
    local output, status = support.lua([[
      local xpio = require "xpio"
      local support = require "support"
      local function exhaust()
        local held = {}
        while true do
          local socket, message, code = xpio.socket "UDP"
          if not socket then
            assert(message == "Too many open files" and code == "EMFILE")
            return held
          end
          held[#held + 1] = socket
        end
      end
    ]] .. script, "ulimit -n 64")
    assert.equal("fine\n", output)
    assert.equal(0, status)
  end

  it("socket, socketpair, pipe and fdopen return EMFILE, and work again later", function()
    if not capability.shell then return pending(capability.reason "shell") end
    limited [[
      local held = exhaust()
      for _, make in ipairs { xpio.socketpair, xpio.pipe, function() return xpio.fdopen(0) end } do
        local object, message, code = make()
        assert(not object and message == "Too many open files" and code == "EMFILE")
      end
      held[#held]:close()
      local object, message, code = xpio.pipe() -- needs two
      assert(not object and code == "EMFILE")
      held[#held - 1]:close()
      local reader, writer = assert(xpio.pipe())
      writer:write "fine\n"
      io.write(reader:read(10))
    ]]
  end)

  it("accept returns EMFILE, loses no connection, and the queue goes on", function()
    if not capability.shell then return pending(capability.reason "shell") end
    limited [[
      local listener, address = support.listener()
      local a, b = xpio.socketpair()
      local client = assert(xpio.socket "TCP")
      assert(client:connect(address))
      local held = exhaust()
      local object, message, code = listener:accept()
      assert(not object and message == "Too many open files" and code == "EMFILE")
      local queue = xpio.tqueue()
      local task, accepting = { _queue = queue }, { _queue = queue }
      a:when_read(task)
      listener:when_read(accepting)
      b:write "x"
      local seen = {}
      while not (seen[task] and seen[accepting]) do
        for _, ready in ipairs(queue:wait(support.patience)) do seen[ready] = true end
      end
      assert(a:read(1) == "x")
      held[#held]:close()
      assert(listener:accept():getpeername() == client:getsockname())
      print "fine"
    ]]
  end)

  it("a blocking call that cannot be watched reports EMFILE and schedules nothing", function()
    if not capability.shell then return pending(capability.reason "shell") end
    limited [[
      -- A shared socket is watched through an epoll descriptor, so by one more.
      local a, b = xpio.socketpair()
      assert(a:setsockopt("O_NONBLOCK", false))
      local foreign = assert(xpio.fdopen(a:fileno()))
      local held = exhaust()
      local queue = xpio.tqueue()
      local task = { _queue = queue }
      local ok, message, code = foreign:when_read(task)
      assert(ok == nil and code == "EMFILE", code)
      assert(queue:isEmpty() and task._dequeue == nil and task._dequeuedata == nil)
      local _, _, read_code = foreign:read(1)
      assert(read_code == "EMFILE")
      held[1]:close()
      b:write "x"
      assert(foreign:when_read(task) == true)
      assert(queue:wait(support.patience)[1] == task)
      print "fine"
    ]]
  end)
end)
