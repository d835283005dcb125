local xpio = require "xpio"
local support = require "support"

describe("an option", function()
  local socket

  before_each(function() socket = assert(xpio.socket "TCP") end)
  after_each(function() socket:close() end)

  for _, name in ipairs { "TCP_NODELAY", "SO_KEEPALIVE", "SO_REUSEADDR" } do
    it(name .. " is a boolean, false at first", function()
      assert.is_false(socket:getsockopt(name))
      assert.is_true(socket:setsockopt(name, true))
      assert.is_true(socket:getsockopt(name))
      assert.is_true(socket:setsockopt(name, false))
      assert.is_false(socket:getsockopt(name))
    end)

    it(name .. " raises an argument error for what is no boolean", function()
      for _, value in ipairs { 0, 1, "true", {} } do
        assert.error_matches(function() socket:setsockopt(name, value) end,
          "bad argument #2 to 'setsockopt' %(boolean expected, got ")
      end
      assert.error_matches(function() socket:setsockopt(name) end, "boolean expected, got no value")
    end)
  end

  for _, name in ipairs { "SO_RCVBUF", "SO_SNDBUF" } do
    it(name .. " is a number of bytes", function()
      assert.is_true(socket:setsockopt(name, 20000))
      local size = socket:getsockopt(name)
      assert.equal("integer", math.type(size))
      assert.is_true(size >= 20000)
      assert.is_true(socket:setsockopt(name, 0)) -- the system takes its least
      assert.is_true(socket:getsockopt(name) < size)
    end)

    it(name .. " raises an argument error for a negative size or what is none", function()
      assert.error_matches(function() socket:setsockopt(name, -1) end, "negative size")
      assert.error_matches(function() socket:setsockopt(name, 2 ^ 31) end, "size out of range")
      for _, value in ipairs { 1.5, 0 / 0, math.huge, "x", true, {} } do
        assert.error_matches(function() socket:setsockopt(name, value) end,
          "bad argument #2 to 'setsockopt'")
      end
    end)
  end

  it("SO_REUSEADDR lets nobody take a port at which another listens", function()
    socket:setsockopt("SO_REUSEADDR", true)
    assert.is_true(socket:bind "127.0.0.1:0")
    assert.is_true(socket:listen())
    local other <close> = assert(xpio.socket "TCP")
    other:setsockopt("SO_REUSEADDR", true)
    assert.same({ nil, "Address already in use", "EADDRINUSE" }, { other:bind(socket:getsockname()) })
  end)

  it("that is not known returns ENOPROTOOPT", function()
    for _, name in ipairs { "", "SO_FOO", "tcp_nodelay", "TCP_NODELAY " } do
      assert.same({ nil, "unknown option: " .. name, "ENOPROTOOPT" }, { socket:getsockopt(name) })
      assert.same({ nil, "unknown option: " .. name, "ENOPROTOOPT" },
        { socket:setsockopt(name, true) })
    end
  end)

  it("needs a name", function()
    for _, value in ipairs { true, {}, print } do
      assert.error_matches(function() socket:getsockopt(value) end, "#1 to 'getsockopt'")
      assert.error_matches(function() socket:setsockopt(value, true) end, "#1 to 'setsockopt'")
    end
  end)

  it("that does not apply reports what the system says", function()
    local reader = xpio.pipe()
    assert.same({ nil, "Socket operation on non-socket", "ENOTSOCK" },
      { reader:getsockopt "SO_RCVBUF" })
    assert.same({ nil, "Socket operation on non-socket", "ENOTSOCK" },
      { reader:setsockopt("SO_KEEPALIVE", true) })
  end)
end)

describe("the option O_NONBLOCK", function()
  it("is true at first, and can be switched", function()
    local reader, writer = xpio.pipe()
    assert.is_true(reader:getsockopt "O_NONBLOCK")
    assert.is_true(reader:setsockopt("O_NONBLOCK", false))
    assert.is_false(reader:getsockopt "O_NONBLOCK")
    writer:write "x"
    assert.equal("x", reader:try_read(10))
    assert.is_true(reader:setsockopt("O_NONBLOCK", true))
    assert.same({ nil, "retry" }, { reader:try_read(10) })
    assert.error_matches(function() reader:setsockopt("O_NONBLOCK", 1) end, "boolean expected")
  end)

  -- uv_poll_init makes a descriptor non-blocking: waiting must not undo it.
  it("stays false when a task waits for the object", function()
    local queue = xpio.tqueue()
    local reader, writer = xpio.pipe()
    assert.is_true(reader:setsockopt("O_NONBLOCK", false))
    local task = { _queue = queue }
    reader:when_read(task)
    assert.is_false(reader:getsockopt "O_NONBLOCK")
    assert.same({}, queue:wait(0))
    writer:write "x"
    support.wait_for(queue, task)
    assert.is_false(reader:getsockopt "O_NONBLOCK")
    assert.equal("x", reader:read(1))
  end)

  it("can become false while a task waits; what it waited with then serves others", function()
    local queue = xpio.tqueue()
    for _ = 1, 3 do
      local reader <close>, writer = xpio.pipe()
      local task = { _queue = queue }
      reader:when_read(task)
      assert.is_true(reader:setsockopt("O_NONBLOCK", false))
      assert.same({}, queue:wait(0))
      writer:write "x"
      support.wait_for(queue, task)
      assert.is_false(reader:getsockopt "O_NONBLOCK")
      writer:close()
    end
  end)

  it("false keeps the order of what was written before", function()
    for _ = 1, 50 do
      local reader, writer = xpio.pipe()
      assert(writer:try_write "first ")
      assert(writer:setsockopt("O_NONBLOCK", false))
      assert(writer:write "second")
      writer:close()
      assert.equal("first second", support.read_all(reader, 100))
    end
  end)

  it("false makes try_ functions block", function()
    local script = "require'xpio'.tqueue():wait(0.2) io.write'late'"
    local slow <close> = assert(io.popen(support.command(support.interpreter, "-e", script)))
    local object = assert(xpio.fdopen(slow))
    assert(object:setsockopt("O_NONBLOCK", false))
    assert.equal("late", object:try_read(100))
  end)
end)
