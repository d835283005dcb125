local xpio = require "xpio"
local support = require "support"
local capability = require "capability"

local a, b

local function setup_pair()
  a, b = assert(xpio.socketpair())
end

local function close_pair()
  a:close()
  b:close()
end

local LONGEST_READ = 1024 * 1024

describe("reading", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("returns at most so many bytes, and leaves the rest", function()
    b:write "hello"
    assert.equal("hel", a:read(3))
    assert.equal("lo", a:read(3))
  end)

  it("returns what there is, without waiting for more", function()
    b:write "hello"
    assert.equal("hello", a:try_read(1000))
  end)

  it("is retried while there is nothing", function()
    assert.same({ nil, "retry", n = 2 }, table.pack(a:try_read(1)))
  end)

  it("returns nil alone at the end of the stream, again and again", function()
    b:write "x"
    b:close()
    assert.equal("x", a:read(10))
    for _ = 1, 3 do
      assert.same({ n = 1 }, table.pack(a:read(10)))
      assert.same({ n = 1 }, table.pack(a:try_read(10)))
    end
  end)

  it("of no bytes is an empty string, whatever the socket's state", function()
    local function assert_empty()
      assert.same({ "", n = 1 }, table.pack(a:read(0)))
      assert.same({ "", n = 1 }, table.pack(a:try_read(0)))
    end
    assert_empty()
    b:write "x"
    assert_empty()
    assert.equal("x", a:read(10))
    b:close()
    assert_empty()
    a:close()
    assert_empty()
  end)

  it("keeps every byte as it is", function()
    local bytes = {}
    for byte = 0, 255 do bytes[#bytes + 1] = string.char(byte) end
    local data = table.concat(bytes)
    b:write(data)
    assert.equal(data, a:read(1000))
  end)

  it("takes any size, and returns a megabyte at most", function()
    local file = assert(io.tmpfile())
    file:write(("x"):rep(LONGEST_READ + 5))
    file:seek "set"
    local object = assert(xpio.fdopen(file))
    assert.equal(LONGEST_READ, #object:read(math.maxinteger))
    assert.equal(5, #object:read(2 ^ 53))
    assert.is_nil(object:read(1e15))
    object:close()
    file:close()
  end)

  it("raises an argument error for a bad size", function()
    for _, method in ipairs { "read", "try_read", "recvfrom", "try_recvfrom" } do
      local function call(size)
        return function() a[method](a, size) end
      end
      assert.error_matches(call(-1), "negative size")
      assert.error_matches(call(math.mininteger), "negative size")
      for _, size in ipairs { 1.5, 0 / 0, math.huge } do
        assert.error_matches(call(size), "no integer representation")
      end
      for _, size in ipairs { "x", {}, true, print } do
        assert.error_matches(call(size), "number expected")
      end
      assert.error_matches(call(nil), "number expected")
    end
  end)

  it("reports a reset connection", function()
    if not capability.reset then return pending(capability.reason "reset") end
    local client, server = support.connected_pair()
    server:write(("x"):rep(1000))
    client:read(1)
    client:close() -- with unread data: the system resets the connection
    assert.same({ nil, "Connection reset by peer", "ECONNRESET" }, { server:read(1) })
  end)

  it("reports what the system says of a socket that is not connected", function()
    local socket <close> = assert(xpio.socket "TCP")
    assert.same({ nil, "Transport endpoint is not connected", "ENOTCONN" }, { socket:read(1) })
  end)
end)

describe("writing", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("returns the number of bytes written", function()
    assert.equal(5, a:write "hello")
    assert.equal(3, a:try_write "abc")
    assert.equal("helloabc", b:read(100))
  end)

  it("takes a number for its decimal form", function()
    assert.equal(2, a:write(42))
    assert.equal(3, a:try_write(1.5))
    assert.equal("421.5", b:read(100))
  end)

  it("of nothing writes nothing", function()
    assert.equal(0, a:write "")
    assert.equal(0, a:try_write "")
    assert.equal(0, a:write {})
    assert.same({ nil, "retry" }, { b:try_read(1) })
  end)

  it("may write less than all without waiting, and is then retried", function()
    local data = ("x"):rep(10000000)
    local count = a:try_write(data)
    assert.is_true(count > 0 and count < #data)
    support.fill(a)
    assert.same({ nil, "retry", n = 2 }, table.pack(a:try_write "x"))
  end)

  it("goes on from the first byte that is named", function()
    assert.equal(3, a:write("hello", 3))
    assert.equal(1, a:try_write("hello", 5))
    assert.equal(0, a:try_write("hello", 6))
    assert.equal(5, a:write("hello", 1))
    assert.equal("llo" .. "o" .. "hello", b:read(100))
  end)

  it("raises an argument error when that byte is outside the data", function()
    for _, method in ipairs { "write", "try_write" } do
      for _, first in ipairs { 0, -1, 7, math.maxinteger, math.mininteger } do
        assert.error_matches(function() a[method](a, "hello", first) end,
          "first byte is outside the data")
      end
      assert.error_matches(function() a[method](a, "hello", 1.5) end, "no integer representation")
      assert.error_matches(function() a[method](a, "hello", 0 / 0) end, "no integer representation")
      assert.error_matches(function() a[method](a, "hello", "x") end, "number expected")
    end
    assert.same({ nil, "retry" }, { b:try_read(1) })
  end)

  it("raises an argument error for what is no string, number or array", function()
    for _, value in ipairs { true, print, a } do
      assert.error_matches(function() a:write(value) end,
        "bad argument #1 to 'write' %(string, number or array expected, got ")
      assert.error_matches(function() a:try_write(value) end,
        "bad argument #1 to 'try_write' %(string, number or array expected, got ")
    end
    assert.error_matches(function() a:write() end, "string, number or array expected")
  end)

  it("reports a peer that is gone", function()
    if not capability.write_notices then return pending(capability.reason "write_notices") end
    b:close()
    assert.same({ nil, "Broken pipe", "EPIPE" }, { a:try_write "x" })
    assert.same({ nil, "Broken pipe", "EPIPE", 0 }, { a:write "x" })
  end)

  it("does not take more arguments than it knows for its own progress", function()
    assert.equal(5, a:write("hello", 1, 3, 3, 3, 3, 3))
    assert.equal("hello", b:read(10))
  end)
end)

describe("writing an array", function()
  before_each(setup_pair)
  after_each(close_pair)

  it("writes its strings and numbers one after the other", function()
    assert.equal(9, a:write { "hello", "", 42, " ", 1 })
    assert.equal("hello42 1", b:read(100))
  end)

  it("counts the first byte over the whole array", function()
    assert.equal(4, a:write({ "abc", "", "def", 1 }, 4))
    assert.equal("def1", b:read(100))
    assert.equal(2, a:try_write({ "abc", "def" }, 5))
    assert.equal("ef", b:read(100))
    assert.equal(0, a:try_write({ "abc", "def" }, 7))
    assert.error_matches(function() a:write({ "abc", "def" }, 8) end, "outside the data")
  end)

  it("raises an argument error that names a bad element, and writes nothing", function()
    for _, element in ipairs { true, {}, print } do
      assert.error_matches(function() a:write { "x", "y", element } end,
        "bad argument #1 to 'write' %(element 3: string expected, got ")
    end
    assert.same({ nil, "retry" }, { b:try_read(1) })
  end)

  it("writes more strings than one system call takes", function()
    local strings, expected = {}, {}
    for i = 1, 5000 do
      strings[i] = i % 7 == 0 and i or ("%d,"):format(i)
      expected[i] = tostring(strings[i])
    end
    local data = table.concat(expected)
    local written, received
    support.run(function()
      written = a:write(strings)
      a:close()
    end, function()
      received = support.read_all(b, 1000)
    end)
    assert.equal(#data, written)
    assert.equal(data, received)
  end)

  it("goes on in the middle of an element when the reader is slow", function()
    local strings = {}
    for i = 1, 50 do strings[i] = string.char(64 + i):rep(50001) end
    local data = table.concat(strings)
    local received
    support.run(function()
      assert.equal(#data, a:write(strings))
      a:close()
    end, function()
      received = support.read_all(b, 7919)
    end)
    assert.is_true(data == received)
  end)

  -- The error of waiting came without the number of bytes.
  it("tells how much was written when it cannot wait for the rest", function()
    local queue = xpio.tqueue()
    getmetatable(queue).__gc(queue) -- it takes no tasks any more
    local strings = support.too_much()
    local task = { _queue = queue, coroutine = coroutine.create(function() return a:write(strings) end) }
    local ok, result, message, code, written = xpio.resume(task, task.coroutine)
    assert.same({ true, nil, "Bad file descriptor", "EBADF" }, { ok, result, message, code })
    a:close()
    assert.equal(#support.read_all(b, 1000000), written)
  end)

  local function change_meanwhile(change)
    local queue = xpio.tqueue()
    local strings = support.too_much()
    local task = support.blocked(queue, function() return pcall(a.write, a, strings) end)
    change(strings)
    while b:try_read(1000000) do end
    support.wait_for(queue, task)
    local ok, written, message = support.resume(task)
    assert.is_true(ok)
    assert.is_false(written)
    return message
  end

  it("raises an error when the array has become shorter when it goes on", function()
    assert.matches("array has become shorter", change_meanwhile(function(strings)
      for i = 1, 50 do strings[i] = nil end
    end))
  end)

  it("raises an error when an element is no string any more when it goes on", function()
    assert.matches("element 40: string expected, got boolean", change_meanwhile(function(strings)
      strings[40] = true
    end))
  end)

  it("works on a pipe, too", function()
    local reader, writer = xpio.pipe()
    assert.equal(6, writer:write { "abc", 1, "de" })
    assert.equal("abc1de", reader:read(100))
  end)
end)

describe("datagrams", function()
  local receiver, sender, address

  before_each(function()
    receiver, sender = assert(xpio.socket "UDP"), assert(xpio.socket "UDP")
    assert(receiver:bind "127.0.0.1:0")
    assert(sender:bind "127.0.0.1:0")
    address = receiver:getsockname()
  end)

  after_each(function()
    receiver:close()
    sender:close()
  end)

  it("are received one by one, with the address of their sender", function()
    assert.equal(5, sender:sendto("first", address))
    assert.equal(6, sender:try_sendto("second", address))
    assert.same({ "first", sender:getsockname() }, { receiver:recvfrom(100) })
    assert.same({ "second", sender:getsockname() }, { receiver:try_recvfrom(100) })
    assert.same({ nil, "retry", n = 2 }, table.pack(receiver:try_recvfrom(100)))
  end)

  it("that are empty are an empty string, not the end of a stream", function()
    assert.equal(sender, sender:connect(address))
    assert.equal(0, sender:write "")
    assert.equal(0, sender:sendto("", address))
    assert.equal(0, sender:try_write {})
    assert.equal("", receiver:read(100))
    assert.equal("", (receiver:recvfrom(100)))
    assert.equal("", receiver:try_read(100))
    assert.same({ nil, "retry" }, { receiver:try_read(100) })
  end)

  it("that nobody has received are reported by the next call", function()
    if not support.has_shell then return pending "Windows reports them otherwise" end
    local gone = xpio.socket "UDP"
    assert(gone:bind "127.0.0.1:0")
    local nowhere = gone:getsockname()
    gone:close()
    assert(sender:connect(nowhere))
    for _, method in ipairs { "try_recvfrom", "recvfrom", "try_read" } do
      assert.equal(1, sender:write "x")
      assert.same({ nil, "Connection refused", "ECONNREFUSED" }, { sender[method](sender, 10) })
    end
  end)

  it("are cut to the size that is asked for", function()
    sender:sendto("hello", address)
    sender:sendto("world", address)
    assert.equal("he", (receiver:recvfrom(2)))
    assert.equal("", (receiver:recvfrom(0)))
    assert.same({ nil, "retry" }, { receiver:try_recvfrom(1) })
  end)

  -- A short datagram says nothing about the next one: unlike a stream's, the
  -- next read must not wait first.
  it("that wait are read without a pass through the queue", function()
    sender:sendto("a", address)
    sender:sendto("b", address)
    local task = support.task(xpio.tqueue(), function()
      return receiver:read(100), receiver:read(100)
    end)
    assert.same({ true, "a", "b" }, { support.resume(task) })
  end)

  it("are sent whole from an array", function()
    sender:connect(address)
    assert.equal(6, sender:write { "abc", 1, "de" })
    assert.equal("abc1de", receiver:read(100))
    local many = {}
    for i = 1, 1025 do many[i] = "x" end
    assert.same({ nil, "Message too long", "EMSGSIZE" }, { sender:try_write(many) })
    assert.same({ nil, "retry" }, { receiver:try_read(1) })
  end)

  it("that are too long are refused", function()
    assert.same({ nil, "Message too long", "EMSGSIZE" },
      { sender:sendto(("x"):rep(65536), address) })
    assert.same({ nil, "Message too long", "EMSGSIZE", 0 },
      { sender:connect(address):write(("x"):rep(65536)) })
  end)

  it("to nobody report an error with the next call", function()
    if not capability.datagram_errors then return pending(capability.reason "datagram_errors") end
    receiver:close()
    sender:connect(address)
    assert.equal(1, sender:write "x")
    assert.same({ nil, "Connection refused", "ECONNREFUSED" }, { sender:read(1) })
  end)

  it("need strings to be sent", function()
    assert.equal(2, sender:sendto(42, address))
    assert.equal("42", receiver:read(10))
    for _, value in ipairs { true, {}, print } do
      assert.error_matches(function() sender:sendto(value, address) end, "string expected")
    end
  end)

  it("received from a connected stream have no sender", function()
    local x, y = xpio.socketpair()
    y:write "x"
    assert.same({ "x", n = 1 }, table.pack(x:recvfrom(10)))
    y:close()
    assert.same({ n = 1 }, table.pack(x:recvfrom(10)))
  end)
end)

describe("a socket that a child has too, which makes it blocking", function()
  -- Only duplicates were used with MSG_DONTWAIT.
  it("is read and written without waiting all the same", function()
    if not capability.descriptor_flags then return pending(capability.reason "descriptor_flags") end
    local near, far = assert(xpio.socketpair())
    local files = { [1] = xpio.fdopen(far:fileno()), [3] = xpio.fdopen(near:fileno()) }
    -- What comes, a second too late, would end a wait.
    local process = assert(xpio.spawn({ "sh", "-c", "sleep 1; echo late" }, nil, files))
    assert.same({ nil, "retry" }, { near:try_read(100) })
    assert.same({ nil, "retry" }, { near:try_recvfrom(100) })
    process:kill()
    support.fill(near)
    assert.same({ nil, "retry" }, { near:try_write "more" })
  end)
end)
