local xpio = require "xpio"
local support = require "support"
local capability = require "capability"

local EBADF = { nil, "Bad file descriptor", "EBADF" }

describe("binding and listening", function()
  it("report what the system says", function()
    local listener, address = support.listener()
    local socket <close> = assert(xpio.socket "TCP")
    assert.same({ nil, "Address already in use", "EADDRINUSE" }, { socket:bind(address) })
    assert.same({ nil, "Invalid argument", "EINVAL" }, { listener:bind "127.0.0.1:0" })
    local datagrams <close> = assert(xpio.socket "UDP")
    assert.same({ nil, "Operation not supported", "ENOTSUP" }, { datagrams:listen() })
    listener:close()
  end)

  it("takes a backlog that is no negative integer", function()
    local socket <close> = assert(xpio.socket "TCP")
    for _, backlog in ipairs { 0, 1, 128, math.maxinteger, 5.0 } do
      assert.is_true(socket:listen(backlog))
    end
    assert.is_true(socket:listen(nil))
    assert.error_matches(function() socket:listen(-1) end, "#1 to 'listen' %(negative backlog%)")
    for _, value in ipairs { 1.5, 0 / 0, math.huge, {}, "x", true } do
      assert.error_matches(function() socket:listen(value) end, "bad argument #1 to 'listen'")
    end
  end)
end)

describe("accepting", function()
  it("is retried while nobody connects", function()
    local listener = support.listener()
    assert.same({ nil, "retry", n = 2 }, table.pack(listener:try_accept()))
    listener:close()
  end)

  it("makes the listener readable when somebody does", function()
    local queue = xpio.tqueue()
    local listener, address = support.listener()
    local task = { _queue = queue }
    listener:when_read(task)
    local client <close> = assert(xpio.socket "TCP")
    assert(client:connect(address))
    support.wait_for(queue, task)
    local server <close> = assert(listener:try_accept())
    assert.equal(client:getsockname(), server:getpeername())
    assert.equal(address, server:getsockname())
    listener:close()
  end)

  it("takes each connection once, in order", function()
    local listener, address = support.listener()
    local clients = {}
    for i = 1, 20 do
      clients[i] = assert(xpio.socket "TCP")
      assert(clients[i]:connect(address))
    end
    for i = 1, 20 do
      local server <close> = assert(listener:accept())
      assert.equal(clients[i]:getsockname(), server:getpeername())
    end
    assert.same({ nil, "retry" }, { listener:try_accept() })
    listener:close()
  end)

  it("reports the error of a socket that does not listen", function()
    local socket <close> = assert(xpio.socket "TCP")
    assert.same({ nil, "Invalid argument", "EINVAL" }, { socket:accept() })
  end)
end)

