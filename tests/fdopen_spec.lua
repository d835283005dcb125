local xpio = require "xpio"
local support = require "support"
local capability = require "capability"

--- A script for a child that shares descriptors with this process through the
--- shell, which this test cannot do by itself: its descriptors are close-on-exec.
local function shared(script, redirections)
  local path = support.temporary_path()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local command = ("timeout %d %s %s 2>&1 %s"):format(
    support.patience, support.command(support.interpreter), path, redirections)
  local process = assert(io.popen(command))
  local output = process:read "a"
  process:close()
  os.remove(path)
  return output
end

describe("xpio.fdopen", function()
  it("returns an object for a descriptor number, a duplicate of it", function()
    local a, b = xpio.socketpair()
    local object = assert(xpio.fdopen(a:fileno()))
    assert.not_equal(a:fileno(), object:fileno())
    object:write "through the duplicate"
    assert.equal("through the duplicate", b:read(100))
    object:close()
    a:write "through the original"
    assert.equal("through the original", b:read(100))
  end)

  it("makes duplicates that are close-on-exec", function()
    local a = xpio.socketpair()
    local object = assert(xpio.fdopen(a:fileno()))
    local flags = support.flags(object:fileno())
    if flags then assert.is_true(flags & support.O_CLOEXEC ~= 0) end
  end)

  it("writes what a Lua file handle has buffered first, and leaves it open", function()
    local file <close> = assert(io.tmpfile())
    file:setvbuf("full", 4096)
    file:write "first "
    local object <close> = assert(xpio.fdopen(file))
    assert.equal(6, object:write "second")
    assert(file:seek("end"))
    file:write " third"
    file:seek "set"
    assert.equal("first second third", file:read "a")
  end)

  it("returns EBADF for a number that is no open descriptor", function()
    for _, number in ipairs { -1, 12345, math.maxinteger, math.mininteger, 2 ^ 31 } do
      assert.same({ nil, "Bad file descriptor", "EBADF" }, { xpio.fdopen(number) })
    end
    local file = assert(io.tmpfile())
    file:close()
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { xpio.fdopen(file) })
  end)

  it("raises an argument error for what is neither number nor file handle", function()
    for _, value in ipairs { "1", true, {}, print, (xpio.pipe()) } do
      assert.error_matches(function() xpio.fdopen(value) end,
        "bad argument #1 to .*fdopen'.*descriptor number or file handle expected, got ")
    end
    for _, value in ipairs { 1.5, 0 / 0, math.huge } do
      assert.error_matches(function() xpio.fdopen(value) end, "no integer representation")
    end
    assert.error_matches(function() xpio.fdopen() end, "got no value")
  end)

  it("reads and writes a file, which is always ready", function()
    local queue = xpio.tqueue()
    local file <close> = assert(io.tmpfile())
    local object <close> = assert(xpio.fdopen(file))
    assert.matches("^file %(descriptor %d+%)$", tostring(object))
    local task = { _queue = queue }
    for _, method in ipairs { "when_write", "when_read" } do
      object[method](object, task)
      support.wait_for(queue, task)
    end
    assert.equal(5, object:write { "he", "llo" })
    file:seek "set"
    assert.equal("hello", object:read(100))
    assert.same({ n = 1 }, table.pack(object:read(100)))
  end)

  it("reads a directory's error", function()
    local directory = io.open "."
    if not directory then return end
    local object <close> = assert(xpio.fdopen(directory))
    assert.same({ nil, "Is a directory", "EISDIR" }, { object:read(1) })
    directory:close()
  end)

  it("opens the null device", function()
    local file <close> = assert(io.open(support.null, "r+"))
    local object <close> = assert(xpio.fdopen(file))
    assert.is_nil(object:read(10))
    assert.equal(5, object:write "hello")
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    object:when_read(task)
    support.wait_for(queue, task)
  end)

  it("writes to a device in one piece", function()
    local null <close> = assert(io.open(support.null, "w"))
    local object <close> = assert(xpio.fdopen(null))
    assert.equal(100000, object:try_write(("x"):rep(100000)))
    assert.equal(5, object:try_write { "he", "llo" })
  end)

  -- poll knows nothing wrong about a closed descriptor: it is just never ready.
  it("reports EBADF for a pseudoterminal's master that is closed", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local master = assert(io.open("/dev/ptmx", "r+"))
    local object = assert(xpio.fdopen(master))
    assert.matches("^terminal ", tostring(object))
    object:close()
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { object:try_write "x" })
    assert.same({ nil, "Bad file descriptor", "EBADF", 0 }, { object:write "x" })
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { object:read(1) })
    master:close()
  end)

  -- A named pipe that is opened anew once its writers are gone never hangs up.
  it("finds the end of a named pipe", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local path = support.temporary_path()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    finally(function() os.remove(path) end)
    local writer <close> = assert(io.popen("printf abc >" .. path))
    local fifo <close> = assert(io.open(path))
    assert.equal("", writer:read "a") -- the writer has ended
    local object <close> = assert(xpio.fdopen(fifo))
    assert.equal("abc", object:read(100))
    local queue = xpio.tqueue()
    local task = { _queue = queue }
    object:when_read(task)
    support.wait_for(queue, task)
    assert.same({ n = 1 }, table.pack(object:read(100)))
    assert.same({ nil, "Bad file descriptor", "EBADF" }, { object:try_write "x" })
  end)

  it("reads and writes a named pipe that is open for both, without ever waiting", function()
    if not capability.shell then return pending(capability.reason "shell") end
    local path = support.temporary_path()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    finally(function() os.remove(path) end)
    local fifo <close> = assert(io.open(path, "r+"))
    local object <close> = assert(xpio.fdopen(fifo))
    assert.equal(5, object:write { "he", "llo" })
    assert.equal("hello", object:read(100))
    assert.same({ nil, "retry" }, { object:try_read(1) })
    local size = support.fill(object)
    assert.same({ nil, "retry" }, { object:try_write { "x", "y" } })
    assert.equal(size, #support.read_bytes(object, size))
  end)

  it("tells sockets of all kinds apart, also of those that xpio does not make", function()
    local path = os.getenv "XPIO_STRANGER"
    if not path then return pending "there are no functions of a host" end
    local make = assert(package.loadlib(path, "luaopen_socket"))
    for kind, pattern in pairs {
      inet_stream = "^TCP socket 0%.0%.0%.0:0 %(",
      inet_datagram = "^UDP socket 0%.0%.0%.0:0 %(",
      inet6_stream = "^TCP socket %(",
      inet6_datagram = "^UDP socket %(",
      unix_stream = "^Unix socket %(",
      unix_datagram = "^Unix socket %(",
      unix_packets = "^socket %(",
    } do
      local number = make(kind)
      if number then -- there may be no IPv6
        local file <close> = assert(xpio.fdopen(number))
        assert.matches(pattern, tostring(file))
      end
    end
  end)

  it("sends and receives a datagram of a Unix socket, also an empty one", function()
    local path = os.getenv "XPIO_STRANGER"
    if not path then return pending "there are no functions of a host" end
    local one, other = assert(package.loadlib(path, "luaopen_datagrams"))()
    local sender <close> = assert(xpio.fdopen(one))
    local receiver <close> = assert(xpio.fdopen(other))
    for _, data in ipairs { "one", "", "three" } do
      assert.equal(#data, sender:write(data))
      assert.equal(data, receiver:read(100))
    end
    assert.same({ nil, "retry" }, { receiver:try_recvfrom(100) })
  end)

  it("reports a pipe that nobody reads", function()
    if not support.has_shell then return pending "Windows does not ask whether others read it" end
    local reader, writer = xpio.pipe()
    reader:close()
    local object <close> = assert(xpio.fdopen(writer:fileno()))
    assert.same({ nil, "Broken pipe", "EPIPE" }, { object:try_write "x" })
  end)

  it("reports that what a Lua file handle has buffered cannot be written", function()
    local full <close> = support.has_shell and io.open("/dev/full", "w") or nil
    if not full then return pending "there is no device that is always full" end
    full:setvbuf "full"
    full:write "x"
    assert.same({ nil, "No space left on device", "ENOSPC" }, { xpio.fdopen(full) })
  end)

  it("reads a device that may have to be waited for", function()
    local device <close> = support.has_shell and io.open("/dev/random", "rb") or nil
    if not device then return pending "there is no such device" end
    local object <close> = assert(xpio.fdopen(device))
    assert.equal(8, #support.read_bytes(object, 8))
  end)

  it("reads a pipe of io.popen as it is written", function()
    local script = "io.write 'one;' io.write 'two;'"
    local child <close> = assert(io.popen(support.command(support.interpreter, "-e", script)))
    local object <close> = assert(xpio.fdopen(child))
    assert.equal("one;", object:read(4))
    assert.equal("two;", object:read(4))
    assert.is_nil(object:read(4))
  end)

  it("writes a pipe of io.popen, and waits while it is full", function()
    local path = support.temporary_path()
    finally(function() os.remove(path) end)
    local child = assert(io.popen("cat >" .. path, "w"))
    local object = assert(xpio.fdopen(child))
    local data = ("0123456789"):rep(100000)
    assert.equal(#data, object:write(data))
    object:close()
    child:close()
    local file <close> = assert(io.open(path))
    assert.is_true(data == file:read "a")
  end)
end)

describe("a descriptor that others share", function()
  -- Flags belong to the description, which the shell's `cat` has too.
  it("keeps its O_NONBLOCK flag in every use", function()
    if not capability.descriptor_flags then return pending(capability.reason "descriptor_flags") end
    local script = [[
      local xpio = require "xpio"
      local support = require "support"
      local queue = xpio.tqueue()
      for number = 0, 1 do
        local before = support.flags(number)
        local object = assert(xpio.fdopen(number))
        assert(support.flags(number) == before)
        object:try_read(1)
        object:try_write ""
        local task = { _queue = queue }
        object:when_write(task)
        queue:wait(0)
        if task._dequeue then task:_dequeue() end
        object:when_read(task)
        queue:wait(0)
        if task._dequeue then task:_dequeue() end
        assert(support.flags(number) == before, "O_NONBLOCK was changed")
        object:close()
        assert(support.flags(number) == before)
      end
      io.stderr:write "same\n"
    ]]
    assert.equal("same\n", shared(script, "</dev/null >/dev/null"))
    assert.equal("same\n", shared(script, "| cat"))
  end)

  it("is not made to block by try_read and try_write: a pipe", function()
    local reader, writer = xpio.pipe()
    assert(reader:setsockopt("O_NONBLOCK", false))
    assert(writer:setsockopt("O_NONBLOCK", false))
    local foreign_reader = assert(xpio.fdopen(reader:fileno()))
    local foreign_writer = assert(xpio.fdopen(writer:fileno()))
    assert.same({ nil, "retry" }, { foreign_reader:try_read(1) })
    assert.is_true(support.fill(foreign_writer) > 0)
    assert.same({ nil, "retry" }, { foreign_writer:try_write "x" })
    assert.is_false(reader:getsockopt "O_NONBLOCK")
    assert.is_false(writer:getsockopt "O_NONBLOCK")
  end)

  it("is not made to block by try_read and try_write: a socket", function()
    if not capability.descriptor_flags then return pending(capability.reason "descriptor_flags") end
    local a, b = xpio.socketpair()
    assert(a:setsockopt("O_NONBLOCK", false))
    local foreign = assert(xpio.fdopen(a:fileno()))
    assert.same({ nil, "retry" }, { foreign:try_read(1) })
    support.fill(foreign)
    assert.same({ nil, "retry" }, { foreign:try_write "x" })
    assert.same({ nil, "retry" }, { foreign:try_recvfrom(1) })
    assert.is_false(a:getsockopt "O_NONBLOCK")
    local queue = xpio.tqueue()
    local task = support.blocked(queue, function() return foreign:read(10) end)
    assert.is_false(a:getsockopt "O_NONBLOCK")
    b:write "x"
    support.wait_for(queue, task)
    assert.same({ true, "x" }, { support.resume(task) })
    local writing = support.blocked(queue, function() return foreign:write "more" end)
    assert.same({}, queue:wait(0))
    while b:try_read(100000) do end
    support.wait_for(queue, writing)
    assert.same({ true, 4 }, { support.resume(writing) })
    assert.is_false(a:getsockopt "O_NONBLOCK")
  end)

  -- Those who share the flag may clear it at any time.
  it("is not made to block by a flag that was set once", function()
    if not capability.descriptor_flags then return pending(capability.reason "descriptor_flags") end
    local reader, writer = xpio.socketpair()
    assert(reader:setsockopt("O_NONBLOCK", false))
    local foreign = assert(xpio.fdopen(reader:fileno()))
    assert(foreign:setsockopt("O_NONBLOCK", true))
    assert(reader:setsockopt("O_NONBLOCK", false))
    assert.same({ nil, "retry" }, { foreign:try_read(1) })
    writer:close()
  end)

  it("is not made to block by try_accept", function()
    local listener, address = support.listener()
    assert(listener:setsockopt("O_NONBLOCK", false))
    local foreign <close> = assert(xpio.fdopen(listener:fileno()))
    assert.same({ nil, "retry" }, { foreign:try_accept() })
    local client <close> = assert(xpio.socket "TCP")
    local queue = xpio.tqueue()
    local task = support.blocked(queue, function() return foreign:accept() end)
    assert(client:connect(address))
    support.wait_for(queue, task)
    local _, server = support.resume(task)
    assert.equal(client:getsockname(), server:getpeername())
    assert.is_false(listener:getsockopt "O_NONBLOCK")
  end)

  it("is not made to block by try_connect", function()
    if not capability.descriptor_flags then return pending(capability.reason "descriptor_flags") end
    for _, nonblocking in ipairs { false, true } do
      local listener <close>, address = support.listener()
      local socket <close> = assert(xpio.socket "TCP")
      assert(socket:setsockopt("O_NONBLOCK", nonblocking))
      local foreign <close> = assert(xpio.fdopen(socket:fileno()))
      foreign:try_connect(address)
      assert.equal(nonblocking, socket:getsockopt "O_NONBLOCK")
      assert.equal(foreign, foreign:connect(address))
      assert.equal(nonblocking, socket:getsockopt "O_NONBLOCK")
      assert.equal(address, foreign:getpeername())
      listener:close()
    end
  end)

  it("sees the other end hang up while it waits", function()
    local a, b = xpio.socketpair()
    assert(a:setsockopt("O_NONBLOCK", false))
    local foreign = assert(xpio.fdopen(a:fileno()))
    local queue = xpio.tqueue()
    local task = support.blocked(queue, function() return "end:", foreign:read(1) end)
    b:close()
    support.wait_for(queue, task)
    assert.same({ true, "end:", nil, n = 3 }, table.pack(support.resume(task)))
    assert.same({}, queue:wait(0.01))
  end)

  it("does not make wait spin when the other end has hung up", function()
    if not capability.cpu_clock then return pending(capability.reason "cpu_clock") end
    local a, b = xpio.socketpair()
    assert(a:setsockopt("O_NONBLOCK", false))
    local foreign = assert(xpio.fdopen(a:fileno()))
    local queue = xpio.tqueue()
    local task = support.blocked(queue, function() return foreign:read(1) end)
    b:close()
    support.wait_for(queue, task)
    support.resume(task)
    local clock = support.clock()
    assert.same({}, queue:wait(0.2))
    assert.is_true(support.clock() - clock < 0.15)
  end)
end)

local function set_terminal(terminal, ...)
  local process = assert(xpio.spawn({ "stty", ... }, nil, { [0] = terminal:fileno(), [2] = 2 }))
  assert.same({ "exit", 0 }, { process:wait() })
end

describe("a pseudoterminal's master that others share", function()
  local function open()
    local master, slave = xpio.openpty()
    assert(master:setsockopt("O_NONBLOCK", false))
    return assert(xpio.fdopen(master:fileno())), slave, master
  end

  it("is read and written without its flag being touched", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local foreign, slave, master = open()
    assert.same({ nil, "retry" }, { foreign:try_read(1) })
    assert.equal(6, foreign:write { "", "ty", "ped\n" })
    assert.equal("typed\n", slave:read(100))
    assert.equal("ty", foreign:read(2)) -- the echo
    assert.equal("ped\r\n", foreign:read(100))
    assert.is_false(master:getsockopt "O_NONBLOCK")
  end)

  it("is not made to block by try_write", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local foreign, slave, master = open()
    set_terminal(slave, "raw") -- otherwise it throws away what is too much for a line
    assert.is_true(support.fill(foreign) > 0)
    assert.is_false(master:getsockopt "O_NONBLOCK")
  end)
end)

describe("a terminal", function()
  it("that returns at once with nothing has nothing yet, and is not at its end", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local master, slave = xpio.openpty()
    set_terminal(slave, "-icanon", "min", "0", "time", "0")
    assert.same({ nil, "retry" }, { slave:try_read(10) })
    master:write "x"
    assert.equal("x", slave:read(10))
    assert.same({ nil, "retry" }, { slave:try_read(10) })
  end)

  it("is at its end when that is typed", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    local master, slave = xpio.openpty()
    set_terminal(slave, "icanon", "min", "0") -- which does not count then
    master:write "\4"
    assert.same({ n = 1 }, table.pack(slave:read(10)))
    master:write "x\n"
    assert.equal("x\n", slave:read(10))
  end)

  -- `script` runs a command on a pseudoterminal of its own.
  local function on_terminal(script_text)
    local path = support.temporary_path()
    local file = assert(io.open(path, "w"))
    file:write(script_text)
    file:close()
    finally(function() os.remove(path) end)
    local command = support.command(support.interpreter, path)
    local process = io.popen(("printf 'typed\\n' | timeout %d script -qec %s /dev/null 2>&1")
      :format(support.patience, support.quote(command)))
    local output = process:read "a"
    process:close()
    return output
  end

  it("is read and written without its flag being touched", function()
    if not capability.pseudoterminals then return pending(capability.reason "pseudoterminals") end
    if not os.execute "command -v script >/dev/null" then return pending "script is missing" end
    local output = on_terminal [[
      local xpio = require "xpio"
      local support = require "support"
      local before = support.flags(0)
      local input, output = assert(xpio.fdopen(0)), assert(xpio.fdopen(1))
      assert(tostring(input):match "^terminal %(descriptor %d+%)$")
      local line = input:read(100)
      output:write { "got ", line }
      assert(input:try_read(1) == nil)
      local queue = xpio.tqueue()
      input:when_read { _queue = queue }
      queue:wait(0)
      assert(support.flags(0) == before)
      output:write "unchanged\n"
    ]]
    assert.matches("got typed", output)
    assert.matches("unchanged", output)
  end)
end)
