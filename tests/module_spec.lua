local xpio = require "xpio"
local support = require "support"
local capability = require "capability"

describe("the module", function()
  it("names its version, and libuv's", function()
    local version, libuv = xpio.version()
    assert.equal("xpio " .. version, xpio._VERSION)
    assert.matches("^%d+%.%d+%.%d+$", version)
    assert.matches("^1%.%d+%.%d+", libuv)
  end)

  it("is the same table when it is opened again", function()
    package.loaded.xpio = nil
    finally(function() package.loaded.xpio = xpio end)
    assert.equal(xpio, require "xpio")
  end)

  it("has a value of its own that blocking calls yield", function()
    assert.is_userdata(xpio.waiting)
  end)

  it("takes the environment as it was when it was loaded", function()
    local env = { XPIO_PLAIN = "value", XPIO_EMPTY = "", XPIO_EQUALS = "a=b" }
    for name, value in pairs(xpio.env) do env[name] = env[name] or value end
    local reader, writer = xpio.pipe()
    local script = [[
      local xpio = require "xpio"
      local env = xpio.env
      io.write(tostring(env.XPIO_PLAIN), " ", tostring(env.XPIO_EMPTY == ""), " ",
        tostring(env.XPIO_EQUALS), " ", tostring(env.XPIO_NONE))
      for name, value in pairs(xpio.env) do assert(os.getenv(name) == value, name) end
    ]]
    local arguments = support.arguments(support.interpreter, "-e", script)
    assert(xpio.spawn(arguments, env, { [1] = writer, [2] = writer })):wait()
    assert.equal("value true a=b nil", support.read_all(reader, 1000))
  end)

  it("makes SIGPIPE ignored", function()
    local r, w = xpio.pipe()
    r:close()
    assert.same({ nil, "Broken pipe", "EPIPE" }, { w:try_write "x" })
    local status = io.open "/proc/self/status"
    if not status then return end
    local ignored = tonumber(status:read "a":match "SigIgn:%s*(%x+)", 16)
    status:close()
    local SIGPIPE = 13
    assert.is_true(ignored & (1 << (SIGPIPE - 1)) ~= 0)
  end)
end)

describe("xpio.gettime", function()
  it("returns seconds that never decrease, in the unit of timeouts", function()
    local start = xpio.gettime()
    assert.equal("float", math.type(start))
    local last = start
    for _ = 1, 1000 do
      local now = xpio.gettime()
      assert.is_true(now >= last)
      last = now
    end
    xpio.tqueue():wait(0.02)
    local elapsed = xpio.gettime() - start
    assert.is_true(elapsed >= 0.02 and elapsed < support.patience)
  end)
end)

describe("xpio.socket", function()
  it("makes TCP and UDP sockets", function()
    for _, type in ipairs { "TCP", "UDP" } do
      local socket <close> = assert(xpio.socket(type))
      assert.matches("^" .. type .. " socket 0%.0%.0%.0:0 %(descriptor %d+%)$", tostring(socket))
    end
  end)

  it("returns EINVAL for a type that it does not know", function()
    for _, type in ipairs { "tcp", "", "TCP ", "UNIX", 5 } do
      assert.same({ nil, "unknown socket type: " .. type, "EINVAL" }, { xpio.socket(type) })
    end
  end)

  it("does not stop at a zero in the type", function()
    assert.equal("EINVAL", select(3, xpio.socket "TCP\0"))
    local socket <close> = assert(xpio.socket "TCP")
    assert.equal("ENOPROTOOPT", select(3, socket:getsockopt "O_NONBLOCK\0"))
  end)

  it("raises an argument error for what is no string", function()
    for _, value in ipairs { true, {}, print } do
      assert.error_matches(function() xpio.socket(value) end, "bad argument #1 to 'socket'")
    end
    assert.error_matches(function() xpio.socket() end, "string expected, got no value")
  end)
end)

describe("every descriptor that xpio makes", function()
  local function assert_private(object)
    local flags = assert(support.flags(object:fileno()))
    assert.is_true(flags & support.O_CLOEXEC ~= 0, tostring(object))
    assert.is_true(flags & support.O_NONBLOCK ~= 0, tostring(object))
  end

  it("is close-on-exec and non-blocking", function()
    if not capability.descriptor_flags then return pending(capability.reason "descriptor_flags") end
    for _, type in ipairs { "TCP", "UDP" } do assert_private(xpio.socket(type)) end
    for _, make in ipairs { xpio.socketpair, xpio.pipe, support.connected_pair } do
      local one, other = make()
      assert_private(one)
      assert_private(other)
    end
  end)
end)

-- libuv refuses to close a descriptor below 3, by ending the process; and a
-- program's error messages must not get into a socket.
describe("a process without standard streams", function()
  it("gets no descriptors of their numbers", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local path = support.temporary_path()
    finally(function() os.remove(path) end)
    local output, status = support.lua(([[
      local xpio = require "xpio"
      local objects = { xpio.socket "TCP", xpio.socket "UDP" }
      objects[3], objects[4] = xpio.socketpair()
      objects[5], objects[6] = xpio.pipe()
      local support = require "support"
      objects[7], objects[8] = support.connected_pair()
      local file = assert(io.open(%q, "w"))
      for _, object in ipairs(objects) do
        assert(object:fileno() > 2)
        objects[#objects + 1] = #objects < 16 and assert(xpio.fdopen(object:fileno())) or nil
      end
      file:write "fine"
    ]]):format(path), "exec 0<&- 3>&1")
    assert.equal("", output)
    assert.equal(0, status)
    local file <close> = assert(io.open(path))
    assert.equal("fine", file:read "a")
  end)

  it("is closed in peace", function()
    if not capability.shell then return pending(capability.reason "shell") end
    for _, closed in ipairs { "<&-", "<&- >&-", "<&- >&- 2>&-" } do
      local ok, _, status = os.execute(("%s -e 'require \"xpio\"' %s"):format(
        support.command(support.interpreter), closed))
      assert.is_true(ok, closed .. ": " .. status)
    end
  end)
end)

describe("xpio.socketpair", function()
  it("makes two connected streams, each readable from the other", function()
    local a, b = xpio.socketpair()
    assert.equal(5, a:write "there")
    assert.equal("there", b:read(10))
    assert.equal(4, b:write "back")
    assert.equal("back", a:read(10))
    a:close()
    assert.is_nil(b:read(1))
  end)

  it("has no address", function()
    if not capability.unix_sockets then return pending(capability.reason "unix_sockets") end
    local a = xpio.socketpair()
    local expected = { nil, "Address family not supported by protocol", "EAFNOSUPPORT" }
    assert.same(expected, { a:getsockname() })
    assert.same(expected, { a:getpeername() })
    assert.matches("^Unix socket %(descriptor %d+%)$", tostring(a))
  end)
end)

describe("xpio.pipe", function()
  it("makes a reader and a writer", function()
    local reader, writer = xpio.pipe()
    assert.equal(5, writer:write "hello")
    assert.equal("hello", reader:read(10))
    writer:close()
    assert.same({ n = 1 }, table.pack(reader:read(10)))
    assert.matches("^pipe %(descriptor %d+%)$", tostring(reader))
  end)
end)