describe("connecting", function()
  -- A port that was bound and closed again: nobody listens there.
  local function refused_address()
    local listener, address = support.listener()
    listener:close()
    return address
  end

  it("returns the socket itself", function()
    local listener, address = support.listener()
    local socket <close> = assert(xpio.socket "TCP")
    assert.same({ socket, n = 1 }, table.pack(socket:connect(address)))
    listener:close()
  end)

  it("without waiting is retried until the socket is writable", function()
    local listener, address = support.listener()
    local queue = xpio.tqueue()
    local socket <close> = assert(xpio.socket "TCP")
    local result, message = socket:try_connect(address)
    if not result then
      assert.equal("retry", message)
      local task = { _queue = queue }
      socket:when_write(task)
      support.wait_for(queue, task)
      result = socket:try_connect(address)
    end
    assert.equal(socket, result)
    assert.same({ nil, "Transport endpoint is already connected", "EISCONN" },
      { socket:try_connect(address) })
    listener:close()
  end)

  it("reports a refused connection", function()
    local socket <close> = assert(xpio.socket "TCP")
    local expected = { nil, "Connection refused", "ECONNREFUSED" }
    local address = refused_address()
    assert.same(expected, { socket:connect(address) })
    assert.same(expected, { socket:connect(address) })
  end)

  it("in a task reports a refused connection", function()
    local socket <close> = assert(xpio.socket "TCP")
    local results
    support.run(function() results = { socket:connect(refused_address()) } end)
    assert.same({ nil, "Connection refused", "ECONNREFUSED" }, results)
  end)

  it("may try a second address after the first has failed", function()
    local listener, address = support.listener()
    local socket <close> = assert(xpio.socket "TCP")
    assert.is_nil(socket:connect(refused_address()))
    assert.equal(socket, socket:connect(address))
    assert.equal(address, socket:getpeername())
    listener:close()
  end)

  -- A listener whose queue is full answers no more, so that connecting to it
  -- stays pending.
  it("to another address gives up a pending attempt", function()
    if not capability.abort_connect then return pending(capability.reason "abort_connect") end
    local full <close>, full_address = support.listener()
    assert(full:listen(0))
    local clients, waiting = {}, {}
    for i = 1, 10 do
      clients[i] = assert(xpio.socket "TCP")
      if not clients[i]:try_connect(full_address) then waiting[#waiting + 1] = clients[i] end
    end
    -- Another port, then another host. Some systems have only one, and others queues that
    -- are never full.
    for i, host in ipairs { "127.0.0.1", "127.0.0.2" } do
      local listener <close> = assert(xpio.socket "TCP")
      local client = waiting[#waiting + 1 - i]
      if client and listener:bind(host .. ":0") then
        assert(listener:listen())
        assert.same({ nil, "retry" }, { client:try_connect(full_address) })
        assert.equal(client, client:connect(listener:getsockname()))
        assert.equal(listener:getsockname(), client:getpeername())
      end
    end
    for _, client in ipairs(clients) do client:close() end
  end)

  it("of a UDP socket sets its peer", function()
    local one <close> = assert(xpio.socket "UDP")
    local other <close> = assert(xpio.socket "UDP")
    one:bind "127.0.0.1:0"
    assert.equal(other, other:connect(one:getsockname()))
    assert.equal(one:getsockname(), other:getpeername())
    other:write "x"
    assert.equal("x", one:read(10))
  end)
end)

describe("names", function()
  it("are those of the two ends", function()
    local client, server = support.connected_pair()
    assert.equal(client:getsockname(), server:getpeername())
    assert.equal(server:getsockname(), client:getpeername())
    local text = ("TCP socket %s to %s (descriptor %d)"):format(
      client:getsockname(), client:getpeername(), client:fileno())
    assert.equal(text, tostring(client))
  end)

  it("are missing where there is no peer", function()
    local socket <close> = assert(xpio.socket "TCP")
    assert.same({ nil, "Transport endpoint is not connected", "ENOTCONN" },
      { socket:getpeername() })
    assert.equal("0.0.0.0:0", socket:getsockname())
  end)
end)

describe("shutdown", function()
  it("of writing lets the peer see the end of the stream, and reading goes on", function()
    local client, server = support.connected_pair()
    client:write "last"
    assert.is_true(client:shutdown "w")
    assert.equal("last", server:read(10))
    assert.same({ n = 1 }, table.pack(server:read(10)))
    server:write "answer"
    assert.equal("answer", client:read(10))
    assert.same({ nil, "Broken pipe", "EPIPE", 0 }, { client:write "more" })
  end)

  it("of reading ends the stream here", function()
    local a, b = xpio.socketpair()
    assert.is_true(a:shutdown "r")
    assert.same({ n = 1 }, table.pack(a:read(10)))
    assert.equal(1, a:write "x")
    assert.equal("x", b:read(10))
  end)

  it("does not stop at a zero in its letters", function()
    local a = xpio.socketpair()
    assert.equal("EINVAL", select(3, a:shutdown "w\0"))
  end)

  it("takes both letters in any order, and repeated", function()
    for _, what in ipairs { "rw", "wr", "rrww" } do
      local a, b = xpio.socketpair()
      assert.is_true(a:shutdown(what))
      assert.is_nil(a:read(1))
      assert.is_nil(b:read(1))
    end
  end)

  it("returns EINVAL for other letters", function()
    local a = xpio.socketpair()
    for _, what in ipairs { "", "x", "R", "rx", "w ", "read" } do
      local result, message, code = a:shutdown(what)
      assert.is_nil(result)
      assert.equal("EINVAL", code)
      assert.matches("shutdown: expected .* got \"" .. what .. "\"", message)
    end
    assert.error_matches(function() a:shutdown() end, "bad argument #1 to 'shutdown'")
    assert.error_matches(function() a:shutdown {} end, "bad argument #1 to 'shutdown'")
  end)

  it("wakes a task that waits to read", function()
    local queue = xpio.tqueue()
    local a, b = xpio.socketpair()
    local task = support.blocked(queue, function() return "end:", a:read(1) end)
    a:shutdown "r"
    support.wait_for(queue, task)
    assert.same({ true, "end:", nil, n = 3 }, table.pack(support.resume(task)))
    b:close()
  end)
end)

describe("a closed socket", function()
  local function closed()
    local socket = assert(xpio.socket "TCP")
    assert.is_true(socket:close())
    return socket
  end

  it("is closed only once", function()
    local socket = assert(xpio.socket "TCP")
    assert.same({ true, n = 1 }, table.pack(socket:close()))
    for _ = 1, 2 do assert.same({ nil, "already closed", n = 2 }, table.pack(socket:close())) end
  end)

  it("reports EBADF from every other method", function()
    local socket = closed()
    local calls = {
      bind = { "127.0.0.1" }, listen = {}, accept = {}, try_accept = {},
      connect = { "127.0.0.1:1" }, try_connect = { "127.0.0.1:1" },
      getsockname = {}, getpeername = {}, shutdown = { "w" }, fileno = {},
      read = { 1 }, try_read = { 1 }, write = { "x" }, try_write = { "x" },
      recvfrom = { 1 }, try_recvfrom = { 1 },
      sendto = { "x", "127.0.0.1:1" }, try_sendto = { "x", "127.0.0.1:1" },
    }
    for name, arguments in pairs(calls) do
      local results = { socket[name](socket, table.unpack(arguments)) }
      if name == "write" then
        assert.equal(0, table.remove(results, 4))
      end
      assert.same(EBADF, results, name)
    end
    for _, option in ipairs { "TCP_NODELAY", "SO_RCVBUF", "SO_REUSEADDR", "O_NONBLOCK" } do
      assert.same(EBADF, { socket:getsockopt(option) })
    end
    for _, option in ipairs { "SO_KEEPALIVE", "SO_REUSEADDR", "O_NONBLOCK" } do
      assert.same(EBADF, { socket:setsockopt(option, true) })
    end
  end)

  it("reports EBADF whatever else is wrong", function()
    local socket = closed()
    assert.same(EBADF, { socket:bind "nonsense" })
    assert.same(EBADF, { socket:connect "nonsense" })
    assert.same(EBADF, { socket:sendto("x", "nonsense") })
    assert.same(EBADF, { socket:shutdown "x" })
    assert.same(EBADF, { socket:getsockopt "nonsense" })
    assert.same(EBADF, { socket:setsockopt("nonsense", 1) })
  end)

  it("says that it is closed", function()
    assert.equal("TCP socket (closed)", tostring(closed()))
  end)

  it("leaves its descriptor number to others", function()
    local socket = assert(xpio.socket "TCP")
    local number = socket:fileno()
    socket:close()
    local other <close> = assert(xpio.socket "UDP")
    assert.equal(number, other:fileno())
    assert.same(EBADF, { socket:getsockname() })
    socket:close()
    assert.equal("0.0.0.0:0", other:getsockname())
  end)
end)

describe("a method", function()
  it("called on anything but a socket raises an argument error", function()
    local socket <close> = assert(xpio.socket "TCP")
    local queue = xpio.tqueue()
    local wrong = { 1, "socket", true, {}, print, io.stdout, queue, xpio.waiting }
    wrong[#wrong + 1] = setmetatable({}, getmetatable(socket))
    for name, method in pairs(getmetatable(socket)) do
      if type(method) == "function" then
        for _, value in ipairs(wrong) do
          assert.error_matches(function() method(value, 1) end, "xpio%.socket expected", nil, name)
        end
        assert.error_matches(function() method() end, "xpio%.socket expected", nil, name)
      end
    end
    for _, method in pairs(getmetatable(queue)) do
      if type(method) == "function" then
        for _, value in ipairs { 1, "queue", {}, socket, io.stdout } do
          assert.error_matches(function() method(value) end, "xpio%.tqueue expected")
        end
      end
    end
  end)
end)
