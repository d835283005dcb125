local xpio = require "xpio"
local support = require "support"
local capability = require "capability"

local queue, a, b

local function setup_pair()
  queue = xpio.tqueue()
  a, b = assert(xpio.socketpair())
end

local function close_pair()
  a:close()
  b:close()
end

describe("each blocking operation", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("accept waits for a connection and returns a new socket", function()
    local listener, address = support.listener()
    local task = support.blocked(queue, function() return listener:accept() end)
    local client = xpio.socket "TCP"
    assert.equal(client, client:connect(address))
    support.wait_for(queue, task)
    local ok, server = support.resume(task)
    assert.is_true(ok)
    assert.equal(client:getsockname(), server:getpeername())
    assert.not_equal(listener:fileno(), server:fileno())
  end)

  it("connect waits for the connection and returns the socket itself", function()
    local listener, address = support.listener()
    local client = xpio.socket "TCP"
    local connected
    support.run(function() connected = client:connect(address) end)
    assert.equal(client, connected)
    listener:close()
  end)

  it("recvfrom waits for a datagram", function()
    local receiver, sender = xpio.socket "UDP", xpio.socket "UDP"
    receiver:bind "127.0.0.1:0"
    local task = support.blocked(queue, function() return receiver:recvfrom(10) end)
    sender:sendto("data", receiver:getsockname())
    support.wait_for(queue, task)
    local _, data, from = support.resume(task)
    assert.equal("data", data)
    assert.matches("^127%.0%.0%.1:%d+$", from)
  end)

  it("write returns when all bytes are written, however slow the reader", function()
    local data = ("0123456789"):rep(200000)
    local written, received
    support.run(function()
      written = a:write(data)
      a:close()
    end, function()
      received = support.read_all(b, 10007)
    end)
    assert.equal(#data, written)
    assert.is_true(received == data)
  end)

  it("write reports an error together with what was written before", function()
    if not capability.write_notices then return pending(capability.reason "write_notices") end
    local strings, size = support.too_much()
    local task = support.blocked(queue, function() return a:write(strings) end)
    b:close()
    support.wait_for(queue, task)
    local ok, result, message, code, written = support.resume(task)
    assert.is_true(ok)
    assert.is_nil(result)
    assert.equal("Broken pipe", message)
    assert.equal("EPIPE", code)
    assert.is_true(written > 0 and written < size)
  end)

  it("write of two tasks loses nothing and doubles nothing", function()
    local block = ("x"):rep(300000)
    local total = 0
    local left = 2
    local function writer()
      assert(a:write(block) == #block)
      left = left - 1
      if left == 0 then a:shutdown "w" end
    end
    support.run(writer, writer, function()
      total = #support.read_all(b, 50000)
    end)
    assert.equal(2 * #block, total)
  end)
end)

--- A listener that takes no more connections, and those that it has taken.
--- To connect one more has to wait until one of them is accepted.
local function busy_listener()
  local listener = assert(xpio.socket "TCP")
  assert(listener:bind "127.0.0.1:0")
  assert(listener:listen(0))
  local address, taken = assert(listener:getsockname()), {}
  while true do
    local socket = assert(xpio.socket "TCP")
    socket:try_connect(address)
    -- On the loopback, what has not come about by now is not going to.
    local result, message = socket:try_connect(address)
    if not result then
      assert(message == "retry")
      socket:close()
      return listener, address, taken
    end
    taken[#taken + 1] = result
  end
end

-- Each operation in a state in which it has to wait: a function that calls it,
-- one that makes it go on, and one that checks its results. Not sendto: on the
-- loopback a datagram hardly ever waits.
local function pending_operations()
  local listener, address = support.listener()
  local reader, writer = xpio.pipe()
  local receiver = assert(xpio.socket "UDP")
  assert(receiver:bind "127.0.0.1:0")
  local client = assert(xpio.socket "TCP")
  local busy, busy_address, taken = busy_listener()
  local full, peer = assert(xpio.socketpair())
  support.fill(full)
  local connecting = assert(xpio.socket "TCP")

  local function drain(socket)
    return function() while socket:try_read(1 << 20) do end end
  end

  local objects = { listener, reader, writer, receiver, client, busy, full, peer, connecting }
  return {
    accept = {
      call = function() return listener:accept() end,
      go_on = function() assert(client:connect(address)) end,
      check = function(server) return server:getpeername() == client:getsockname() end,
    },
    connect = {
      call = function() return connecting:connect(busy_address) end,
      go_on = function() for _ = 1, #taken do assert(busy:accept()):close() end end,
      check = function(socket) return socket == connecting end,
    },
    read = {
      call = function() return reader:read(10) end,
      go_on = function() writer:write "read" end,
      check = function(data) return data == "read" end,
    },
    recvfrom = {
      call = function() return receiver:recvfrom(10) end,
      go_on = function() xpio.socket "UDP":sendto("data", receiver:getsockname()) end,
      check = function(data) return data == "data" end,
    },
    write = {
      call = function() return full:write "write" end,
      go_on = drain(peer),
      check = function(count) return count == 5 end,
    },
  }, function()
    for _, object in ipairs(objects) do object:close() end
    for _, object in ipairs(taken) do object:close() end
  end
end

for _, name in ipairs { "accept", "connect", "read", "recvfrom", "write" } do
  describe(name .. ", where it has to wait,", function()
    local operation, close

    before_each(function()
      local operations
      queue = xpio.tqueue()
      operations, close = pending_operations()
      operation = operations[name]
    end)
    after_each(function() close() end)

    local function assert_idle(task)
      assert.is_nil(task._dequeue)
      assert.is_nil(task._dequeuedata)
      assert.is_true(queue:isEmpty())
    end

    it("yields xpio.waiting alone, and goes on when its event has come", function()
      local task = support.task(queue, operation.call)
      local results = table.pack(support.resume(task))
      assert.same({ true, xpio.waiting, n = 2 }, results)
      operation.go_on()
      repeat
        support.wait_for(queue, task)
        assert_idle(task)
        results = table.pack(support.resume(task))
        assert.is_true(results[1])
      until results[2] ~= xpio.waiting
      assert.is_true(operation.check(results[2]))
      assert_idle(task)
    end)

    it("returns what it is resumed with, and has left the queue", function()
      for _, values in ipairs { { nil, n = 1 }, { nil, "timeout", n = 2 }, { 1, nil, nil, n = 3 } } do
        local task = support.blocked(queue, function() return table.pack(operation.call()) end)
        assert.is_false(queue:isEmpty())
        local ok, results = support.resume(task, table.unpack(values, 1, values.n))
        assert.is_true(ok)
        assert.same(values, results)
        assert_idle(task)
      end
    end)

    it("raises an error without a current task, and where it cannot yield", function()
      local ok, message = coroutine.resume(coroutine.create(operation.call))
      assert.is_false(ok)
      assert.matches("no current task: call xpio%.setCurrentTask", message)
      local task = support.task(queue, function() return (("x"):gsub("x", operation.call)) end)
      ok, message = support.resume(task)
      assert.is_false(ok)
      assert.matches("coroutine cannot yield here", message)
      assert_idle(task)
    end)

    it("leaves the queue when its coroutine is closed", function()
      local task = support.blocked(queue, operation.call)
      assert.is_true(coroutine.close(task.coroutine))
      assert_idle(task)
    end)
  end)
end
